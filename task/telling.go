package task

import (
	"context"
	"time"

	"manta/internal/call"
	"manta/internal/event"
	"manta/objstore"
)

// What owners and hosts tell of tasks; internal/call has what holds for actors' calls too.

// tell tells that a durable task is submitted, if it is to be told.
func (d *durables) tell(ctx context.Context, id objstore.ID, function string) {
	if !d.node.Events.Take() {
		return
	}
	now := event.Now()
	d.node.Events.Task(event.Task{
		ID: id.String(), Attempt: 1, Func: function, Owner: d.node.ID.String(), Parent: call.ParentIn(ctx), State: event.Queued, Durable: true,
		Submitted: now, Ready: now,
	})
}

// tellSent tells that tasks are on their way to a peer, nil for the door.
func (o *owner) tellSent(tasks []*submission, p *peer) {
	node := ""
	for _, s := range tasks {
		if !s.Tells(o.node.Events) {
			continue
		}
		if p != nil && node == "" {
			node = p.where()
		}
		s.TellSent(o.node.Events, o.text, node)
	}
}

// where names a peer to machines.
func (p *peer) where() string {
	if p.worker != nil {
		return p.worker.name
	}
	return p.id.String()
}

func (o *owner) tellQueued(s *submission) { s.TellQueued(o.node.Events, o.text) }

func (o *owner) tellOver(s *submission, state event.State, err error) {
	s.TellOver(o.node.Events, o.text, state, err)
}

// tell tells what the node that runs a task knows of it.
func (h *host) tell(j *job, more func(*event.Task)) {
	t := event.Task{ID: j.id().String(), Attempt: int(j.entry.Attempt), Func: j.guest.function, Node: h.text, State: event.Running}
	more(&t)
	h.node.Events.Task(t)
}

// at returns a moment of the host's as events have it.
func (h *host) at(m moment) event.Time { return event.At(h.origin.Add(m)) }

// tellStarted tells that a task has its slot.
func (h *host) tellStarted(j *job, begun moment) {
	h.tell(j, func(t *event.Task) {
		t.Started = h.at(begun)
		if t.Arrived = t.Started; j.since != 0 {
			t.Arrived = h.at(j.since)
		}
	})
}

// tellReturned tells that a task's function has returned.
func (h *host) tellReturned(j *job, fetched time.Time, ended moment) {
	h.tell(j, func(t *event.Task) { t.Fetched, t.Returned = event.At(fetched), h.at(ended) })
}

// tellStored tells that a task's large result is stored.
func (h *host) tellStored(j *job) {
	h.tell(j, func(t *event.Task) { t.Stored = event.Now() })
}
