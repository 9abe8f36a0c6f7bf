package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"manta/bus"
	"manta/internal/member"
	"manta/objstore"
)

// Handler is a function that runs where it is served: it decodes the arguments, calls the user's function, and encodes the
// result, as JSON if plain. A number may be put into room, whose content is lost.
type Handler func(ctx context.Context, args []bus.Value, plain bool, room []byte) (bus.Value, error)

// EncodeResult encodes what a function returned.
func EncodeResult[R any](r R, err error, plain bool, room []byte) (bus.Value, error) {
	switch {
	case err != nil:
		return bus.Value{}, err
	case plain:
		v, err := bus.EncodeJSON(r)
		return v, Hopeless(err)
	}
	v, err := bus.EncodeIn(r, room)
	return v, Hopeless(err)
}

// Work is a call where it runs.
type Work struct {
	Function string
	Handler  Handler
	Entry    *Entry
	Room     []byte // for a small result
	// Arrival is what the arguments name, on its way to be registered with its owners. Whoever made the call keeps it until the call is
	// answered, so that has to wait for the arrival.
	Arrival *objstore.Arrival
	Fetched time.Time // when the arguments were there, of a call of which is told
	values  [maxArgs]bus.Value
}

// Run fetches the arguments that are objects and calls the handler. The value may lie in w.Room; the error is as it travels.
func (w *Work) Run(ctx context.Context, store *objstore.Store) (bus.Value, error) {
	if store.Node().Tracer != nil {
		return w.traced(ctx, store)
	}
	return w.serve(ctx, store)
}

func (w *Work) serve(ctx context.Context, store *objstore.Store) (bus.Value, error) {
	value, err := w.run(ctx, store)
	if err != nil {
		node := store.Node().ID
		return bus.Value{}, cmp.Or(ended(ctx, w.Function, err), error(newFailure(err, w.Function, node, int(w.Entry.Attempt))))
	}
	return value, nil
}

func (w *Work) run(ctx context.Context, store *objstore.Store) (value bus.Value, err error) {
	args := w.values[:0]
	var nested []*bus.Refs
	_, rest := w.Entry.Args.trace()
	r := bus.ReadFields(rest)
	for i := 1; r.Left() > 0 && r.Err() == nil; i++ {
		var a WireArg
		readArg(&r, &a)
		if a.Blob != nil {
			if a.Value, err = store.OpenBlob(ctx, *a.Blob); err != nil {
				return value, Hopeless(fmt.Errorf("argument %d: %w", i, err))
			}
		} else if a.Value.Format == 0 {
			if a.Value, err = store.Open(ctx, a.Object); err != nil {
				return value, Hopeless(fmt.Errorf("argument %d: %w", i, err))
			}
		}
		if a.Value.Refs != nil {
			nested = append(nested, a.Value.Refs)
		}
		args = append(args, a.Value)
	}
	if nested != nil {
		w.Arrival = store.Arrive(nested...)
	}
	if w.Entry.Told {
		w.Fetched = time.Now()
	}
	defer func() {
		if r := recover(); r != nil {
			err = &panicked{reason: r, stack: string(debug.Stack())}
		}
	}()
	return w.Handler(ctx, args, w.Entry.Plain, w.Room)
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
	case errors.Is(cause, ErrGroupRemoved):
		return fmt.Errorf("%s: %w", function, ErrGroupRemoved)
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

// Exited is the error of a call whose function ended its goroutine by runtime.Goexit.
func Exited(function string, node member.ID, attempt int) error {
	return newFailure(errors.New("the function ended its goroutine (runtime.Goexit)"), function, node, attempt)
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
	Fields  string `msgpack:",omitempty"` // of an error of a registered type, as bus encoded them
	Advice  Advice `msgpack:",omitempty"`
}

func newFailure(err error, function string, node member.ID, attempt int) *Failure {
	code, fields := bus.Recognise(err)
	f := &Failure{
		Func: function, Node: node.String(), Attempt: attempt, Code: code, Message: short(err.Error()),
		Fields: string(fields), Advice: adviceOf(err),
	}
	if p, ok := err.(*panicked); ok { //nolint:errorlint // run returns it unwrapped, and only this call's own panic counts
		f.Stack = p.stack
	}
	return f
}

// maxMessage bounds an error's words in bytes: they travel twice in a message, with others, and one that the server does not take would
// never arrive.
const maxMessage = 32 << 10

func short(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	return fmt.Sprintf("%s… (%d bytes in all)", strings.ToValidUTF8(message[:maxMessage], ""), len(message))
}

// Error says what failed, where, and why.
func (f *Failure) Error() string {
	if f.Node == "" {
		return fmt.Sprintf("%s failed: %s", f.Func, f.Message)
	}
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
