package actor

import (
	"errors"

	"manta/bus"
)

var (
	// ErrDead is the outcome of a call to an actor that was stopped or killed, could not be created, or lived on a node that
	// is gone and is not made again. The call did not run, unless it was under way when Kill or the close of its node cut it short.
	ErrDead = bus.RegisterError("actor_dead", errors.New("actor is dead"))

	// ErrUnavailable is the outcome of a call that was under way when the actor's node was lost. It may have run. A later call may succeed, if
	// the class has Restarts.
	ErrUnavailable = bus.RegisterError("actor_unavailable", errors.New("actor is unavailable"))

	// ErrNotFound is returned by Lookup of a name that no actor has, and the outcome of a call by that name alone, as plain NATS clients make it. The
	// call did not run.
	ErrNotFound = bus.RegisterError("actor_not_found", errors.New("no actor has the name"))

	// ErrExists is the outcome of calls to an actor that could not be created because its name is taken. They did not run.
	ErrExists = bus.RegisterError("actor_exists", errors.New("actor already exists"))

	// ErrNotRegistered is the outcome of calls to an actor whose class no node serves. They did not run.
	ErrNotRegistered = bus.RegisterError("class_not_registered", errors.New("no node serves the class"))

	// errMoved is a cell's answer to a call which does not run there because the actor goes on in a later epoch. Callers send it there.
	errMoved = bus.RegisterError("actor_moved", errors.New("the actor has moved"))

	// ErrNoResult is returned by Pool.Next and Pool.NextUnordered when every result has been taken: Submit first, or ask HasNext.
	ErrNoResult = bus.RegisterError("pool_no_result", errors.New("the pool has no result to come"))
)
