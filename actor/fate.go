package actor

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
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

// What a word to a caller is about, as the last token of the subject that it comes to.
const (
	wordOfCall  = "call"
	wordOfPing  = "ping"
	wordOfBirth = "birth" // from the creator, who was asked, or from the host, whose Start failed
)

// replied handles every message to the callers' reply subjects.
func (cs *callers) replied(msg *bus.Msg) {
	kind := bus.LastToken(msg.Subject)
	number, err := strconv.ParseUint(bus.LastToken(strings.TrimSuffix(msg.Subject, "."+kind)), 10, 64)
	if err != nil {
		cs.node.Log.Warn("a reply to an unknown subject", zap.String("subject", msg.Subject))
		return
	}
	cs.mu.Lock()
	defer cs.unlock()
	if _, unserved := bus.Unserved(msg); unserved {
		if c := cs.waiting[number]; c != nil {
			cs.unserved(c, kind)
		}
		return
	}
	p, err := call.ReadReply(msg.Data)
	if err != nil {
		cs.node.Log.Warn("a malformed reply", zap.String("subject", msg.Subject), zap.Error(err))
		return
	}
	c := cs.waiting[number]
	switch {
	case kind == wordOfCall:
		cs.answered(c, p)
	case c == nil: // a late word
	case kind == wordOfPing:
		cs.found(c, p)
	default:
		cs.toldOfBirth(c, p)
	}
}

// unserved handles the server's word that a message found nobody.
func (cs *callers) unserved(c *caller, kind string) {
	switch kind {
	case wordOfCall: // more such words may be under way: the ping's answer comes behind them
		c.missed++
		cs.doubt(c)
	case wordOfPing:
		cs.notFound(c)
	default: // who asked for the actor is gone
		cs.notPending(c)
	}
}

// answered handles the answer to a call.
func (cs *callers) answered(c *caller, p call.Reply) {
	if c != nil {
		c.starting = false
		if out := c.calls[p.Number]; out != nil {
			if p.Outcome.Blob != nil {
				p.Outcome.Blob.From = p.Host
			}
			cs.end(out, p.Outcome)
			return
		}
	}
	objstore.StoreOf(cs.node).Discard(objstore.NewID(cs.node.ID, p.Number), p.Outcome)
}

// find looks for an actor that somebody else has made, or makes.
func (cs *callers) find(c *caller) {
	if c.state == pending && c.made == nil && !c.pinging {
		cs.ping(c)
	}
}

// doubt sends nothing more until it is known whether the actor still lives. The word of that comes behind the answers to all
// that was sent.
func (cs *callers) doubt(c *caller) {
	if c.state == alive || c.state == pending {
		c.state = doubted
		cs.ping(c)
	}
}

// ping asks whether the actor is behind its mailbox subject.
func (cs *callers) ping(c *caller) {
	c.pinging = true
	cs.waiting[c.number] = c
	if cl := cs.host.find(c.id); cl != nil {
		cs.found(c, cl.answerPing(c.birth))
		return
	}
	if err := cs.node.Conn.Publish(cs.node.Conn.Actor(c.id, controlPing), cs.inbox(c.number, wordOfPing), c.birth[:]); err != nil {
		cs.pingAgain(c)
	}
}

func (cs *callers) pingAgain(c *caller) {
	c.pause = min(max(2*c.pause, pingFirst), pingLast)
	pause := c.pause
	cs.group.Go(func(ctx context.Context) {
		member.Pause(ctx, pause)
		cs.mu.Lock()
		defer cs.unlock()
		if ctx.Err() == nil && c.pinging {
			cs.ping(c)
		}
	})
}

// found handles the answer to a ping: the actor lives, or another one has its name.
func (cs *callers) found(c *caller, p call.Reply) {
	c.pinging = false
	if p.Status == call.Refused {
		cs.bury(c, p.Outcome.Err, unavailable(c, "it has ended"))
		return
	}
	again := c.unserved()
	for _, out := range again {
		out.sent, out.queued = false, true
	}
	c.queue = append(again, c.queue...)
	c.sent -= len(again)
	c.missed = 0
	c.node, c.state, c.pause = p.Host, alive, 0
	if c.cell = nil; p.Host == cs.node.ID {
		c.cell = cs.host.find(c.id)
	}
	c.starting = c.starting && p.Status == call.Busy
	cs.pump(c)
	cs.rest(c)
}

// notFound handles a ping that found nobody.
func (cs *callers) notFound(c *caller) {
	switch {
	case c.state == doubted: // it was there before
		cs.bury(c, fmt.Errorf("actor %s: %w", c.id, ErrDead), unavailable(c, "nobody has its mailbox"))
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
	default:
		err := fmt.Errorf("actor %s: %w", c.id, ErrDead)
		cs.bury(c, err, err)
	}
}

// inquired answers another node that asks whether an actor, of which this one is the creator, is still to come.
func (cs *callers) inquired(msg *bus.Msg) {
	var birth objstore.ID
	copy(birth[:], msg.Data)
	p := call.Reply{Host: cs.node.ID, Number: birth.Number(), Status: call.Accepted}
	cs.mu.Lock()
	if c := cs.waiting[birth.Number()]; c != nil && c.state == pending {
		p.Status = call.Busy
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
		err = fmt.Errorf("actor of class %s: %w", c.class, err)
		cs.bury(c, err, err)
	default:
		c.starting = rec.Birth == objstore.NewID(cs.node.ID, c.number) // else it was there already
		c.node, c.birth, c.since = rec.Node, rec.Birth, time.Now()
		cs.ping(c)
	}
}

// bury ends an actor for this node. Its calls fail with died, except those that were sent and found somebody, who did not answer:
// they fail with lost.
func (cs *callers) bury(c *caller, died, lost error) {
	if c.state == dead {
		return
	}
	unserved := c.unserved()
	c.state, c.err = dead, died
	c.pinging, c.starting = false, false
	for _, out := range unserved {
		cs.end(out, objstore.Outcome{Err: died})
	}
	for _, out := range c.calls {
		if out.sent {
			cs.end(out, objstore.Outcome{Err: lost})
		} else {
			cs.end(out, objstore.Outcome{Err: died})
		}
	}
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
		case c.node == id:
			reason := fmt.Sprintf("its node %s is gone", id)
			cs.bury(c, fmt.Errorf("actor %s: %w: %s", c.id, ErrDead, reason), unavailable(c, reason))
		case c.pinging:
			cs.ping(c)
		}
	}
}
