package call

import (
	"context"
	"errors"
	"fmt"
	"time"

	"manta/bus"
	"manta/internal/member"
	"manta/objstore"
)

// Options say how a call is to be made. They belong to a function or method and can be replaced a call.
type Options struct {
	Need    member.Amounts // resources taken while the call runs
	NeedKey string         // Need in words: equal for equal needs
	Retries int            // how often a call that the system lost is made again
	Timeout time.Duration  // from submission to outcome; 0 means none
}

// Target is what a typed function value calls.
type Target struct {
	Name    string // of the function, or of class and method
	Options Options
	// Err is what was wrong when the target was made; every call fails with it.
	Err error
	// Submit makes a call and returns the object of its result at once. Its arguments have no errors.
	Submit func(ctx context.Context, t *Target, args []Arg) *objstore.Object
}

// Submit makes a call, or fails it with what is wrong with the target or an argument.
func Submit(ctx context.Context, t *Target, args ...Arg) *objstore.Object {
	if t == nil {
		return objstore.FailedObject(errZero)
	}
	if t.Err != nil {
		return objstore.FailedObject(t.Err)
	}
	for i, a := range args {
		if a.err != nil {
			return objstore.FailedObject(fmt.Errorf("%s: argument %d: %w", t.Name, i+1, a.err))
		}
	}
	return t.Submit(ctx, t, args)
}

var errZero = errors.New("zero function value: make it with task.Define, task.Declare or actor.Method")

// Arg is an argument: a value, or an object that will have one.
type Arg struct {
	value  bus.Value
	object *objstore.Object
	err    error
}

// Value returns an argument that is v as it is at this moment.
func Value[T any](v T) Arg {
	value, err := bus.Encode(v)
	if value.Format != bus.Msgpack { // a view of v, which its giver may change
		value = value.Clone()
	}
	return Arg{value: value, err: err}
}

// Encoded returns an argument that a plain client has encoded.
func Encoded(v bus.Value) Arg { return Arg{value: v} }

// Ref returns an argument that is the value of an object.
func Ref[T any](r objstore.Ref[T]) Arg { return Arg{object: r.Object()} }
