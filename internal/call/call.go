package call

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"manta/bus"
	"manta/internal/member"
	"manta/objstore"
)

var (
	// ErrCancelled is the outcome of a call whose ctx was cancelled. errors.Is finds context.Canceled too.
	ErrCancelled = bus.RegisterError("cancelled", fmt.Errorf("call was cancelled: %w", context.Canceled))

	// ErrDeadline is the outcome of a call whose ctx or timeout ended. errors.Is finds context.DeadlineExceeded too.
	ErrDeadline = bus.RegisterError("deadline", fmt.Errorf("call took too long: %w", context.DeadlineExceeded))

	// ErrReturned is the cause with which a call's own ctx ends when it returns. The calls that it made go on.
	ErrReturned = errors.New("the call has returned")
)

// Call is one invocation at its owner.
//
//	arguments pending ─► ready ─► sent (again after a loss) ─► finished
//	       └────────────────┴────────── cancel, failure ──────────┘
type Call struct {
	Target  *Target
	Object  *objstore.Object // of the result
	Attempt int              // how often it was sent
	Plain   bool             // the result is wanted as JSON

	store    *objstore.Store
	owner    member.ID
	closing  <-chan struct{} // the node's
	deadline time.Time

	mu       sync.Mutex
	release  []func() // what to undo when the call ends: pins, watches, timers
	args     []Arg
	missing  int // arguments that have no value yet, plus one while they are looked through
	err      error
	finished bool
}

// New makes a call on a node.
func New(node *member.Node, t *Target, args []Arg) *Call {
	store := objstore.StoreOf(node)
	return &Call{
		Target: t, Object: store.Promise(), args: args, store: store, owner: node.ID, closing: node.Closing,
	}
}

// Bind ties the call to ctx and its own timeout: when either ends before the call does, cancel is called with the outcome.
// The ctx of a call that has returned does not end the calls that it made.
func (c *Call) Bind(ctx context.Context, cancel func(error)) {
	if c.Target.Options.Timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, c.Target.Options.Timeout)
		c.hold(stop)
	}
	c.deadline, _ = ctx.Deadline()
	if ctx.Done() == nil || ctx.Done() == c.closing {
		return // when the node closes, whoever holds the call fails it
	}
	stop := context.AfterFunc(ctx, func() {
		switch cause := context.Cause(ctx); {
		case errors.Is(cause, ErrReturned):
		case errors.Is(cause, bus.ErrClosed):
			cancel(bus.ErrClosed)
		case errors.Is(ctx.Err(), context.DeadlineExceeded): // whatever cause the deadline was given
			cancel(fmt.Errorf("%s: %w", c.Target.Name, ErrDeadline))
		default:
			cancel(fmt.Errorf("%s: %w", c.Target.Name, ErrCancelled))
		}
	})
	c.hold(func() { stop() })
}

// WhenReady calls f once every argument has a value, with the first error if one failed. f must not block.
func (c *Call) WhenReady(f func(error)) {
	c.mu.Lock()
	c.missing = 1
	for i := range c.args {
		if c.args[i].object != nil {
			c.missing++
		} else if len(c.args[i].value.Data) > objstore.InlineLimit {
			c.args[i] = Arg{object: c.store.Keep(c.args[i].value)}
			c.missing++
		}
	}
	args := c.args
	c.mu.Unlock()
	for i := range args {
		if o := args[i].object; o != nil {
			c.hold(c.store.When(o, func(out objstore.Outcome) { c.arrived(i, o, out, f) }).Forget)
		}
	}
	c.mu.Lock()
	c.missing--
	ready, err := c.missing == 0, c.err
	c.mu.Unlock()
	if ready && err == nil {
		f(nil)
	}
}

// hold adds something to undo, at once if the call has ended.
func (c *Call) hold(undo func()) {
	c.mu.Lock()
	if !c.finished {
		c.release = append(c.release, undo)
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	undo()
}

// arrived notes the outcome of argument i, object o.
func (c *Call) arrived(i int, o *objstore.Object, out objstore.Outcome, f func(error)) {
	large := out.Err == nil && !inline(out)
	if large {
		c.hold(c.store.Pin(o))
	}
	c.mu.Lock()
	c.missing--
	first := out.Err != nil && c.err == nil
	if first {
		c.err = out.Err
	}
	if !large && c.args != nil { // nil once the call has ended
		c.args[i] = Arg{value: out.Value}
	}
	ready := c.missing == 0 && c.err == nil
	c.mu.Unlock()
	if first || ready {
		f(out.Err)
	}
}

// inline says whether an argument's value travels inside the request.
func inline(out objstore.Outcome) bool {
	return out.Err == nil && out.Value.Format != 0 && len(out.Value.Data) <= objstore.InlineLimit
}

// Request returns the call's form on the wire, for its current attempt.
func (c *Call) Request() Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := Request{
		Owner: c.owner, Number: c.Object.ID().Number(), Attempt: c.Attempt, Need: c.Target.Options.Need,
		Deadline: c.deadline, Plain: c.Plain,
	}
	for _, a := range c.args {
		wire := WireArg{Value: a.value}
		if a.object != nil {
			wire.Object = a.object.ID()
		}
		q.Args = append(q.Args, wire)
	}
	return q
}

// Number is the owner's number of the result.
func (c *Call) Number() uint64 { return c.Object.ID().Number() }

// Finish gives the result its outcome. Only the first one counts.
func (c *Call) Finish(out objstore.Outcome) {
	c.mu.Lock()
	if c.finished {
		c.mu.Unlock()
		c.store.Discard(c.Object.ID(), out)
		return
	}
	c.finished = true
	release := c.release
	c.release, c.args = nil, nil
	c.mu.Unlock()
	for _, f := range slices.Backward(release) {
		f()
	}
	c.store.Settle(c.Object, &out)
}

// Fail finishes the call with an error.
func (c *Call) Fail(err error) { c.Finish(objstore.Outcome{Err: err}) }
