package task

import (
	"context"
	"sync"

	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// Info is what a running task can know of itself.
type Info struct {
	ID      objstore.ID // of its result
	Func    string
	Attempt int    // 1 the first time
	Node    string // id of the node that runs it
}

// Current returns the task that ctx belongs to; the zero Info if it belongs to none.
func Current(ctx context.Context) Info {
	scope, err := member.FromContext(ctx)
	if err != nil {
		return Info{}
	}
	r, ok := scope.Work.(*running)
	if !ok {
		return Info{}
	}
	return Info{
		ID: objstore.NewID(r.request.Owner, r.request.Number), Func: r.function, Attempt: r.request.Attempt,
		Node: r.host.node.ID.String(),
	}
}

// running is a task that runs here. It is the member.Work of its ctx.
//
//	running ⇄ blocked (its need is lent) ─► released
type running struct {
	host     *host
	request  call.Request
	function string

	mu       sync.Mutex
	stop     context.CancelCauseFunc
	stopped  error         // the cause, if it was cancelled before it had a ctx
	lent     bool          // its need is given back
	retaken  chan struct{} // not nil while it stands in line for its need; closed when it has it
	released bool
}

// context makes the task's own ctx.
func (r *running) context(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx = member.NewContext(ctx, &member.Scope{Node: r.host.node, Work: r})
	ctx, stop := context.WithCancelCause(ctx)
	r.mu.Lock()
	r.stop = stop
	stopped := r.stopped
	r.mu.Unlock()
	if stopped != nil {
		stop(stopped)
	}
	if r.request.Deadline.IsZero() {
		return ctx, stop
	}
	ctx, release := context.WithDeadline(ctx, r.request.Deadline)
	return ctx, func(cause error) {
		stop(cause)
		release()
	}
}

func (r *running) cancel(cause error) {
	r.mu.Lock()
	stop := r.stop
	r.stopped = cause
	r.mu.Unlock()
	if stop != nil {
		stop(cause)
	}
}

// Block lends the task's need to others. Of a task's several goroutines, the first one that waits lends it.
func (r *running) Block() {
	r.mu.Lock()
	lend := !r.lent && !r.released
	r.lent = true
	r.mu.Unlock()
	if lend {
		r.host.node.Capacity.Give(r.request.Need)
	}
}

// Unblock returns when the task has its need again, for which it stands first in line.
func (r *running) Unblock() {
	r.mu.Lock()
	if !r.lent || r.released {
		r.mu.Unlock()
		return
	}
	first := r.retaken == nil
	if first {
		r.retaken = make(chan struct{})
	}
	retaken := r.retaken
	r.mu.Unlock()
	if first {
		r.host.node.Capacity.Retake(r.request.Need, r.resume)
	}
	<-retaken
}

func (r *running) resume() {
	r.mu.Lock()
	close(r.retaken)
	r.lent, r.retaken = false, nil
	late := r.released
	r.mu.Unlock()
	if late { // it returned while a goroutine that it left behind stood in line
		r.host.node.Capacity.Give(r.request.Need)
	}
}

// release gives the need back for good.
func (r *running) release() {
	r.mu.Lock()
	held := !r.lent && !r.released
	r.released = true
	r.mu.Unlock()
	if held {
		r.host.node.Capacity.Give(r.request.Need)
	}
}
