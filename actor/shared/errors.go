package shared

import "errors"

var (
	// ErrFull is returned by TryPut and TryPutAll when the queue has no room, or others wait for room. Nothing was put.
	ErrFull = errors.New("queue is full")

	// ErrEmpty is returned by TryGet and TryGetAll when the queue does not have enough items, or others wait for them. Nothing was taken.
	ErrEmpty = errors.New("queue does not have as many items")

	// ErrShutdown is returned by Put and its like after Shutdown, and by Get and its like when also all that was in the queue is taken.
	ErrShutdown = errors.New("queue was shut down")

	// ErrNoPermits is returned by TryAcquire when too few permits are free, or others wait for them.
	ErrNoPermits = errors.New("semaphore has too few permits free")

	// ErrNotHeld is returned by Release of a permit that was released before, or taken back because its process was lost.
	ErrNotHeld = errors.New("permit is not held: it was released, or taken back because the process that had it was lost")
)
