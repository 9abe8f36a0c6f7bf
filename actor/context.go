package actor

import (
	"context"
	"time"

	"manta/internal/call"
	"manta/internal/member"
)

// A visit is the ctx that the method gets. Most methods return before anybody asks it for anything, so the ctx behind it is made when it is
// asked for.

// lifetime is the part of a visit that most do not need; the visit's mu guards it.
type lifetime struct {
	ctx   context.Context // the rest of the visit's ctx; nil until somebody asks: it is kept because it is part of one
	stop  context.CancelCauseFunc
	cause error // why it was stopped
}

// more returns the part that is made when it is asked for; mu is locked.
func (v *visit) more() *lifetime {
	if v.lifetime == nil {
		v.lifetime = &lifetime{}
	}
	return v.lifetime
}

// context returns the ctx behind this one.
func (v *visit) context() context.Context {
	v.mu.Lock()
	defer v.mu.Unlock()
	m := v.more()
	if m.ctx != nil {
		return m.ctx
	}
	m.ctx, m.stop = v.entry.Context(v.cell.group.Context())
	switch {
	case m.cause != nil:
		m.stop(m.cause)
	case v.over:
		m.stop(call.ErrReturned)
	}
	return m.ctx
}

// cancel ends the ctx.
func (v *visit) cancel(cause error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.over || v.lifetime != nil && v.lifetime.cause != nil {
		return
	}
	m := v.more()
	m.cause = cause
	if m.stop != nil {
		m.stop(cause)
	}
}

// returned ends the ctx of a call that is over: the calls that it made go on.
func (v *visit) returned() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.over = true
	if m := v.lifetime; m != nil && m.stop != nil {
		m.stop(call.ErrReturned)
	}
}

// Deadline implements context.Context.
func (v *visit) Deadline() (time.Time, bool) { return v.entry.Until() }

// Running implements call.Runner.
func (v *visit) Running() call.Running {
	r := v.cell.Running()
	r.ID, r.Owner, r.Attempt, r.Method = v.id(), v.visitor.owner, int(v.entry.Attempt), v.method.word
	return r
}

// Running implements call.Runner for what the actor does of its own.
func (c *cell) Running() call.Running { return call.Running{Class: c.class.name, Actor: c.id} }

// Trace is the one that the call belongs to.
func (v *visit) Trace() call.Trace { return v.entry.Trace() }

// Done implements context.Context.
func (v *visit) Done() <-chan struct{} { return v.context().Done() }

// Err implements context.Context.
func (v *visit) Err() error { return v.context().Err() }

// Value implements context.Context. Package context asks for the ctx behind this one here, so children and causes work.
func (v *visit) Value(key any) any {
	if member.IsScopeKey(key) {
		return v.cell.host.scope // calls take no slot, so it carries no work
	}
	switch key {
	case any(selfKey{}):
		return v.cell
	case any(epochKey{}):
		return v.cell.epoch
	}
	if found := v.method.labels.Value(key); found != nil {
		return found
	}
	if call.IsRunningKey(key) {
		return v
	}
	return v.context().Value(key)
}
