package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"manta/bus"
	"manta/internal/member"
	"manta/objstore"
)

// Handler is a function that runs where it is served: it decodes the arguments, calls the user's function, and encodes the
// result, as JSON if plain.
type Handler func(ctx context.Context, args []bus.Value, plain bool) (bus.Value, error)

// EncodeResult encodes what a function returned.
func EncodeResult[R any](r R, err error, plain bool) (bus.Value, error) {
	switch {
	case err != nil:
		return bus.Value{}, err
	case plain:
		return bus.EncodeJSON(r)
	default:
		return bus.Encode(r)
	}
}

// Run serves a request on this node: it fetches the arguments that are objects, calls the handler and seals its result.
// done is called when the user's function has returned, before a large result is stored.
func Run(ctx context.Context, node *member.Node, function string, h Handler, q Request, done func()) objstore.Outcome {
	store := objstore.StoreOf(node)
	value, err := run(ctx, store, h, q)
	done()
	if err != nil {
		return objstore.Outcome{Err: cmp.Or(ended(ctx, function, err), error(newFailure(err, function, node.ID, q.Attempt)))}
	}
	return store.Seal(ctx, objstore.NewID(q.Owner, q.Number), value)
}

func run(ctx context.Context, store *objstore.Store, h Handler, q Request) (value bus.Value, err error) {
	args := make([]bus.Value, len(q.Args))
	for i, a := range q.Args {
		if args[i] = a.Value; a.Value.Format == 0 {
			if args[i], err = store.Open(ctx, a.Object); err != nil {
				return value, fmt.Errorf("argument %d: %w", i+1, err)
			}
		}
	}
	defer func() {
		if r := recover(); r != nil {
			err = &panicked{reason: r, stack: string(debug.Stack())}
		}
	}()
	return h(ctx, args, q.Plain)
}

// ended returns the outcome of a call that says no more than that its ctx has ended, nil if it says something else.
func ended(ctx context.Context, function string, err error) error {
	cause := context.Cause(ctx)
	switch {
	case cause == nil || !errors.Is(err, cause) && !errors.Is(err, ctx.Err()):
		return nil
	case errors.Is(cause, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", function, ErrDeadline)
	case errors.Is(cause, ErrCancelled):
		return fmt.Errorf("%s: %w", function, ErrCancelled)
	}
	return nil
}

// panicked is a panic of user code.
type panicked struct {
	reason any
	stack  string
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.reason) }
func (p *panicked) Unwrap() error {
	err, _ := p.reason.(error)
	return err
}

// FailedCode is the code under which a Failure travels.
const FailedCode = "failed"

// Failure is how the error of a user's function travels. Package task gives it its public form.
type Failure struct {
	Func    string
	Node    string
	Attempt int
	Code    string // of the registered error that it is, or bus.UnknownCode
	Message string
	Stack   string // of a panic
}

func newFailure(err error, function string, node member.ID, attempt int) *Failure {
	f := &Failure{
		Func: function, Node: node.String(), Attempt: attempt, Code: bus.ErrorCode(err), Message: err.Error(),
	}
	if p, ok := err.(*panicked); ok { //nolint:errorlint // run returns it unwrapped, and only this call's own panic counts
		f.Stack = p.stack
	}
	return f
}

// Error says what failed, where, and why.
func (f *Failure) Error() string {
	return fmt.Sprintf("%s failed on node %s: %s", f.Func, f.Node, f.Message)
}

// EncodeFailure implements bus.FailureEncoder.
func (f *Failure) EncodeFailure() bus.Failure {
	detail, err := bus.Encode(*f)
	if err != nil {
		return bus.Failure{Code: f.Code, Message: f.Error()}
	}
	return bus.Failure{Code: FailedCode, Message: f.Error(), Detail: detail.Data}
}

// DecodeFailure reads the detail that EncodeFailure wrote.
func DecodeFailure(b bus.Failure) *Failure {
	f, err := bus.Decode[Failure](bus.Value{Format: bus.Msgpack, Data: b.Detail})
	if err != nil || f == (Failure{}) {
		return &Failure{Code: bus.UnknownCode, Message: b.Message}
	}
	return &f
}
