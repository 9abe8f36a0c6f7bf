package task

import (
	"fmt"

	"manta/internal/event"
)

// Present returns what is known of tasks that have no outcome yet: those that this node has submitted, with the reason why they have not begun, and
// those that are here; at most so many of each. more is how many there are beside them.
func (e *Engine) Present(most int) (tasks []*event.Task, more int) {
	if e.owner == nil {
		return nil, 0
	}
	tasks, more = e.owner.present(most)
	if e.host != nil {
		here, beside := e.host.present(most)
		tasks, more = append(tasks, here...), more+beside
	}
	return tasks, more
}

// Pending is how many tasks that this node submitted have no outcome, and how many run here.
func (e *Engine) Pending() (submitted, running int) {
	if e.owner == nil {
		return 0, 0
	}
	submitted = e.owner.underway.Left()
	if e.host != nil {
		e.host.mu.Lock()
		defer e.host.mu.Unlock()
		for _, g := range e.host.desk.guests {
			running += g.running
		}
	}
	return submitted, running
}

// gathering gathers facts, so many at most.
type gathering struct {
	tasks []*event.Task
	most  int
	more  int
}

func (g *gathering) full() bool {
	full := len(g.tasks) >= g.most
	if full {
		g.more++
	}
	return full
}

func (o *owner) present(most int) ([]*event.Task, int) {
	g := &gathering{most: most}
	o.mu.Lock()
	defer o.unlock()
	for s := range o.waiting {
		o.add(g, s, event.Waiting, func() string { return awaits(s) })
	}
	for s := range o.pauses.of {
		o.add(g, s, event.Queued, func() string { return "it failed, and pauses before it is tried again" })
	}
	for _, l := range o.numbered {
		if l != nil {
			o.presentIn(g, l)
		}
	}
	return g.tasks, g.more
}

// presentIn gathers the tasks of a lane.
func (o *owner) presentIn(g *gathering, l *lane) {
	if l.door != nil {
		s, words := o.reasonIn(l, l.door.task.Number())
		o.add(g, s, event.Sent, func() string { return words })
	}
	for _, p := range l.order {
		for _, s := range p.flight {
			o.add(g, s, event.Sent, nil)
		}
	}
	ahead, why := 0, ""
	for s := range l.backlog.all() {
		o.add(g, s, event.Queued, func() string {
			if ahead == 0 {
				_, why = o.reasonIn(l, s.Number())
				return why
			}
			return fmt.Sprintf("behind %d of %q; of the first: %s", ahead, l.function, why)
		})
		ahead++
	}
}

// add gathers a task that has no outcome.
func (o *owner) add(g *gathering, s *submission, state event.State, why func() string) {
	if s == nil || s.ended || g.full() {
		return
	}
	t := s.Fact(o.text, state)
	if why != nil {
		t.Reason = o.attempt(s) + why()
	}
	if s.at != nil {
		t.Node = s.at.where()
	}
	g.tasks = append(g.tasks, &t)
}

func (h *host) present(most int) ([]*event.Task, int) {
	g := &gathering{most: most}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, guest := range h.desk.guests {
		queued := make(map[*job]bool, guest.queue.len())
		for _, j := range guest.queue.jobs[guest.queue.head:] {
			queued[j] = true
		}
		for j := guest.jobs.first; j != nil; j = j.after {
			if g.full() {
				continue
			}
			t := event.Task{
				ID: j.id().String(), Attempt: int(j.entry.Attempt), Func: guest.function, Node: h.node.ID.String(), State: event.Running,
			}
			if queued[j] {
				t.State, t.Reason = event.Sent, "it is at its node, and waits for a slot there"
			}
			if j.since != 0 {
				t.Arrived = h.at(j.since)
			}
			g.tasks = append(g.tasks, &t)
		}
	}
	return g.tasks, g.more
}
