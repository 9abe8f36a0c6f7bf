package actor

import (
	"context"

	"manta/bus"
	"manta/internal/call"
)

// direct calls a method of an instance, a pointer to the struct, without package reflect, which takes half a microsecond and three allocations
// for the same (docs/performance.md). The number of values is right.
type direct func(instance any, ctx context.Context, values []bus.Value, plain bool, room []byte) (bus.Value, error)

// directly returns how to call a method expression of P, or nil if only package reflect can: a class knows its methods' types only when it runs, so
// those for which there is code are listed here. They take one scalar or nothing, and return a scalar.
func directly[P any](method any) direct {
	for _, takes := range []func(any) direct{
		takesNothing[P], takes[P, bool], takes[P, int], takes[P, int64], takes[P, uint64], takes[P, float64], takes[P, string],
	} {
		if d := takes(method); d != nil {
			return d
		}
	}
	return nil
}

// takes is directly for methods with an argument of type A.
func takes[P, A any](method any) direct {
	switch m := method.(type) {
	case func(P, context.Context, A) (bool, error):
		return with(m)
	case func(P, context.Context, A) (int, error):
		return with(m)
	case func(P, context.Context, A) (int64, error):
		return with(m)
	case func(P, context.Context, A) (uint64, error):
		return with(m)
	case func(P, context.Context, A) (float64, error):
		return with(m)
	case func(P, context.Context, A) (string, error):
		return with(m)
	}
	return nil
}

// takesNothing is directly for methods without an argument.
func takesNothing[P any](method any) direct {
	switch m := method.(type) {
	case func(P, context.Context) (bool, error):
		return without(m)
	case func(P, context.Context) (int, error):
		return without(m)
	case func(P, context.Context) (int64, error):
		return without(m)
	case func(P, context.Context) (uint64, error):
		return without(m)
	case func(P, context.Context) (float64, error):
		return without(m)
	case func(P, context.Context) (string, error):
		return without(m)
	}
	return nil
}

func with[P, A, R any](m func(P, context.Context, A) (R, error)) direct {
	return func(instance any, ctx context.Context, values []bus.Value, plain bool, room []byte) (bus.Value, error) {
		a, err := bus.Decode[A](values[0])
		if err != nil {
			return bus.Value{}, unfit(0, err)
		}
		r, err := m(instance.(P), ctx, a)
		return call.EncodeResult(r, err, plain, room)
	}
}

func without[P, R any](m func(P, context.Context) (R, error)) direct {
	return func(instance any, ctx context.Context, _ []bus.Value, plain bool, room []byte) (bus.Value, error) {
		r, err := m(instance.(P), ctx)
		return call.EncodeResult(r, err, plain, room)
	}
}
