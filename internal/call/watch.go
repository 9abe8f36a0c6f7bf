package call

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"manta/bus"
)

// Bound is a call whose ctx may end before it does.
type Bound interface {
	// Ended is called with the outcome when the ctx has ended. The call may have its outcome already.
	Ended(err error)
	Watched() *Call
}

// Watched implements Bound for what embeds a Call.
func (c *Call) Watched() *Call { return c }

// Watches watches the ctxs of calls: once for each ctx.Done(), however many calls share it.
type Watches struct {
	closing <-chan struct{} // the node's: whoever holds calls fails them then

	mu   sync.Mutex
	live map[<-chan struct{}]*watch
}

// NewWatches returns watches for the calls of a node that closes when closing is closed.
func NewWatches(closing <-chan struct{}) *Watches {
	return &Watches{closing: closing, live: make(map[<-chan struct{}]*watch)}
}

// watch is one ctx and the calls that end with it.
type watch struct {
	watches  *Watches
	ctx      context.Context // the subject of the watch
	deadline time.Time
	timeout  time.Time // of a call that has one of its own
	stop     func() bool
	release  context.CancelFunc // of a timeout's own ctx, else nil
	calls    []Bound
}

// Bind ties a call to ctx and its own timeout: when either ends first, Ended is called. The ctx of a call that has returned does
// not end the calls that it made.
func (ws *Watches) Bind(ctx context.Context, b Bound) {
	c := b.Watched()
	if t := c.Target.Options.Timeout; t > 0 {
		at := time.Now().Add(t)
		timed, release := context.WithDeadline(ctx, at)
		ws.add(timed, release, at, b)
		return
	}
	if done := ctx.Done(); done != nil && done != ws.closing {
		ws.add(ctx, nil, time.Time{}, b)
	}
}

// Live is how many ctxs are watched.
func (ws *Watches) Live() int {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return len(ws.live)
}

func (ws *Watches) add(ctx context.Context, release context.CancelFunc, timeout time.Time, b Bound) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	w := ws.live[ctx.Done()]
	if w == nil {
		w = &watch{watches: ws, timeout: timeout}
		w.deadline, _ = ctx.Deadline()
		w.follow(ctx, release)
	}
	c := b.Watched()
	c.watch, c.place = w, int32(len(w.calls))
	w.calls = append(w.calls, b)
}

// follow begins to watch a ctx; watches is locked.
func (w *watch) follow(ctx context.Context, release context.CancelFunc) {
	w.ctx, w.release = ctx, release
	w.watches.live[ctx.Done()] = w
	w.stop = context.AfterFunc(ctx, w.ended)
}

// unwatch ends the watch over a call, if there is one.
func (c *Call) unwatch() {
	w := c.watch
	if w == nil {
		return
	}
	ws := w.watches
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if last := len(w.calls) - 1; c.place >= 0 && last >= 0 {
		moved := w.calls[last]
		w.calls[c.place] = moved
		moved.Watched().place = c.place
		w.calls[last] = nil
		w.calls = w.calls[:last]
		c.place = -1
		if last == 0 {
			w.drop()
		}
	}
}

// drop forgets the watch; watches is locked.
func (w *watch) drop() {
	w.stop()
	if w.release != nil {
		w.release()
	}
	if w.watches.live[w.ctx.Done()] == w {
		delete(w.watches.live, w.ctx.Done())
	}
}

// ended tells the calls that their ctx has ended.
func (w *watch) ended() {
	w.watches.mu.Lock()
	cause, err := context.Cause(w.ctx), w.ctx.Err()
	w.drop()
	if errors.Is(cause, ErrReturned) && w.release != nil && len(w.calls) > 0 { // the call's own timeout still holds
		w.follow(context.WithDeadline(context.WithoutCancel(w.ctx), w.timeout))
		w.watches.mu.Unlock()
		return
	}
	calls := w.calls
	for _, b := range calls {
		b.Watched().place = -1
	}
	w.calls = nil
	w.watches.mu.Unlock()
	for _, b := range calls {
		switch name := b.Watched().Target.Name; {
		case errors.Is(cause, ErrReturned):
		case errors.Is(cause, bus.ErrClosed):
			b.Ended(bus.ErrClosed)
		case errors.Is(err, context.DeadlineExceeded): // whatever cause the deadline was given
			b.Ended(fmt.Errorf("%s: %w", name, ErrDeadline))
		default:
			b.Ended(b.Watched().Cancelled())
		}
	}
}

// Ending is the error of what ends because its ctx has.
func Ending(ctx context.Context) error {
	cause := context.Cause(ctx)
	switch {
	case errors.Is(cause, bus.ErrClosed), errors.Is(cause, ErrReturned):
		return cause
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return ErrDeadline
	}
	return ErrCancelled
}
