package call

import (
	"context"
	"errors"

	"manta/internal/event"
	"manta/objstore"
)

// What the owner of a call tells of it. Of a call either everything is told or nothing, which its owner decides and its frames carry: so one of
// which nothing is told costs a comparison a step. Failures are told of in any case, as far as there is room.

// Fact is what the owner of a call knows of its attempt anyway; owner is that node's id.
func (c *Call) Fact(owner string, state event.State) event.Task {
	id, durable := c.Object.ID(), false
	if keep, kept, _ := c.Wire().Keep(); kept {
		id, durable = keep.ID, true
	}
	return event.Task{
		ID: id.String(), Attempt: int(c.Attempt), Func: c.Target.Name, Actor: c.Target.Actor, Owner: owner, State: state, Durable: durable,
	}
}

// TellOf decides whether what happens to a call that is made in ctx is told, and begins with that. Nobody else may have the call yet.
func (c *Call) TellOf(ctx context.Context, events *event.Recorder, owner string) {
	if c.Told = events.Take(); !c.Told {
		return
	}
	t := c.Fact(owner, event.Waiting)
	t.Submitted, t.Parent = event.Now(), ParentIn(ctx)
	if c.Ready() {
		t.State, t.Ready = event.Queued, t.Submitted
	}
	events.Task(t)
}

// ParentIn is the id of the call that runs in ctx, "" if none does.
func ParentIn(ctx context.Context) string {
	r, ok := RunningIn(ctx)
	if !ok || r.ID == (objstore.ID{}) {
		return ""
	}
	return r.ID.String()
}

// TellQueued tells that an attempt has its arguments, unless that was told with its beginning.
func (c *Call) TellQueued(events *event.Recorder, owner string) {
	if c.Told && (c.Attempt > 1 || !c.Ready()) {
		t := c.Fact(owner, event.Queued)
		t.Ready = event.Now()
		events.Task(t)
	}
}

// Tells says whether what happens to a call is told, now that it is to be sent: one that was left out when it was made, with many others, may be
// told of from here on.
func (c *Call) Tells(events *event.Recorder) bool {
	c.Told = c.Told || events.Retake()
	return c.Told
}

// TellSent tells of a call that Tells says so of that it is on its way to a node, "" if it is not known to which.
func (c *Call) TellSent(events *event.Recorder, owner, node string) {
	t := c.Fact(owner, event.Sent)
	t.Sent, t.Node = event.Now(), node
	events.Task(t)
}

// TellOver tells that an attempt is over, with an error or without.
func (c *Call) TellOver(events *event.Recorder, owner string, state event.State, err error) {
	if !c.Told && (err == nil || !events.TakeFailure()) {
		return
	}
	t := c.Fact(owner, state)
	t.Ended, t.Error = event.Now(), event.FailureOf(err)
	events.Task(t)
}

// StateOf is the state in which an outcome leaves a call.
func StateOf(out *objstore.Outcome) event.State {
	switch {
	case out.Err == nil:
		return event.Finished
	case errors.Is(out.Err, ErrCancelled):
		return event.Cancelled
	}
	return event.Failed
}
