package task

import (
	"context"
	"maps"
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
//	running ⇄ blocked (its CPUs are lent) ─► released
type running struct {
	host     *host
	request  call.Request
	function string

	mu       sync.Mutex
	stop     context.CancelCauseFunc
	stopped  error         // the cause, if it was cancelled before it had a ctx
	waiting  int           // goroutines of it that wait
	lent     bool          // its CPUs are given back
	retaken  chan struct{} // not nil while it stands in line for its CPUs; closed when it has them
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

func (r *running) lane() hostLane { return hostLane{r.request.Owner, r.function} }

// lendable is what a task lends while it waits: its CPUs. Of the other things that it took it may have its hands full.
func (r *running) lendable() member.Amounts {
	if n := r.request.Need[member.CPU]; n > 0 {
		return member.Amounts{member.CPU: n}
	}
	return nil
}

// Block lends the task's CPUs to others while one of its goroutines waits: it may be waiting for a task that needs them.
func (r *running) Block() {
	r.mu.Lock()
	r.waiting++
	lend := !r.lent && !r.released
	r.lent = true
	r.mu.Unlock()
	if lend {
		r.lend()
	}
}

// Unblock returns at once while other goroutines of the task wait, else when the task has its CPUs again, for which it
// stands first in line.
func (r *running) Unblock() {
	r.mu.Lock()
	r.waiting--
	if r.waiting > 0 || r.released {
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
		r.retake()
	}
	<-retaken
}

// retake takes the CPUs as soon as they are free. A task without any does not stand in line.
func (r *running) retake() {
	if cpus := r.lendable(); cpus != nil {
		r.host.node.Capacity.Retake(cpus, r.resume)
	} else {
		r.resume()
	}
}

// resume is called when the task has its CPUs again. Meanwhile it may have returned, leaving a goroutine in line behind,
// or another of its goroutines may wait.
func (r *running) resume() {
	r.mu.Lock()
	close(r.retaken)
	r.retaken = nil
	r.lent = r.waiting > 0
	surplus := r.lent || r.released
	r.mu.Unlock()
	if surplus {
		r.lend()
	}
}

func (r *running) lend() {
	if cpus := r.lendable(); cpus != nil {
		r.host.node.Capacity.Give(cpus)
		r.host.owner.offered(r.host.node.ID) // no reply tells of this room, and what waits for it is mostly its own
		r.host.offer(r.lane())
	}
}

// release gives back for good what the task has.
func (r *running) release() {
	r.mu.Lock()
	held := r.request.Need
	if r.lent {
		held = maps.Clone(held)
		delete(held, member.CPU)
	}
	r.released = true
	r.mu.Unlock()
	r.host.node.Capacity.Give(held)
}
