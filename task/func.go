package task

import (
	"context"
	"reflect"

	"manta/internal/call"
	"manta/objstore"
)

// None is the result of functions that return only an error.
type None = struct{}

// Func is a function of one argument that runs elsewhere. It is a small value: copy it freely. For more than two arguments
// use a struct.
type Func[A, R any] struct{ target *call.Target }

// Define registers fn under a name, in DefaultRegistry unless In says another; every node that serves the registry serves it. The name is
// unique in the registry and made of letters, digits, '_' and '-'. It panics if the name is taken or malformed, or an option is wrong.
func Define[A, R any](name string, fn func(context.Context, A) (R, error), opts ...Option) Func[A, R] {
	return Func[A, R]{define(name, function{handler: handle(fn), args: []reflect.Type{reflect.TypeFor[A]()}, result: reflect.TypeFor[R]()}, opts)}
}

// Declare names a function that other programs serve: it can be called here and is not served here. Those may be workers in other languages
// too, whose values travel as JSON and in one message: PROTOCOL.md says what they do.
func Declare[A, R any](name string, opts ...Option) Func[A, R] {
	return Func[A, R]{declare(name, opts)}
}

// Bind makes a function value of a target; only packages of Manta can make targets.
func Bind[A, R any](t *call.Target) Func[A, R] { return Func[A, R]{t} }

// With returns the function with options changed.
func (f Func[A, R]) With(opts ...Option) Func[A, R] { return Func[A, R]{with(f.target, opts)} }

// Go submits a call with the value that a has now, and returns the ref of its result at once. It never blocks; what goes
// wrong is the error of every Get.
func (f Func[A, R]) Go(ctx context.Context, a A) objstore.Ref[R] {
	return objstore.RefTo[R](call.Submit(ctx, f.target, call.Value(a)))
}

// On submits a call that begins when a has a value, and returns the ref of its result at once. If a fails the call never
// runs and fails with the same error.
func (f Func[A, R]) On(ctx context.Context, a objstore.Ref[A]) objstore.Ref[R] {
	return objstore.RefTo[R](call.Submit(ctx, f.target, call.Ref(a)))
}

// Call is Go and Get.
func (f Func[A, R]) Call(ctx context.Context, a A) (R, error) { return f.Go(ctx, a).Get(ctx) }

// Map is Go for each of as, in order.
func (f Func[A, R]) Map(ctx context.Context, as []A) []objstore.Ref[R] {
	refs := make([]objstore.Ref[R], len(as))
	for i, a := range as {
		refs[i] = f.Go(ctx, a)
	}
	return refs
}

// Func0 is a function of no argument that runs elsewhere.
type Func0[R any] struct{ target *call.Target }

// Define0 is Define for a function of no argument.
func Define0[R any](name string, fn func(context.Context) (R, error), opts ...Option) Func0[R] {
	return Func0[R]{define(name, function{handler: handle0(fn), result: reflect.TypeFor[R]()}, opts)}
}

// Declare0 is Declare for a function of no argument.
func Declare0[R any](name string, opts ...Option) Func0[R] { return Func0[R]{declare(name, opts)} }

// Bind0 is Bind for a function of no argument.
func Bind0[R any](t *call.Target) Func0[R] { return Func0[R]{t} }

// With returns the function with options changed.
func (f Func0[R]) With(opts ...Option) Func0[R] { return Func0[R]{with(f.target, opts)} }

// Go submits a call and returns the ref of its result at once.
func (f Func0[R]) Go(ctx context.Context) objstore.Ref[R] {
	return objstore.RefTo[R](call.Submit(ctx, f.target))
}

// Call is Go and Get.
func (f Func0[R]) Call(ctx context.Context) (R, error) { return f.Go(ctx).Get(ctx) }

// Func2 is a function of two arguments that runs elsewhere.
type Func2[A, B, R any] struct{ target *call.Target }

// Define2 is Define for a function of two arguments.
func Define2[A, B, R any](name string, fn func(context.Context, A, B) (R, error), opts ...Option) Func2[A, B, R] {
	return Func2[A, B, R]{define(name, function{handler: handle2(fn), args: []reflect.Type{reflect.TypeFor[A](), reflect.TypeFor[B]()}, result: reflect.TypeFor[R]()}, opts)}
}

// Declare2 is Declare for a function of two arguments.
func Declare2[A, B, R any](name string, opts ...Option) Func2[A, B, R] {
	return Func2[A, B, R]{declare(name, opts)}
}

// Bind2 is Bind for a function of two arguments.
func Bind2[A, B, R any](t *call.Target) Func2[A, B, R] { return Func2[A, B, R]{t} }

// With returns the function with options changed.
func (f Func2[A, B, R]) With(opts ...Option) Func2[A, B, R] {
	return Func2[A, B, R]{with(f.target, opts)}
}

// Go submits a call with the values that a and b have now, and returns the ref of its result at once.
func (f Func2[A, B, R]) Go(ctx context.Context, a A, b B) objstore.Ref[R] {
	return objstore.RefTo[R](call.Submit(ctx, f.target, call.Value(a), call.Value(b)))
}

// On submits a call that begins when a and b have values. A value beside a ref is objstore.Put: a small one costs next to
// nothing.
func (f Func2[A, B, R]) On(ctx context.Context, a objstore.Ref[A], b objstore.Ref[B]) objstore.Ref[R] {
	return objstore.RefTo[R](call.Submit(ctx, f.target, call.Ref(a), call.Ref(b)))
}

// Call is Go and Get.
func (f Func2[A, B, R]) Call(ctx context.Context, a A, b B) (R, error) {
	return f.Go(ctx, a, b).Get(ctx)
}

// Map is Go for each pair of as and bs, which must be equally many: if they are not, every ref fails and says so.
func (f Func2[A, B, R]) Map(ctx context.Context, as []A, bs []B) []objstore.Ref[R] {
	refs := make([]objstore.Ref[R], max(len(as), len(bs)))
	for i := range refs {
		if len(as) != len(bs) {
			refs[i] = objstore.RefTo[R](objstore.FailedObject(unequal(f.target.Name, len(as), len(bs))))
			continue
		}
		refs[i] = f.Go(ctx, as[i], bs[i])
	}
	return refs
}
