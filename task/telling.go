package task

import (
	"context"
	"errors"
	"time"

	"manta/internal/call"
	"manta/internal/event"
	"manta/objstore"
)

// What owners and hosts tell of tasks. Of a task either everything is told or nothing, which its owner decides and its frames carry: so a task
// of which nothing is told costs a comparison a step. Failures are told of in any case, as far as there is room.

// tellOf decides whether what happens to a task that is submitted is told, and begins with that. The owner need not be locked: nobody else has it.
func (o *owner) tellOf(ctx context.Context, s *submission) {
	if s.Told = o.node.Events.Take(); !s.Told {
		return
	}
	t := o.fact(s, event.Waiting)
	t.Submitted = event.Now()
	if s.Ready() {
		t.State, t.Ready = event.Queued, t.Submitted
	}
	if parent, ok := call.WorkOf(ctx); ok {
		t.Parent = parent.String()
	}
	o.node.Events.Task(t)
}

// tell tells that a durable task is submitted, if it is to be told.
func (d *durables) tell(ctx context.Context, id objstore.ID, function string) {
	if !d.node.Events.Take() {
		return
	}
	now := event.Now()
	t := event.Task{
		ID: id.String(), Attempt: 1, Func: function, Owner: d.node.ID.String(), State: event.Queued, Durable: true, Submitted: now, Ready: now,
	}
	if parent, ok := call.WorkOf(ctx); ok {
		t.Parent = parent.String()
	}
	d.node.Events.Task(t)
}

// fact is what is known of a task's attempt anyway.
func (o *owner) fact(s *submission, state event.State) event.Task {
	id, durable := s.Object.ID(), false
	if s.Ready() || s.lane != nil {
		keep, kept, _ := s.Wire().Keep()
		if durable = kept; kept {
			id = keep.ID
		}
	}
	return event.Task{ID: id.String(), Attempt: int(s.Attempt), Func: s.Target.Name, Owner: o.text, State: state, Durable: durable}
}

// tellQueued tells that a task has its arguments.
func (o *owner) tellQueued(s *submission) {
	if s.Told && (s.Attempt > 1 || !s.Ready()) {
		t := o.fact(s, event.Queued)
		t.Ready = event.Now()
		o.node.Events.Task(t)
	}
}

// tellSent tells that tasks are on their way to a peer, nil for the door. Of those that were left out when they were submitted, with many others,
// is told from here on if there is room.
func (o *owner) tellSent(tasks []*submission, p *peer) {
	for _, s := range tasks {
		if !s.Told {
			if s.Told = o.node.Events.Retake(); !s.Told {
				continue
			}
		}
		t := o.fact(s, event.Sent)
		if t.Sent = event.Now(); p != nil {
			t.Node = p.where()
		}
		o.node.Events.Task(t)
	}
}

// where names a peer to machines.
func (p *peer) where() string {
	if p.worker != nil {
		return p.worker.name
	}
	return p.id.String()
}

// tellOver tells that an attempt is over, with an error or without; then is the next one, or the attempt's outcome was the task's.
func (o *owner) tellOver(s *submission, state event.State, err error) {
	if !s.Told && (err == nil || !o.node.Events.TakeFailure()) {
		return
	}
	t := o.fact(s, state)
	t.Ended, t.Error = event.Now(), event.FailureOf(err)
	o.node.Events.Task(t)
}

// outcomeOf is the state in which an outcome leaves a task.
func outcomeOf(out *objstore.Outcome) event.State {
	switch {
	case out.Err == nil:
		return event.Finished
	case errors.Is(out.Err, call.ErrCancelled):
		return event.Cancelled
	}
	return event.Failed
}

// tell tells what the node that runs a task knows of it.
func (h *host) tell(j *job, state event.State, more func(*event.Task)) {
	t := event.Task{
		ID: j.id().String(), Attempt: int(j.entry.Attempt), Func: j.guest.function, Node: h.text, State: state,
	}
	more(&t)
	h.node.Events.Task(t)
}

// at returns a moment of the host's as events have it.
func (h *host) at(m moment) event.Time { return event.At(h.origin.Add(m)) }

// tellStarted tells that a task has its slot.
func (h *host) tellStarted(j *job, begun moment) {
	h.tell(j, event.Running, func(t *event.Task) {
		t.Started = h.at(begun)
		if t.Arrived = t.Started; j.since != 0 {
			t.Arrived = h.at(j.since)
		}
	})
}

// tellReturned tells that a task's function has returned.
func (h *host) tellReturned(j *job, fetched time.Time, ended moment) {
	h.tell(j, event.Running, func(t *event.Task) { t.Fetched, t.Returned = event.At(fetched), h.at(ended) })
}

// tellStored tells that a task's large result is stored.
func (h *host) tellStored(j *job) {
	h.tell(j, event.Running, func(t *event.Task) { t.Stored = event.Now() })
}
