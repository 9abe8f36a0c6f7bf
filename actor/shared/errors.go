package shared

import (
	"errors"

	"manta/bus"
)

var (
	// ErrFull is returned by TryPut and TryPutAll when the queue has no room, or others wait for room. Nothing was put.
	ErrFull = bus.RegisterError("queue_full", errors.New("queue is full"))

	// ErrEmpty is returned by TryGet and TryGetAll when the queue does not have enough items, or others wait for them. Nothing was taken.
	ErrEmpty = bus.RegisterError("queue_empty", errors.New("queue does not have as many items"))

	// ErrShutdown is returned by Put and its like after Shutdown, and by Get and its like when also all that was in the queue is taken.
	ErrShutdown = bus.RegisterError("queue_shut_down", errors.New("queue was shut down"))

	// ErrNoPermits is returned by TryAcquire when too few permits are free, or others wait for them.
	ErrNoPermits = bus.RegisterError("no_permits", errors.New("semaphore has too few permits free"))

	// ErrNotHeld is returned by Release of a permit that was released before, or taken back because its process was lost.
	ErrNotHeld = bus.RegisterError("permit_not_held", errors.New("permit is not held: it was released, or taken back because the process that had it was lost"))
)
