package task

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"

	"manta/bus"
	"manta/internal/call"
)

// StreamFunc is a function of one argument that runs elsewhere and produces items while it runs. It is a small value: copy it freely.
type StreamFunc[A, R any] struct{ target *call.Target }

// DefineStream registers a function that hands each item to yield as soon as it has it, as [Define] registers one that returns a result.
//
// yield sends an item on its way. It blocks while the consumer has not taken up enough ([Ahead], [AheadBytes]), and lends the task's CPUs meanwhile;
// what else the task takes it keeps. Its error means that nobody wants more: the task was cancelled, its deadline has passed, or its consumer is gone.
// Return it. The value may be changed once yield has returned. An item above 64 KiB travels through the object store.
//
// A task is sent again when its node is lost, as others are ([Retries]). It then runs from its beginning, and the items that its consumer has are passed
// over by their number: so make the function produce the same items each time, or use Retries(0).
func DefineStream[A, R any](name string, fn func(ctx context.Context, a A, yield func(R) error) error, opts ...Option) StreamFunc[A, R] {
	return StreamFunc[A, R]{define(name, function{handler: handleStream(fn), args: []reflect.Type{reflect.TypeFor[A]()}, result: reflect.TypeFor[R](), streams: true}, opts)}
}

// DeclareStream names a streaming function that other programs serve: it can be called here and is not served here.
func DeclareStream[A, R any](name string, opts ...Option) StreamFunc[A, R] {
	return StreamFunc[A, R]{declare(name, opts)}
}

// With returns the function with options changed.
func (f StreamFunc[A, R]) With(opts ...Option) StreamFunc[A, R] {
	return StreamFunc[A, R]{with(f.target, opts)}
}

// Ahead is how many items of a stream may be on their way or wait at the consumer; 16 by default. The function that produces them waits for the
// consumer to take one: with 1 it is never more than one item ahead. It changes nothing for functions that do not stream.
func Ahead(items int) Option {
	return func(o *call.Options) error {
		if items < 1 || items > maxAhead {
			return fmt.Errorf("%d items ahead: want 1 to %d", items, maxAhead)
		}
		o.Ahead = items
		return nil
	}
}

// AheadBytes is how many bytes of items, encoded, may be on their way or wait at the consumer; 1 MiB by default, which is 16 of the largest items that
// travel inside messages. A single item may always be larger.
func AheadBytes(n int) Option {
	return func(o *call.Options) error {
		if n < 1 || n > maxAheadBytes {
			return fmt.Errorf("%d bytes ahead: want 1 to %d", n, maxAheadBytes)
		}
		o.AheadBytes = n
		return nil
	}
}

// Stream runs the function with the value that a has now, and yields its items in order, each once, as they are produced. Every range over it is a
// run of its own, which begins with the range.
//
// What goes wrong comes as the last item, after all good ones: the function's own error as an [*Error], or a system error as for other tasks, after
// which it may have run. When ctx ends, ErrCancelled or ErrDeadline comes next, whatever is under way. Leaving the loop cancels the task: the
// function's ctx ends.
func (f StreamFunc[A, R]) Stream(ctx context.Context, a A) iter.Seq2[R, error] {
	arg := call.Value(a)
	return func(yield func(R, error) bool) {
		var none R
		if f.target == nil {
			yield(none, errZeroStream)
			return
		}
		c, scope, err := openStream(ctx, f.target, arg, false)
		if err != nil {
			yield(none, err)
			return
		}
		defer c.close()
		for {
			value, ok, err := c.next(ctx, scope)
			if !ok {
				if err != nil {
					yield(none, err)
				}
				return
			}
			r, err := bus.Decode[R](value)
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

var errZeroStream = errors.New("zero function value: make it with task.DefineStream")

// handleStream makes a handler of a streaming function. Its items are on their way, and have come, before its outcome is.
func handleStream[A, R any](fn func(ctx context.Context, a A, yield func(R) error) error) call.Handler {
	return func(ctx context.Context, args []bus.Value, plain bool, room []byte) (v bus.Value, err error) {
		if len(args) != 2 || args[1].Format != streamFormat {
			return v, fmt.Errorf("%w: it is a streaming function: call it with DefineStream(…).Stream, as a plain NATS client with the header %s: 1", ErrArgument, streamHeaderName)
		}
		a, err := decodeArg[A](args, 0)
		if err != nil {
			return v, err
		}
		p, err := produce(ctx, args[1])
		if err != nil {
			return v, err
		}
		defer func() {
			if unsent := p.finish(ctx); err == nil {
				err = unsent
			}
		}()
		err = fn(ctx, a, func(r R) error {
			value, err := call.EncodeResult(r, nil, plain, nil)
			if err != nil {
				return err
			}
			return p.emit(ctx, value)
		})
		return call.EncodeResult(None{}, err, plain, room)
	}
}

// notStreaming explains arguments that do not fit an ordinary function because it was called as a streaming one; nil if it was not.
func notStreaming(args []bus.Value) error {
	if n := len(args); n > 0 && args[n-1].Format == streamFormat {
		return fmt.Errorf("%w: it is no streaming function: call it with Go, On or Call, as a plain NATS client without the header %s", ErrArgument, streamHeaderName)
	}
	return nil
}
