package call

import (
	"context"
	"errors"
	"fmt"
	"time"

	"manta/internal/member"
	"manta/objstore"
)

// Options say how a call is to be made. They belong to a function or method and can be replaced a call.
type Options struct {
	Definition *Definition // nil unless a function is being defined

	Need    member.Amounts // resources taken while the call runs
	NeedKey string         // Need, and Bundle, in words: equal for equal ones
	Bundle  member.Bundle  // that the call takes its need of; zero: of the node
	Retries int            // how often a call that the system lost, or that failed as RetryOn says, is made again
	Timeout time.Duration  // from submission to outcome; 0 means none

	RetryOn  RetryOn
	Backoff  Backoff
	Placing  Placing // which nodes
	PlaceKey string  // Placing in words: equal for equal ones

	Durable bool          // the call outlives its owner
	KeepFor time.Duration // how long the result of one that does is kept

	Ahead, AheadBytes int // of a stream: how far its producer may be ahead of its consumer; 0 means the default
}

// RetryOn is after which errors of its function a call is made again: those that errors.Is finds in Errors.
type RetryOn struct {
	Errors []error
	Any    bool // whatever the error is
}

// Backoff is how long a call that failed waits before it is made again: First, twice as long each further time, but at most Max.
type Backoff struct{ First, Max time.Duration }

// Target is what a typed function value calls.
type Target struct {
	Name    string // of the function, or of class and method
	Actor   string // whose method it is; empty for a task
	Streams bool   // the call sends items before its outcome
	Options Options
	// Err is what was wrong when the target was made; every call fails with it.
	Err error
	// Fits says which of the options the target has no use for; nil if it has for all.
	Fits func(Options) error
	// Submit makes a call and returns the object of its result at once. Its arguments have no errors.
	Submit func(ctx context.Context, t *Target, args Args) *objstore.Object
}

// Submit makes a call, or fails it with what is wrong with the target or an argument.
func Submit(ctx context.Context, t *Target, args ...Arg) *objstore.Object {
	if t == nil {
		return objstore.FailedObject(errZero)
	}
	if t.Err != nil {
		return objstore.FailedObject(t.Err)
	}
	for i := range args {
		if args[i].err != nil {
			return objstore.FailedObject(fmt.Errorf("%s: argument %d: %w", t.Name, i+1, args[i].err))
		}
	}
	return t.Submit(ctx, t, ArgsOf(args...).Traced(TraceOf(ctx)))
}

var errZero = errors.New("zero function value: make it with task.Define, task.Declare or actor.Method")
