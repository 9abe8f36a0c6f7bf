package task

import (
	"context"
	"maps"
	"sync"
	"time"

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
	j, ok := scope.Work.(*job)
	if !ok {
		return Info{}
	}
	return Info{ID: j.id(), Func: j.guest.function, Attempt: int(j.entry.Attempt), Node: j.host.node.ID.String()}
}

// job is a task at the node that runs it. It is the ctx that the task gets, and the member.Work of that ctx; most tasks are over
// before anybody asks the ctx for anything, so what it needs for that is made when it is asked for.
//
//	queued ─► running ⇄ blocked (its CPUs are lent) ─► over
type job struct {
	host  *host
	guest *guest
	entry call.Entry
	since moment // it came

	before, after *job // of the same guest

	mu     sync.Mutex
	asked  *asked // nil until somebody asks for something of the ctx
	over   bool   // under mu
	lent   bool   // under mu: its CPUs are given back
	untold bool   // under the desk's lock: it knocked, and its owner does not know that it is here
}

// asked is the part of a job that most do not need; the job's mu guards it.
type asked struct {
	scope   member.Scope
	ctx     context.Context // the rest of the job's ctx; nil until somebody asks: it is kept because it is part of one
	stop    context.CancelCauseFunc
	cause   error         // why it was stopped
	waiting int           // goroutines of the task that wait
	retaken chan struct{} // not nil while it stands in line for its CPUs; closed when it has them
}

func (j *job) id() objstore.ID {
	if keep, durable, _ := j.entry.Args.Keep(); durable {
		return keep.ID
	}
	return objstore.NewID(j.guest.owner, j.entry.Number)
}

// more returns the part that is made when it is asked for; mu is locked.
func (j *job) more() *asked {
	if j.asked == nil {
		j.asked = &asked{}
	}
	return j.asked
}

// context returns the ctx behind this one.
func (j *job) context() context.Context {
	j.mu.Lock()
	defer j.mu.Unlock()
	m := j.more()
	if m.ctx != nil {
		return m.ctx
	}
	m.ctx, m.stop = j.entry.Context(j.host.group.Context())
	switch {
	case m.cause != nil:
		m.stop(m.cause)
	case j.over:
		m.stop(call.ErrReturned)
	}
	return m.ctx
}

// Deadline implements context.Context.
func (j *job) Deadline() (time.Time, bool) { return j.entry.Until() }

// Running implements call.Runner.
func (j *job) Running() call.Running {
	r := call.Running{ID: j.id(), Attempt: int(j.entry.Attempt), Function: j.guest.function}
	if !r.ID.Durable() {
		r.Owner = j.guest.owner
	}
	return r
}

// Trace is the one that the task belongs to.
func (j *job) Trace() call.Trace { return j.entry.Trace() }

// Done implements context.Context.
func (j *job) Done() <-chan struct{} { return j.context().Done() }

// Err implements context.Context.
func (j *job) Err() error { return j.context().Err() }

// Value implements context.Context. Package context asks for the ctx behind this one here, so children and causes work.
func (j *job) Value(key any) any {
	if member.IsScopeKey(key) {
		j.mu.Lock()
		defer j.mu.Unlock()
		m := j.more()
		if m.scope.Work == nil {
			m.scope = member.Scope{Node: j.host.node, Work: j}
		}
		return &m.scope
	}
	if call.IsRunningKey(key) {
		return j
	}
	if v := j.guest.runs.labels.Value(key); v != nil {
		return v
	}
	return j.context().Value(key)
}

// cancel ends the ctx.
func (j *job) cancel(cause error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	m := j.more()
	if m.cause != nil || j.over {
		return
	}
	m.cause = cause
	if m.stop != nil {
		m.stop(cause)
	}
}

// end is called when the task has returned. It returns what of its need it still holds.
func (j *job) end() member.Amounts {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.over = true
	if m := j.asked; m != nil && m.stop != nil {
		m.stop(call.ErrReturned)
	}
	held := j.guest.need
	if j.lent {
		held = maps.Clone(held)
		for name := range j.lendable() {
			delete(held, name)
		}
	}
	return held
}

// lendable is what a task lends while it waits: its CPUs. Of the other things that it took it may have its hands full.
func (j *job) lendable() member.Amounts { return j.guest.need.CPUs() }

// Block lends the task's CPUs to others while one of its goroutines waits: it may be waiting for a task that needs them.
func (j *job) Block() {
	j.mu.Lock()
	j.more().waiting++
	lend := !j.lent && !j.over
	j.lent = true
	j.mu.Unlock()
	if cpus := j.lendable(); lend && cpus != nil {
		j.host.node.Capacity.Give(cpus)
		j.host.freed()
	}
}

// Unblock returns at once while other goroutines of the task wait, else when the task has its CPUs again, for which it
// stands first in line.
func (j *job) Unblock() {
	j.mu.Lock()
	m := j.more()
	m.waiting--
	if m.waiting > 0 || j.over {
		j.mu.Unlock()
		return
	}
	first := m.retaken == nil
	if first {
		m.retaken = make(chan struct{})
	}
	retaken := m.retaken
	j.mu.Unlock()
	if first {
		j.retake()
	}
	<-retaken
}

// retake takes the CPUs as soon as they are free. A task without any does not stand in line.
func (j *job) retake() {
	if cpus := j.lendable(); cpus != nil {
		j.host.node.Capacity.Retake(cpus, j.resume)
	} else {
		j.resume()
	}
}

// resume is called when the task has its CPUs again. Meanwhile it may have returned, leaving a goroutine in line behind,
// or another of its goroutines may wait. The host may be locked.
func (j *job) resume() {
	j.mu.Lock()
	m := j.more()
	close(m.retaken)
	m.retaken = nil
	j.lent = m.waiting > 0
	surplus := j.lent || j.over
	j.mu.Unlock()
	if cpus := j.lendable(); surplus && cpus != nil {
		j.host.node.Capacity.Give(cpus)
		j.host.rouse()
	}
}
