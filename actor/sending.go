package actor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"manta/internal/logs"
	"manta/objstore"
)

const (
	// promptCalls is how many calls of a lane may be under way for the next one to be sent at once. Behind more it waits for the sender, and
	// travels with those that come meanwhile.
	promptCalls = 16
	// tendInterval is how often silent actors are looked for.
	tendInterval = 500 * time.Millisecond
	// longestSilence is how many of these pass, at the most, before a silent actor is asked again what it has.
	longestSilence = 16
	// lazyCalls bounds how many actors are told in one interval that their answers have come.
	lazyCalls = 10_000
)

// outlet is a lane to send from.
type outlet struct {
	caller *caller
	lane   *lane
}

// pumpAll is pump for all lanes.
func (cs *callers) pumpAll(c *caller) {
	for _, l := range c.lanes {
		cs.pump(c, l)
	}
}

// pump sends what may be sent: of an ordered lane what stands before the first call that still awaits an argument.
func (cs *callers) pump(c *caller, l *lane) {
	for c.state == alive {
		out := l.next()
		switch {
		case out == nil:
			return
		case out.cancelled != nil: // it was sent, and is known not to have come
			l.shift()
			cs.end(out, objstore.Outcome{Err: out.cancelled})
		case c.cell != nil:
			cs.hand(out)
		default:
			cs.send(c, l, out)
		}
	}
}

// pumpSoon has the sender pump.
func (cs *callers) pumpSoon(c *caller, l *lane) {
	if l.dirty {
		return
	}
	l.dirty = true
	cs.dirty = append(cs.dirty, outlet{c, l})
	select {
	case cs.some <- struct{}{}:
	default:
	}
}

// sendDirty is the sender.
func (cs *callers) sendDirty(ctx context.Context) {
	for {
		select {
		case <-cs.some:
		case <-ctx.Done():
			return
		}
		cs.pumpDirty()
	}
}

func (cs *callers) pumpDirty() {
	cs.mu.Lock()
	defer cs.unlock()
	dirty := cs.dirty
	cs.dirty = nil
	for _, o := range dirty {
		o.lane.dirty = false
		cs.pump(o.caller, o.lane)
	}
}

// send sends a call, and others that stand behind it, in a message.
func (cs *callers) send(c *caller, l *lane, out *outgoing) {
	limit := int(cs.node.Conn.MaxPayload())
	frame := cs.mailHeader(c, l).append(cs.frame[:0])
	n := 0
	for ; out != nil && n < batchCalls; out = l.next() {
		size := len(frame)
		if out.Tells(cs.node.Events) {
			out.TellSent(cs.node.Events, cs.text, c.node.String())
		}
		frame = appendCall(frame, out.method.word, &out.Call)
		if len(frame) > min(limit, batchBytes) && n > 0 {
			frame = frame[:size]
			break
		}
		if len(frame) > limit {
			l.shift()
			cs.refuse(out, fmt.Errorf("a call of %d bytes does not fit into a message, the server takes %d: Put what is large and pass the ref",
				len(frame), limit))
			frame = frame[:size]
			continue
		}
		l.give(out)
		out.frame = c.frames + 1
		n++
	}
	cs.frame = frame
	if n == 0 {
		return
	}
	c.frames++
	c.lazy = false
	cs.publishMail(c, cs.inbox(c.number, wordOfCall), frame)
}

func (cs *callers) mailHeader(c *caller, l *lane) mailHeader {
	h := l.mailHeader()
	h.sender, h.birth, h.epoch, h.generation = sender{cs.node.ID, c.number}, c.birth, c.epoch, cs.node.Conn.Generation()
	return h
}

// publishMail sends a message. What is not sent is found missing by the next ping that is.
func (cs *callers) publishMail(c *caller, reply string, frame []byte) {
	if err := cs.node.Conn.Publish(cs.node.Conn.Actor(c.id, wordOfMail), reply, frame); err != nil {
		cs.node.Log.Info("calls of an actor were not sent, and will be sent again", logs.Class(c.class.name), logs.Actor(c.id), zap.Error(err))
	}
}

// heardFrom notes a sign of life.
func (cs *callers) heardFrom(c *caller) { c.heard, c.patience = cs.tick, 1 }

// settledWith has an actor that has answered everything told so.
func (cs *callers) settledWith(c *caller) {
	if !c.lazy && c.unanswered() == 0 {
		c.lazy = true
		cs.lazy = append(cs.lazy, c)
	}
}

// tend asks silent actors what they have, and tells others that their answers have come.
func (cs *callers) tend(ctx context.Context) {
	clock := time.NewTicker(tendInterval)
	defer clock.Stop()
	for {
		select {
		case <-clock.C:
			cs.look()
		case <-ctx.Done():
			return
		}
	}
}

func (cs *callers) look() {
	cs.mu.Lock()
	defer cs.unlock()
	cs.tick++
	for _, c := range cs.waiting {
		silent := cs.tick-c.heard > c.patience
		awaited := c.cell == nil && (c.pinging || c.state == alive && c.unanswered() > 0)
		if silent && (awaited || c.state == alive && c.starting) {
			c.heard, c.patience = cs.tick, min(2*c.patience, longestSilence)
			cs.ping(c)
		}
	}
	n := min(len(cs.lazy), lazyCalls)
	for _, c := range cs.lazy[:n] {
		if c.lazy && c.state == alive {
			for _, l := range c.lanes {
				cs.frame = cs.mailHeader(c, l).append(cs.frame[:0])
				cs.publishMail(c, "", cs.frame)
			}
		}
		c.lazy = false
	}
	cs.lazy = slices.Delete(cs.lazy, 0, n)
}

// reconnected asks all that have calls of this node what has come to them.
func (cs *callers) reconnected() {
	cs.mu.Lock()
	defer cs.unlock()
	for _, c := range cs.waiting {
		if c.cell == nil && c.state != sought && (c.pinging || c.unanswered() > 0) {
			cs.ping(c)
		}
	}
}
