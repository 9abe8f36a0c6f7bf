package shared

import (
	"context"
	"fmt"
	"sync"

	"manta/actor"
	"manta/internal/member"
	"manta/task"
)

// Signal lets processes wait until another says so. It is comparable, travels inside arguments and results, and works in every process. The zero
// Signal names none; every method of it fails.
type Signal struct{ part[signal] }

// NewSignal makes a signal that is not set, and returns it at once. What goes wrong is the error of every method.
func NewSignal(ctx context.Context, opts ...actor.NewOption) Signal {
	return Signal{part[signal]{signals.New(ctx, signal{}, opts...)}}
}

// GetOrNewSignal returns the signal of that name, or makes it; of several that try at once, one makes it.
func GetOrNewSignal(ctx context.Context, name string, opts ...actor.NewOption) Signal {
	return Signal{part[signal]{signals.GetOrNew(ctx, name, signal{}, opts...)}}
}

// LookupSignal returns the signal of that name, or actor.ErrNotFound.
func LookupSignal(ctx context.Context, name string) (Signal, error) {
	ref, err := signals.Lookup(ctx, name)
	return Signal{part[signal]{ref}}, err
}

// Set sets the signal: all who wait go on, and whoever comes later does not wait. Setting twice is no error.
func (s Signal) Set(ctx context.Context) error {
	_, err := actor.Method0(s.ref, (*signal).Set).Call(ctx)
	return err
}

// Clear makes whoever comes later wait for the next Set. Those whom a Set has let go do go on.
func (s Signal) Clear(ctx context.Context) error {
	_, err := actor.Method0(s.ref, (*signal).Clear).Call(ctx)
	return err
}

// IsSet says whether Wait would not wait.
func (s Signal) IsSet(ctx context.Context) (bool, error) {
	return actor.Method0(s.ref, (*signal).IsSet).Call(ctx)
}

// Wait waits until the signal is set. It returns ctx's cause if ctx ends first.
func (s Signal) Wait(ctx context.Context) error {
	t, err := newTicket(ctx)
	if err != nil {
		return err
	}
	v, err := actor.Method(s.ref, (*signal).Wait).Go(context.WithoutCancel(ctx), t).Get(ctx)
	if err != nil && ctx.Err() != nil {
		actor.Method(s.ref, (*signal).Withdraw).Go(context.WithoutCancel(ctx), t)
	}
	if err == nil {
		err = s.failure(ctx, "signal", v, nil, nil)
	}
	return err
}

// Kill ends the signal's actor at once: its name is free, and all calls, also those that wait, fail with actor.ErrDead.
func (s Signal) Kill(ctx context.Context) error { return s.ref.Kill(ctx) }

// String returns for example shared.Signal(ready).
func (s Signal) String() string { return fmt.Sprintf("shared.Signal(%s)", s.ref.ID()) }

// signal is the actor behind a Signal.
type signal struct {
	mu   sync.Mutex
	gate gate
}

// gate is whether a signal is set, and who waits for that.
type gate struct {
	attendance
	set  bool
	line line
}

func (g *gate) left(node member.ID) {
	g.attendance.left(node)
	g.line.dismiss(withdrawn, of(node))
}

func (g *gate) leave() {
	g.leaving = true
	g.line.dismiss(leaving, everybody)
}

func (g *gate) join(w *waiter) {
	switch {
	case !g.admits(w.ticket):
		w.end(withdrawn)
	case g.set:
		w.end(granted)
	case g.leaving:
		w.end(leaving)
	default:
		g.line = append(g.line, w)
	}
}

func (g *gate) withdraw(t ticket) {
	if !g.line.dismiss(withdrawn, has(t)) {
		g.attendance.withdraw(t)
	}
}

// Start begins to hear of who is there.
func (s *signal) Start(ctx context.Context) error { return attend(ctx, &s.mu, &s.gate) }

// Set lets all go.
func (s *signal) Set(context.Context) (task.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate.set = true
	s.gate.line.dismiss(granted, everybody)
	return task.None{}, nil
}

// Clear makes who comes wait.
func (s *signal) Clear(context.Context) (task.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate.set = false
	return task.None{}, nil
}

// IsSet says whether who comes waits.
func (s *signal) IsSet(context.Context) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gate.set, nil
}

// Wait waits for Set.
func (s *signal) Wait(ctx context.Context, t ticket) (verdict, error) {
	w := newWaiter(t, 0)
	s.mu.Lock()
	s.gate.join(w)
	s.mu.Unlock()
	return w.await(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.gate.withdraw(t)
	})
}

// Withdraw ends a ticket's wait.
func (s *signal) Withdraw(_ context.Context, t ticket) (task.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate.withdraw(t)
	return task.None{}, nil
}
