package call

import (
	"errors"
	"time"
)

// Advice is what a function says of another attempt when it fails.
type Advice struct {
	Never bool          `msgpack:",omitempty"` // it would fail again
	Again bool          `msgpack:",omitempty"` // it may succeed, after a pause
	After time.Duration `msgpack:",omitempty"` // at least so long
}

// advised is an error with advice: to everybody else it is the error within.
type advised struct {
	error
	advice Advice
}

func (e *advised) Unwrap() error { return e.error }

// Advise gives an error advice. That of the outermost counts; the advice of another call's error, which this one passes on, does not.
func Advise(err error, advice Advice) error {
	if err == nil {
		return nil
	}
	return &advised{err, advice}
}

// Hopeless says of an error that is not the user's that the call would fail with it again.
func Hopeless(err error) error { return Advise(err, Advice{Never: true}) }

func adviceOf(err error) Advice {
	if e, ok := errors.AsType[*advised](err); ok {
		return e.advice
	}
	return Advice{}
}
