package shared

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"manta/actor"
	"manta/objstore"
	"manta/task"
)

// Semaphore bounds how much the processes of a cluster do at a time. It is comparable, travels inside arguments and results, and works in
// every process. The zero Semaphore names none; every method of it fails.
type Semaphore struct{ part[semaphore] }

// Permit is what Acquire gives and Release gives back. It is of the process that acquired it: when that is gone, so is the permit. It travels
// inside arguments and results, so that another process can release it.
type Permit struct {
	Semaphore Semaphore   `json:"semaphore"`
	Ticket    objstore.ID `json:"ticket"` // tells it from others
}

// NewSemaphore makes a semaphore of so many permits and returns it at once. What goes wrong, as fewer than one, is the error of every method.
func NewSemaphore(ctx context.Context, permits int, opts ...actor.NewOption) Semaphore {
	return Semaphore{part[semaphore]{semaphores.New(ctx, semaphore{Permits: permits}, opts...)}}
}

// GetOrNewSemaphore returns the semaphore of that name, or makes it; of several that try at once, one makes it.
func GetOrNewSemaphore(ctx context.Context, name string, permits int, opts ...actor.NewOption) Semaphore {
	return Semaphore{part[semaphore]{semaphores.GetOrNew(ctx, name, semaphore{Permits: permits}, opts...)}}
}

// LookupSemaphore returns the semaphore of that name, or actor.ErrNotFound.
func LookupSemaphore(ctx context.Context, name string) (Semaphore, error) {
	ref, err := semaphores.Lookup(ctx, name)
	return Semaphore{part[semaphore]{ref}}, err
}

// Acquire waits until n permits are free, and takes them all at once. Those who wait are served in the order in which they came. With an error
// it has taken none. n is to be at least 1 and at most all there are.
func (s Semaphore) Acquire(ctx context.Context, n int) (Permit, error) {
	return s.acquire(ctx, n, true)
}

// TryAcquire is Acquire without waiting: ErrNoPermits if too few are free, or others wait for some.
func (s Semaphore) TryAcquire(ctx context.Context, n int) (Permit, error) {
	return s.acquire(ctx, n, false)
}

func (s Semaphore) acquire(ctx context.Context, n int, wait bool) (Permit, error) {
	if n < 1 {
		return Permit{}, fmt.Errorf("semaphore %s: acquire %d permits: want a number from 1", s.ref.ID(), n)
	}
	t, err := newTicket(ctx)
	if err != nil {
		return Permit{}, err
	}
	ref := actor.Method(s.ref, (*semaphore).Acquire).Go(context.WithoutCancel(ctx), acquiring{t, n, wait})
	v, err := ref.Get(ctx)
	if err != nil && !errors.Is(err, actor.ErrDead) {
		actor.Method(s.ref, (*semaphore).Withdraw).Go(context.WithoutCancel(ctx), t) // what it has got meanwhile goes back
	}
	if err == nil {
		err = s.failure(ctx, "semaphore", v, ErrNoPermits, fmt.Errorf("%d permits are more than it has: acquire fewer at once", n))
	}
	if err != nil {
		return Permit{}, err
	}
	return Permit{s, t}, nil
}

// Free is how many permits nobody holds.
func (s Semaphore) Free(ctx context.Context) (int, error) {
	return actor.Method0(s.ref, (*semaphore).Free).Call(ctx)
}

// Kill ends the semaphore's actor at once: its name is free, and all calls fail with actor.ErrDead.
func (s Semaphore) Kill(ctx context.Context) error { return s.ref.Kill(ctx) }

// String returns for example shared.Semaphore(limit).
func (s Semaphore) String() string { return fmt.Sprintf("shared.Semaphore(%s)", s.ref.ID()) }

// Release gives all permits of one Acquire back. It does so also if ctx has ended, and then waits at most two seconds for the answer. ErrNotHeld:
// they were given back before, or taken back.
func (p Permit) Release(ctx context.Context) error {
	ref := p.Semaphore.ref
	held, err := settled(ctx, actor.Method(ref, (*semaphore).Release).Go(context.WithoutCancel(ctx), p.Ticket))
	if err == nil && !held {
		err = fmt.Errorf("semaphore %s: %w", ref.ID(), ErrNotHeld)
	}
	return err
}

// semaphore is the actor behind a Semaphore.
type semaphore struct {
	Permits int

	mu      sync.Mutex
	permits *permits
}

// acquiring is a call of Acquire.
type acquiring struct {
	Ticket ticket `json:"ticket"`
	Count  int    `json:"count"`
	Wait   bool   `json:"wait"`
}

// Start makes the permits.
func (s *semaphore) Start(ctx context.Context) error {
	if s.Permits < 1 {
		return fmt.Errorf("a semaphore of %d permits: want a number from 1", s.Permits)
	}
	s.permits = newPermits(s.Permits)
	return attend(ctx, &s.mu, s.permits)
}

// Acquire takes permits.
func (s *semaphore) Acquire(ctx context.Context, a acquiring) (verdict, error) {
	w := newWaiter(a.Ticket, a.Count)
	s.do(func() { s.permits.acquire(w, a.Wait) })
	return w.await(ctx, func() { s.do(func() { s.permits.withdraw(a.Ticket) }) })
}

// Release says whether the ticket held permits, and frees them.
func (s *semaphore) Release(_ context.Context, t ticket) (held bool, err error) {
	s.do(func() { held = s.permits.release(t) })
	return held, nil
}

// Withdraw undoes what a ticket was for.
func (s *semaphore) Withdraw(_ context.Context, t ticket) (task.None, error) {
	s.do(func() { s.permits.withdraw(t) })
	return task.None{}, nil
}

// Free tells how many permits nobody holds.
func (s *semaphore) Free(context.Context) (n int, err error) {
	s.do(func() { n = s.permits.free })
	return n, nil
}

func (s *semaphore) do(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}
