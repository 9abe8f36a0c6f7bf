package actor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

const (
	// interestSpreads is how long after an actor was made nobody may be behind its mailbox subject: NATS carries interest to
	// other servers a few milliseconds later.
	interestSpreads = 500 * time.Millisecond
	// The pause after a ping that found nobody.
	pingFirst = 10 * time.Millisecond
	pingLast  = 200 * time.Millisecond
)

// find looks for an actor that somebody else has made, or makes.
func (cs *callers) find(c *caller) {
	if c.state == pending && c.made == nil && !c.pinging {
		cs.ping(c)
	}
}

// doubt sends nothing more until it is known whether the actor still lives. The word of that comes behind the answers to all
// that was sent.
func (cs *callers) doubt(c *caller) {
	switch {
	case c.assumed && c.state == pending: // it has been asked
		return
	case c.assumed: // the way to its mailbox may not be known to the server here yet
		c.state = pending
	case c.state == alive || c.state == pending:
		c.state = doubted
	default:
		return
	}
	cs.ping(c)
}

// ping asks whether the actor is behind its mailbox subject.
func (cs *callers) ping(c *caller) {
	c.pinging = true
	cs.waiting[c.number] = c
	if cl := cs.host.find(c.id); cl != nil {
		p := cl.answerPing(c.birth)
		c.unmade = c.starting && p.failed
		cs.found(c, p)
		return
	}
	if err := cs.node.Conn.Publish(cs.node.Conn.Actor(c.id, controlPing), cs.inbox(c.number, wordOfPing), cs.pingOf(c)); err != nil {
		cs.pingAgain(c)
	}
}

// pingOf asks an actor what has come to it.
func (cs *callers) pingOf(c *caller) []byte {
	p := ping{sender: sender{cs.node.ID, c.number}, birth: c.birth}
	for _, l := range c.lanes {
		p.lanes = append(p.lanes, l.known())
	}
	return p.append(nil)
}

func (cs *callers) pingAgain(c *caller) {
	if c.pausing {
		return
	}
	c.pausing = true
	c.pause = min(max(2*c.pause, pingFirst), pingLast)
	pause := c.pause
	cs.group.Go(func(ctx context.Context) {
		member.Pause(ctx, pause)
		cs.mu.Lock()
		defer cs.unlock()
		c.pausing = false
		if ctx.Err() == nil && c.pinging {
			cs.ping(c)
		}
	})
}

// found handles the word that an actor is here or goes on elsewhere, or that another one has its name.
func (cs *callers) found(c *caller, p pong) {
	switch {
	case c.state == sought: // about an epoch that has ended
		return
	case p.class != "" && p.class != c.class.name: // whoever knows its id alone may ask for it at the door of any class
		err := fmt.Errorf("actor %s: %w: it is of class %s, not %s", c.id, ErrNotFound, p.class, c.class.name)
		cs.bury(c, err, err)
		return
	case p.status == call.Refused:
		c.pinging = false
		cs.bury(c, p.err, unavailable(c, "it has ended"))
		return
	case p.epoch < max(c.epoch, c.sighted):
		if c.pinging {
			cs.pingAgain(c)
		}
		return
	case p.status == call.Moved:
		cs.leftBehind(c, p)
		cs.seek(c)
		return
	}
	c.pinging, c.assumed = false, false
	if c.epoch != p.epoch {
		cs.settle(c, unavailable(c, "it was made again"))
	}
	c.epoch, c.sighted, c.missed = p.epoch, 0, 0
	c.node, c.state, c.pause = p.host, alive, 0
	c.cell = cs.neighbour(c)
	c.starting = c.starting && p.status == call.Busy
	for _, l := range p.lanes {
		if l.lane < len(c.lanes) {
			cs.caughtUp(c, c.lanes[l.lane], l)
		}
	}
	cs.heardFrom(c)
	cs.pumpAll(c)
	cs.rest(c)
}

// neighbour returns the actor's cell if it lives on this node.
func (cs *callers) neighbour(c *caller) *cell {
	if c.node != cs.node.ID {
		return nil
	}
	cl := cs.host.find(c.id)
	if cl == nil || cl.epoch != c.epoch {
		return nil
	}
	return cl
}

// caughtUp sends calls again that have not come to the cell, and ends those whose answers are lost.
func (cs *callers) caughtUp(c *caller, l *lane, p lanePong) {
	if l.isForeign(p) && !l.outrun(p.stream) {
		err := unavailable(c, "somebody else calls it in this node's name")
		cs.bury(c, err, err)
		return
	}
	l.arrived(p.stream, p.taken, p.upTo)
	for _, place := range p.gone {
		if out := l.at(place); out != nil && (place <= p.taken || place <= l.origin) {
			cs.end(out, objstore.Outcome{Err: unavailable(c, "its answer was lost")})
		}
	}
}

// notFound handles a ping that found nobody.
func (cs *callers) notFound(c *caller) {
	switch {
	case c.state == alive: // what was sent since that ping is to be asked for too
		cs.doubt(c)
	case c.state == doubted && c.lasting:
		cs.seek(c)
	case c.state == doubted:
		cs.askHost(c)
	case c.made != nil || c.birth == (objstore.ID{}): // nobody else knows more of it
		cs.notPending(c)
	default:
		creator := cs.node.Conn.NodeActors(member.ID(c.birth[:8]).String()) // an id begins with its owner
		if err := cs.node.Conn.Publish(creator, cs.inbox(c.number, wordOfBirth), c.birth[:]); err != nil {
			cs.pingAgain(c)
		}
	}
}

// notPending handles the word that an actor which was not found is not about to be made: it has just been, or it is dead.
func (cs *callers) notPending(c *caller) {
	switch {
	case c.state != pending || !c.pinging:
	case c.since.IsZero():
		c.since, c.pause = time.Now(), 0
		cs.pingAgain(c)
	case time.Since(c.since) < interestSpreads:
		cs.pingAgain(c)
	case c.lasting:
		cs.seek(c)
	default:
		cs.askHost(c)
	}
}

// missing ends an actor that is nowhere.
func (cs *callers) missing(c *caller) {
	died := nobody(c)
	if c.state == doubted { // it was there before
		died = fmt.Errorf("actor %s: %w", c.id, ErrDead)
	}
	cs.bury(c, died, unavailable(c, "nobody has its mailbox"))
}

// inquired answers another node that asks whether an actor, of which this one is the creator, is still to come. A word behind the question may
// say that it is not wanted any more.
func (cs *callers) inquired(msg *bus.Msg) {
	var birth objstore.ID
	var err error
	switch {
	case copy(birth[:], msg.Data) < len(birth):
		err = fmt.Errorf("%w: no question about an actor", bus.ErrMalformed)
	case msg.Reply == "":
		err = bus.ErrNoReply
	}
	if err != nil {
		cs.node.Reject(msg, err)
		return
	}
	p := call.Reply{Host: cs.node.ID, Number: birth.Number(), Status: call.Accepted}
	cs.mu.Lock()
	if c := cs.waiting[birth.Number()]; c != nil && c.state == pending {
		p.Status = call.Busy
		c.unwanted = c.unwanted || string(msg.Data[len(birth):]) == controlKill
	}
	cs.mu.Unlock()
	if err := cs.node.Conn.Publish(msg.Reply, "", p.AppendTo(nil)); err != nil {
		cs.node.Log.Info("a question about an actor was not answered", zap.Error(err))
	}
}

// toldOfBirth handles a word of the creator, or of the host to the creator.
func (cs *callers) toldOfBirth(c *caller, p call.Reply) {
	switch p.Status {
	case call.Refused:
		c.unmade = true
		cs.bury(c, p.Outcome.Err, p.Outcome.Err)
	case call.Busy:
		cs.pingAgain(c)
	default:
		cs.notPending(c)
	}
}

// placed notes where an actor lives that this node asked for, or why there is none.
func (cs *callers) placed(c *caller, rec record, err error) {
	cs.mu.Lock()
	defer cs.unlock()
	defer close(c.made)
	switch {
	case c.state == dead: // its Start failed before the word of its creation was here
	case err != nil:
		c.unmade = !errors.Is(err, errUnwanted)
		err = fmt.Errorf("actor of class %s: %w", c.class.name, err)
		cs.bury(c, err, err)
	default:
		c.starting = rec.Birth == objstore.NewID(cs.node.ID, c.number) // else it was there already
		c.node, c.birth, c.since = rec.Node, rec.Birth, time.Now()
		c.origin.node = rec.Node
		c.origin.born.Store(true)
		if rec.State == "" && c.calls > 0 && c.node != cs.node.ID { // without a record it has one epoch; a call asks as well as a ping does
			c.state, c.assumed = alive, true
			cs.heardFrom(c)
			cs.pumpAll(c)
		} else {
			cs.ping(c)
		}
	}
}

// bury ends an actor for this node. Its calls fail with died, except those that were sent and found somebody, who did not answer:
// they fail with lost.
func (cs *callers) bury(c *caller, died, lost error) {
	if c.state == dead {
		return
	}
	c.state, c.err, c.cell = dead, died, nil
	if c.origin != nil {
		c.origin.ended.Store(true)
	}
	c.pinging, c.starting, c.assumed = false, false, false
	c.each(func(out *outgoing) {
		if out.sent && !out.unserved() {
			cs.end(out, objstore.Outcome{Err: lost})
		} else {
			cs.end(out, objstore.Outcome{Err: died})
		}
	})
	cs.rest(c)
}

func unavailable(c *caller, reason string) error {
	return fmt.Errorf("actor %s: %w: %s, the call may have run", c.id, ErrUnavailable, reason)
}

// left handles a node that is gone. What it was asked goes unanswered: calls of its actors, and pings that it may have got.
func (cs *callers) left(id member.ID) {
	if id == cs.node.ID { // the others think so; what lives here does live
		return
	}
	cs.mu.Lock()
	defer cs.unlock()
	for _, c := range cs.waiting {
		switch {
		case c.node == id && c.lasting:
			cs.seek(c)
		case c.node == id:
			reason := fmt.Sprintf("its node %s is gone", id)
			cs.bury(c, fmt.Errorf("actor %s: %w: %s", c.id, ErrDead, reason), unavailable(c, reason))
		case c.pinging:
			cs.ping(c)
		}
	}
}
