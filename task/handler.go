package task

import (
	"context"
	"fmt"

	"manta/bus"
	"manta/internal/call"
)

// handle makes a handler of a function of one argument.
func handle[A, R any](fn func(context.Context, A) (R, error)) call.Handler {
	return func(ctx context.Context, args []bus.Value, plain bool, room []byte) (v bus.Value, err error) {
		if err := checkCount(args, 1); err != nil {
			return v, err
		}
		a, err := decodeArg[A](args, 0)
		if err != nil {
			return v, err
		}
		r, err := fn(ctx, a)
		return call.EncodeResult(r, err, plain, room)
	}
}

func handle0[R any](fn func(context.Context) (R, error)) call.Handler {
	return func(ctx context.Context, args []bus.Value, plain bool, room []byte) (v bus.Value, err error) {
		if err := checkCount(args, 0); err != nil {
			return v, err
		}
		r, err := fn(ctx)
		return call.EncodeResult(r, err, plain, room)
	}
}

func handle2[A, B, R any](fn func(context.Context, A, B) (R, error)) call.Handler {
	return func(ctx context.Context, args []bus.Value, plain bool, room []byte) (v bus.Value, err error) {
		if err := checkCount(args, 2); err != nil {
			return v, err
		}
		a, err := decodeArg[A](args, 0)
		if err != nil {
			return v, err
		}
		b, err := decodeArg[B](args, 1)
		if err != nil {
			return v, err
		}
		r, err := fn(ctx, a, b)
		return call.EncodeResult(r, err, plain, room)
	}
}

func checkCount(args []bus.Value, want int) error {
	if len(args) != want {
		if err := notStreaming(args); err != nil {
			return call.Hopeless(err)
		}
		return call.Hopeless(fmt.Errorf("%w: %d were sent, it takes %d", ErrArgument, len(args), want))
	}
	return nil
}

func decodeArg[T any](args []bus.Value, i int) (T, error) {
	v, err := bus.Decode[T](args[i])
	if err != nil {
		if streamed := notStreaming(args[i : i+1]); streamed != nil {
			return v, call.Hopeless(streamed)
		}
		err = call.Hopeless(fmt.Errorf("%w: argument %d: %w", ErrArgument, i+1, err))
	}
	return v, err
}

func unequal(function string, as, bs int) error {
	return fmt.Errorf("%s: Map of %d and %d arguments: want equally many", function, as, bs)
}
