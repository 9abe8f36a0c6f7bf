package call

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"manta/bus"
	"manta/internal/member"
	"manta/objstore"
)

var (
	// ErrCancelled is the outcome of a call whose ctx was cancelled. errors.Is finds context.Canceled too.
	ErrCancelled = bus.RegisterError("cancelled", fmt.Errorf("call was cancelled: %w", context.Canceled))

	// ErrGroupRemoved is the outcome of a call that is bound to a placement group which is gone.
	ErrGroupRemoved = bus.RegisterError("group_removed", errors.New("the placement group was removed"))

	// ErrDeadline is the outcome of a call whose ctx or timeout ended. errors.Is finds context.DeadlineExceeded too.
	ErrDeadline = bus.RegisterError("deadline", fmt.Errorf("call took too long: %w", context.DeadlineExceeded))

	// ErrArgument is the outcome of a call whose arguments do not fit what it calls: another type, or another number. It did not run.
	ErrArgument = bus.RegisterError("argument", errors.New("the arguments do not fit the function"))

	// ErrOverload is the outcome of a call that would be one too many of those that wait. It did not run.
	ErrOverload = bus.RegisterError("overload", errors.New("too many requests wait"))

	// ErrReturned is the cause with which a call's own ctx ends when it returns. The calls that it made go on.
	ErrReturned = errors.New("the call has returned")
)

// Call is one invocation at its owner. A million of them may be queued, so what most calls do not have (arguments that are
// awaited, a ctx that may end) is behind a pointer.
//
//	arguments pending ─► ready ─► sent (again after a loss) ─► finished
//	       └────────────────┴────────── cancel, failure ──────────┘
type Call struct {
	Target *Target
	Object *objstore.Object // of the result

	wire    string   // the arguments as they travel, once all have values
	awaited *awaited // nil if all arguments were small values without refs inside
	watch   *watch   // of the ctx, nil if that ends with the node
	place   int32    // in the watch

	Attempt uint16 // how often it was sent, and lost before the last time
	Plain   bool   // the result is wanted as JSON
	Told    bool   // what happens to it is an event
}

// awaited is the arguments of a call some of which are, or were, objects, or hold refs, or which has a span.
type awaited struct {
	mu      sync.Mutex
	args    Args
	missing int // arguments that have no value yet, plus one while they are looked through
	came    [maxArgs]bool
	home    member.ID // where the largest argument that stays an object is; zero: there is none
	size    int64     // of that, in bytes
	err     error
	ended   bool
	release []func() // what to undo when the call ends: pins and watches
}

// New makes a call on a node.
func New(node *member.Node, t *Target, args Args) *Call {
	c := &Call{}
	c.Init(objstore.StoreOf(node), t, args)
	return c
}

// Init is New in place.
func (c *Call) Init(store *objstore.Store, t *Target, args Args) {
	c.init(store.Promise(), t, args, 1)
}

func (c *Call) init(o *objstore.Object, t *Target, args Args, attempt uint16) {
	c.Target, c.Object, c.Attempt = t, o, attempt
	if args.span != nil { // what ends with the call is behind a pointer, as arguments are that are awaited
		args.span.named(o.ID())
		c.awaited = &awaited{args: args}
		return
	}
	for i := range args.n {
		if a := &args.list[i]; a.wire == "" || a.large.Refs != nil { // what refs inside it name is kept until the call ends
			c.awaited = &awaited{args: args}
			return
		}
	}
	c.wire = args.list[0].wire
	if args.trace != "" {
		c.wire = string(WireArgs{}.AppendTrace(args.trace)) + c.wire
	}
	for _, a := range args.list[1:max(args.n, 1)] {
		c.wire += a.wire
	}
}

// Ready says whether all arguments have values; if not, WhenReady tells when they have.
func (c *Call) Ready() bool { return c.awaited == nil }

// WhenReady calls f once every argument has a value, with the first error if one failed. f must not block.
func (c *Call) WhenReady(f func(error)) {
	w := c.awaited
	if w == nil {
		f(nil)
		return
	}
	store := c.Object.Store()
	w.mu.Lock()
	w.missing = 1
	for i := range w.args.n {
		a := &w.args.list[i]
		if a.large.Format != 0 {
			a.object = store.Keep(a.large)
		}
		if a.object != nil || a.wire == "" {
			w.missing++
		}
	}
	args := w.args
	w.mu.Unlock()
	for i := range args.n {
		if o := args.list[i].object; args.list[i].wire == "" {
			w.hold(store.When(o, func(out objstore.Outcome) { c.arrived(i, o, out, f) }).Forget)
		}
	}
	w.mu.Lock()
	w.missing--
	ready := w.missing == 0 && w.err == nil
	w.mu.Unlock()
	if ready {
		c.seal(f)
	}
}

// hold adds something to undo, at once if the call has ended.
func (w *awaited) hold(undo func()) {
	w.mu.Lock()
	if !w.ended {
		w.release = append(w.release, undo)
		w.mu.Unlock()
		return
	}
	w.mu.Unlock()
	undo()
}

// arrived notes the outcome of argument i, object o.
func (c *Call) arrived(i int, o *objstore.Object, out objstore.Outcome, f func(error)) {
	w := c.awaited
	large := out.Err == nil && !inline(out)
	if large {
		w.hold(c.Object.Store().Pin(o))
	}
	w.mu.Lock()
	w.missing--
	w.came[i] = true
	if large {
		w.weigh(o.ID(), out)
	}
	first := out.Err != nil && w.err == nil
	if first {
		w.err = out.Err
	}
	if !large && out.Err == nil {
		w.args.list[i] = Encoded(out.Value)
	}
	ready := w.missing == 0 && w.err == nil
	w.mu.Unlock()
	switch {
	case first:
		f(out.Err)
	case ready:
		c.seal(f)
	}
}

// inline says whether an argument's value travels inside the request.
func inline(out objstore.Outcome) bool {
	return out.Value.Format != 0 && len(out.Value.Data) <= objstore.InlineLimit
}

// seal puts the arguments, all of which have values, into the form in which they travel.
func (c *Call) seal(f func(error)) {
	w := c.awaited
	w.mu.Lock()
	c.wire = w.wire()
	w.mu.Unlock()
	f(nil)
}

// wire is the arguments as they travel; mu is locked.
func (w *awaited) wire() string {
	wire := WireArgs{}.AppendTrace(w.args.trace)
	for _, a := range w.args.list[:w.args.n] {
		if a.wire != "" {
			wire = append(wire, a.wire...)
		} else {
			wire = wire.AppendArg(WireArg{Object: a.object.ID()})
		}
	}
	return string(wire)
}

// Wire returns the arguments as they travel; they must be ready.
func (c *Call) Wire() WireArgs { return WireArgs(c.wire) }

// Size is about how many bytes the call takes on the wire.
func (c *Call) Size() int { return len(c.wire) + entryOverhead }

// Number is the owner's number of the result.
func (c *Call) Number() uint64 { return c.Object.ID().Number() }

// Finish gives the result its outcome, which nobody changes any more. Only the first one counts.
func (c *Call) Finish(out *objstore.Outcome) {
	c.unwatch()
	if w := c.awaited; w != nil {
		w.mu.Lock()
		release, span := w.release, w.args.span
		w.ended, w.release, w.args = true, nil, Args{}
		w.mu.Unlock()
		if span != nil {
			span.end(out.Err)
		}
		for _, f := range slices.Backward(release) {
			f()
		}
	}
	c.Object.Store().Settle(c.Object, out)
}

// Cancelled is the outcome of the call when it is cancelled.
func (c *Call) Cancelled() error { return fmt.Errorf("%s: %w", c.Target.Name, ErrCancelled) }

// Fail finishes the call with an error.
func (c *Call) Fail(err error) { c.Finish(&objstore.Outcome{Err: err}) }
