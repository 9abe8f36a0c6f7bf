package actor

import (
	"time"

	"manta/internal/event"
	"manta/objstore"
)

// What a host tells of the actors that live there, and of how they end. That one is let go while it is idle is no event: it happens too often.

// report tells what has become of an actor.
func (c *cell) report(state event.State, cause error) {
	f := c.fact(state)
	if state == event.Alive {
		c.mu.Lock()
		c.began = event.Now()
		f.Began = c.began
		c.mu.Unlock()
	} else {
		f.Ended, f.Cause = event.Now(), event.FailureOf(cause)
	}
	c.host.node.Events.Actor(f)
}

// fact is what is always known of an actor.
func (c *cell) fact(state event.State) event.Actor {
	return event.Actor{
		ID: c.id, Epoch: c.epoch, Class: c.class.name, State: state, Owner: c.creation.Owner.String(), Node: c.host.node.ID.String(), Detached: c.detached,
	}
}

// tell tells what the node where a call runs knows of it.
func (v *visit) tell(more func(*event.Task)) {
	c := v.cell
	t := event.Task{
		ID: objstore.NewID(v.visitor.owner, v.entry.Number).String(), Attempt: int(v.entry.Attempt), Func: v.method.name, Actor: c.id,
		Node: c.host.node.ID.String(), State: event.Running,
	}
	more(&t)
	c.host.node.Events.Task(t)
}

// tellStarted tells that a call's method is called.
func (v *visit) tellStarted() { v.tell(func(t *event.Task) { t.Started = event.Now() }) }

// tellReturned tells that it has returned.
func (v *visit) tellReturned(fetched time.Time) {
	v.tell(func(t *event.Task) { t.Fetched, t.Returned = event.At(fetched), event.Now() })
}

// Present returns what is known of the actors that live on the node, at most so many; more is how many there are beside them.
func (e *Engine) Present(most int) (actors []*event.Actor, more int) {
	if e == nil || e.host == nil {
		return nil, 0
	}
	for _, c := range e.host.residents() {
		if f, there := c.present(); there {
			if len(actors) >= most {
				more++
				continue
			}
			actors = append(actors, &f)
		}
	}
	return actors, more
}

// Living is how many actors live on the node.
func (e *Engine) Living() int {
	if e == nil || e.host == nil {
		return 0
	}
	return e.host.living.Left()
}

// present says what an actor does at this moment, and false if it has ended.
func (c *cell) present() (event.Actor, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	state := event.Alive
	switch {
	case c.phase == ended:
		return event.Actor{}, false
	case c.phase == starting:
		state = event.Pending
	case c.asleep:
		state = event.Asleep
	}
	f := c.fact(state)
	f.Began = c.began
	for i := range c.lines {
		f.Running += c.lines[i].running
		for _, v := range c.lines[i].queue.all() {
			if !v.answered && v.chore == nil {
				f.Waiting++
			}
		}
	}
	return f, true
}
