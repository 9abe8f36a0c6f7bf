package objstore

import (
	"context"
	"errors"

	"manta/bus"
)

// ErrNoResult is returned by task.Cancel for an object that is no task's or call's result: one that was Put.
var ErrNoResult = bus.RegisterError("no_result", errors.New("the object is no result: there is no task or call to cancel"))

// Promiser is who settles a promise.
type Promiser interface {
	// Cancel has the promise settled as cancelled, unless it is settled already. It does not block.
	Cancel()
}

// PromisedBy says who settles a promise. It is for whoever made the promise, before anybody else has it.
func (o *Object) PromisedBy(p Promiser) { o.promiser = p }

// keeper stands for the promiser of a value that was Put: it never was a promise.
type keeper struct{}

func (keeper) Cancel() {}

// Cancel cancels what an object is to be the result of, which its owner knows.
func (s *Store) Cancel(ctx context.Context, o *Object) error {
	switch {
	case o == nil:
		return ErrNoObject
	case o.failure() != nil: // it could not even be submitted
		return nil
	case s.node.Confined && o.home != s:
		return bus.ErrConfined
	case o.id.Durable():
		return s.archive.Cancel(ctx, o.id)
	case o.home == s:
		return o.cancel()
	}
	if err := o.escape(); err != nil { // its owner may be another node of this process
		return err
	}
	out, err := s.ask(ctx, o.id.Owner(), s.question(cancelFrame, o.id))
	if err != nil {
		return err
	}
	return out.Err
}

// cancel cancels what an object of this process is to be the result of.
func (o *Object) cancel() error {
	o.mu.Lock()
	by, out := o.promiser, o.outcome.Load()
	o.mu.Unlock()
	switch {
	case out == freed:
		return ErrFreed
	case by == keeper{}, by == nil && out == nil:
		return ErrNoResult
	case by != nil:
		by.Cancel()
	}
	return nil
}
