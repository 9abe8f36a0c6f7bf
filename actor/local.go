package actor

import (
	"errors"

	"manta/bus"
	"manta/objstore"
)

// A call to an actor on the caller's own node goes straight into the cell's queue, and its outcome straight back. Everything else is as it is
// over NATS: arguments and results go through the codec, so that nobody shares memory with the actor, and errors too.
//
// callers may be locked when a cell is, never the other way round: a cell hands outcomes out once it is unlocked.

// returned is an outcome for a caller on the cell's node.
type returned struct {
	visit   *visit
	outcome *objstore.Outcome // with errMoved: the actor has moved
	unmade  bool              // the error is that of Start
}

// homecoming is the outcomes for callers on the cell's node: most often one.
type homecoming struct {
	first returned
	more  []returned
}

func (h *homecoming) add(r returned) {
	if h.first.visit == nil {
		h.first = r
		return
	}
	h.more = append(h.more, r)
}

// find returns the cell of that id, if it lives here.
func (h *host) find(id string) *cell {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.local[id]
}

// hand puts a call into the queue of a cell on this node.
func (cs *callers) hand(out *outgoing) {
	c := out.caller
	if out.Tells(cs.node.Events) {
		out.TellSent(cs.node.Events, cs.text, cs.text)
	}
	v := &visit{entry: out.Entry(), method: out.method, local: out, cell: c.cell}
	if c.cell.class != c.class { // another type of that name
		v.method = c.cell.method([]byte(out.method.word))
	}
	out.lane().give(out)
	v.place = out.place
	err := v.cell.take(v, visitorKey{sender{cs.node.ID, c.number}, out.method.group}, c.birth)
	if errors.Is(err, errMoved) {
		cs.moved(out)
		cs.seekMoved(c)
		return
	}
	if err != nil {
		cs.refuse(out, err)
		if c.unanswered() == 0 { // it has ended, and not only begun to
			cs.doubt(c)
		}
		return
	}
	out.visit = v
}

// answerPing is pinged for a caller on this node.
func (c *cell) answerPing(birth objstore.ID) pong {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.met = c.met || c.host.node.ID == c.creation.Owner && birth == c.birth()
	return c.pong(birth)
}

// take is deliver for a call of this node.
func (c *cell) take(v *visit, from visitorKey, birth objstore.ID) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.admit(v, birth); err != nil {
		return err
	}
	v.visitor = c.visitor(from, "")
	v.visitor.take(v)
	return nil
}

// withdraw ends a call of this node: its caller gives it an outcome. It returns false if the cell has done that already.
func (v *visit) withdraw(cause error) bool {
	c := v.cell
	c.mu.Lock()
	defer c.mu.Unlock()
	if v.answered {
		return false
	}
	v.answered = true
	c.giveUp(v)
	v.visitor.let()
	c.forget(v.visitor)
	v.cancel(cause)
	return true
}

// unlock releases the cell and hands out what it has for callers of this node.
func (c *cell) unlock() {
	home := c.returned
	if home.first.visit == nil {
		c.mu.Unlock()
		return
	}
	c.returned = homecoming{}
	c.mu.Unlock()
	home.first.tell()
	for _, r := range home.more {
		r.tell()
	}
}

func (r returned) tell() { r.visit.local.caller.callers.returned(r) }

// returned ends a call of this node.
func (cs *callers) returned(r returned) {
	o, out := r.outcome, r.visit.local
	moved := errors.Is(o.Err, errMoved)
	switch {
	case moved:
	case o.Err != nil: // as it would have travelled
		wire := bus.ReadFields(o.AppendTo(nil))
		*o = objstore.ReadOutcome(&wire)
	case o.Blob != nil:
		o.Blob.From = cs.node.ID
	}
	cs.mu.Lock()
	defer cs.unlock()
	if r.visit.began {
		out.caller.starting = false
	}
	if out.ended || out.visit != r.visit { // it was settled when the actor had moved
		objstore.StoreOf(cs.node).Discard(out.Object.ID(), *o)
		return
	}
	switch {
	case !moved:
		cs.endWith(out, o)
		if c := out.caller; r.unmade && c.starting { // the host's word of that is still on its way
			c.unmade = true
			cs.bury(c, o.Err, o.Err)
		}
		return
	case r.visit.began: // what becomes of it is settled once the actor is found
		out.visit = nil
	default:
		cs.moved(out)
	}
	cs.seekMoved(out.caller)
}
