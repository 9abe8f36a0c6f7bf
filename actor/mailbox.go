package actor

import (
	"fmt"
	"strings"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
	"manta/task"
)

// What a cell does with its mail. None of this blocks.

// deliver takes a message out of the mailbox.
func (c *cell) deliver(msg *bus.Msg, word string) {
	if err := c.host.node.Conn.CheckReply(msg); err != nil {
		c.host.node.Reject(msg, err)
		return
	}
	switch word {
	case controlStop, controlKill:
		c.obey(msg, word)
	case controlPing:
		c.pinged(msg)
	case controlCancel:
		key, place, err := readCancel(msg.Data)
		if err != nil {
			c.host.node.Reject(msg, err)
			return
		}
		c.cancel(key, place)
	case wordOfMail:
		c.called(msg)
	default: // a method
		c.host.plain.call(msg, c.class, c.id, word)
	}
}

// called takes calls.
func (c *cell) called(msg *bus.Msg) {
	h, r, err := readMail(msg.Data)
	if err != nil {
		c.host.node.Reject(msg, err)
		return
	}
	late, err := c.host.late(h.sender.owner, h.generation)
	if err != nil {
		c.host.node.Reject(msg, err)
	}
	if late || err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.overhears(h.birth), c.moved && h.epoch > c.epoch:
		return
	case c.meant(h.birth) && h.epoch != 0 && h.epoch != c.epoch:
		c.turnAway(msg.Reply, &h, r)
		return
	}
	c.meet(h.sender.owner, h.birth)
	v := c.visitor(visitorKey{h.sender, h.lane}, msg.Reply)
	ok, hole := v.enter(&h)
	switch {
	case ok:
		if err := c.takeAll(v, &h, r); err != nil {
			c.host.node.Reject(msg, err)
		}
	case hole && v.reported != v.taken+1:
		v.reported = v.taken + 1
		c.reportHole(v, h.first)
	}
	c.forget(v)
	c.flush()
}

// takeAll takes the calls behind a header, but those that were taken before, up to the first that is malformed.
func (c *cell) takeAll(v *visitor, h *mailHeader, r bus.Reader) error {
	var room []visit
	var m *method
	for place := h.first; r.Left() > 0; place++ {
		before := r.Left()
		name, entry := readCall(&r)
		if r.Err() != nil {
			return r.Err()
		}
		if place <= v.taken {
			continue
		}
		if len(room) == 0 { // for what comes behind too, if that is of the same size: it ends soon after
			room = make([]visit, min(1+r.Left()/(before-r.Left()), batchCalls))
		}
		if m == nil || m.word != string(name) {
			m = c.method(name)
		}
		call := &room[0]
		room = room[1:]
		call.entry, call.method, call.visitor, call.place, call.cell = entry, m, v, place, c
		v.take(call)
		if err := c.admit(call, h.birth); err != nil {
			c.refuse(call, err)
		}
	}
	return nil
}

// turnAway answers calls that are for another epoch than the cell's.
func (c *cell) turnAway(inbox string, h *mailHeader, r bus.Reader) {
	v := &visitor{visitorKey: visitorKey{h.sender, h.lane}, epoch: h.epoch}
	for place := h.first; r.Left() > 0; place++ {
		_, entry := readCall(&r)
		if r.Err() != nil {
			break
		}
		if v.answer(c.host.node.ID, place, entry.Number, &objstore.Outcome{Err: errMoved}) {
			c.send(inbox, v.next())
		}
	}
	if frame := v.next(); frame != nil {
		c.send(inbox, frame)
	}
}

// visitor returns what the cell knows of a caller's lane.
func (c *cell) visitor(key visitorKey, inbox string) *visitor {
	v := c.visitors.find(key)
	if v == nil {
		v = &visitor{visitorKey: key, epoch: c.epoch}
		c.visitors.add(v)
	}
	if inbox != "" {
		v.inbox = inbox
	}
	return v
}

// forget lets go of a visitor that has everything. One on this node comes back with its next call, so the first of those stays.
func (c *cell) forget(v *visitor) {
	if local := v.inbox == ""; v.idle() && !(local && v == c.visitors.first) {
		c.visitors.remove(v)
	}
}

// reportHole tells a caller that calls before a place did not come, so that the one there was not taken.
func (c *cell) reportHole(v *visitor, upTo uint64) {
	p := c.pong(objstore.ID{})
	p.lanes = []lanePong{{lane: v.lane, stream: v.stream, taken: v.taken, upTo: upTo}}
	c.send(strings.TrimSuffix(v.inbox, wordOfCall)+wordOfPing, p.append(nil))
}

// admit puts a call into the queue of its methods, or says why it will not run.
func (c *cell) admit(v *visit, birth objstore.ID) error {
	if c.gone() && c.meant(birth) {
		return errMoved
	}
	if c.failure != nil && c.meant(birth) { // its creator may not have heard of that
		return c.failure
	}
	if c.phase == stopping || c.phase == ended || !c.meant(birth) {
		return fmt.Errorf("actor %s: %w", c.id, ErrDead)
	}
	if waiting := c.host.waiting.Add(v.size()); waiting+c.mail > c.host.budget { // so what one actor leaves unread, others have room beside
		c.host.waiting.Add(-v.size())
		return fmt.Errorf("actor %s: %w: calls of %d bytes wait at node %s, of %d here", c.id, task.ErrOverload, waiting, c.host.node.ID, c.mail)
	}
	c.line(v)
	return nil
}

// pinged tells who asks that the actor is here, and whether Start has run, that it has moved, or that it has left its name to another; and what has come
// of what was sent. Answers that got lost come before that.
func (c *cell) pinged(msg *bus.Msg) {
	asked, err := readPing(msg.Data)
	if err != nil {
		c.host.node.Reject(msg, err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.overhears(asked.birth) {
		return
	}
	c.meet(asked.sender.owner, asked.birth)
	c.flush()
	p := c.pong(asked.birth)
	inbox := "" // where its caller hears, whatever a frame in its name has said
	if root, ok := strings.CutSuffix(msg.Reply, wordOfPing); ok {
		inbox = root + wordOfCall
	}
	for _, l := range asked.lanes {
		p.lanes = append(p.lanes, c.tell(asked.sender, inbox, l))
	}
	c.send(msg.Reply, p.append(nil))
}

// tell says what has come of a lane, and answers again what is kept.
func (c *cell) tell(from sender, inbox string, l lanePing) lanePong {
	p := lanePong{lane: l.lane, upTo: l.upTo, gone: l.asked}
	v := c.visitors.find(visitorKey{from, l.lane})
	if v == nil {
		return p
	}
	if v.inbox != "" && inbox != "" {
		v.inbox = inbox
	}
	v.settle(l.settled)
	p.gone = v.repeat(c.host.node.ID, l.asked, func(frame []byte) { c.send(v.inbox, frame) })
	p.stream, p.taken = v.stream, v.taken
	v.reported = 0
	c.forget(v)
	return p
}

// pong is the answer to a ping for an actor of that birth.
func (c *cell) pong(birth objstore.ID) pong {
	p := pong{host: c.host.node.ID, epoch: c.epoch, status: call.Accepted, class: c.class.name}
	switch {
	case c.failure != nil && c.meant(birth):
		p.status, p.err, p.failed = call.Refused, c.failure, true
	case c.gone() && c.meant(birth):
		p.status = call.Moved
	case c.phase == ended || !c.meant(birth):
		p.status, p.err = call.Refused, fmt.Errorf("actor %s: %w", c.id, ErrDead)
	case c.phase == starting:
		p.status = call.Busy
	}
	return p
}

// refuse answers a call that does not run.
func (c *cell) refuse(v *visit, err error) { c.reply(v, &objstore.Outcome{Err: err}) }

// reply answers a call; whoever locked the cell flushes.
func (c *cell) reply(v *visit, out *objstore.Outcome) {
	w := v.visitor
	v.answered = true
	c.giveUp(v)
	w.let()
	if v.local != nil {
		o := *out
		c.returned.add(returned{v, &o, c.failure != nil})
		c.forget(w)
		return
	}
	if w.answer(c.host.node.ID, v.place, v.entry.Number, out) {
		c.send(w.inbox, w.next())
	} else if !w.dirty {
		w.dirty = true
		c.dirty = append(c.dirty, w)
	}
}

// flush sends all answers, once the fence lets them pass. A cell that has ended says so at once.
func (c *cell) flush() {
	if len(c.dirty) > 0 && c.phase != ended && !c.host.fence.isOpen() {
		c.flushSoon()
		return
	}
	for _, w := range c.dirty {
		if frame := w.next(); frame != nil {
			c.send(w.inbox, frame)
		}
		w.dirty = false
	}
	clear(c.dirty) // what is forgotten is not kept here
	c.dirty = c.dirty[:0]
}

// flushSoon has the host send the answers, unless that is about to happen.
func (c *cell) flushSoon() {
	if len(c.dirty) > 0 && !c.flushing {
		c.flushing = true
		c.host.flushes.add(c)
	}
}

// cancel confirms that a call which waits will not run, and that the ctx of one that runs has ended.
func (c *cell) cancel(key visitorKey, place uint64) {
	c.mu.Lock()
	defer c.unlock()
	if w := c.visitors.find(key); w != nil {
		if v := w.at(place); v != nil {
			c.drop(v, call.ErrCancelled)
			c.flush()
		}
	}
}

// drop refuses a call that waits, and ends the ctx of one that runs.
func (c *cell) drop(v *visit, cause error) {
	c.refuse(v, cause)
	v.cancel(cause)
}

// abandon forgets the visitors of a node that is gone.
func (c *cell) abandon(owner member.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for v := range c.visitors.all {
		if v.owner == owner && v.visits.len() == 0 {
			c.visitors.remove(v)
		}
	}
}
