package objstore

import (
	"errors"

	"manta/bus"
)

var (
	// ErrFreed is returned by reads of an object that was freed, or collected by its owner.
	ErrFreed = bus.RegisterError("freed", errors.New("object was freed"))

	// ErrOwnerDead is returned by reads of an object whose owner has left the cluster.
	ErrOwnerDead = bus.RegisterError("owner_dead", errors.New("the object's owner has left the cluster"))

	// ErrLost is returned by reads of an object whose bytes are gone or damaged though its owner lives, and which could not be computed again;
	// the message has the reason. Package task says what is computed again.
	ErrLost = bus.RegisterError("object_lost", errors.New("object is lost"))

	// ErrTooLarge is the error of a plain NATS client's request for an object that no message takes. It is in the object store.
	ErrTooLarge = bus.RegisterError("too_large", errors.New("the object is too large for a message"))

	// ErrFull is the error of a Put whose bytes JetStream has no room for: of its Stored and its reads. Nothing else suffers.
	ErrFull = bus.ErrFull

	// ErrNoObject is returned by reads of the zero Ref.
	ErrNoObject = errors.New("zero Ref: it names no object")

	// ErrDuplicate is returned by Wait when a ref is given twice.
	ErrDuplicate = errors.New("duplicate ref")
)
