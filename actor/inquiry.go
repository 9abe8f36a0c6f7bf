package actor

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// inquire asks every node that hosts the class what has become of a request for an actor that got no answer, until one says that it has the actor, or
// all that they do not, and will not. Then the reply is Busy, and another request can be sent.
func (e *Engine) inquire(ctx context.Context, c *class, q *inquiry) (call.Reply, error) {
	frame := q.append(nil)
	for _, info := range e.node.Members.All() {
		if !info.Draining && !slices.Contains(info.Classes, c.name) {
			continue
		}
		p, err := e.inquireOf(ctx, info.ID, frame)
		if err != nil || p.Status != call.Moved {
			return p, err
		}
	}
	return call.Reply{Status: call.Busy}, nil
}

// inquireOf asks one node until it knows; one that is gone has no actor. Moved means that it has none of this request, and will not.
func (e *Engine) inquireOf(ctx context.Context, host member.ID, frame []byte) (call.Reply, error) {
	for wait := createFirst; ; wait = min(2*wait, createLast) {
		asking, cancel := context.WithTimeout(ctx, createAnswer)
		msg, err := e.node.Conn.Request(asking, e.node.Conn.NodeBirths(host.String()), frame)
		cancel()
		if err == nil {
			p, err := call.ReadReply(msg.Data)
			if err != nil || p.Status != call.Busy {
				return p, err
			}
		}
		switch {
		case errors.Is(err, bus.ErrClosed), errors.Is(err, bus.ErrVersion):
			return call.Reply{}, err
		case err != nil && !e.node.Members.Alive(host):
			return call.Reply{Status: call.Moved}, nil
		}
		if member.Pause(ctx, wait); ctx.Err() != nil {
			return call.Reply{}, context.Cause(ctx)
		}
	}
}

// askHost asks the node of an actor behind whose mailbox nobody is whether it lives there all the same: the node's connection may be cut for a moment.
func (cs *callers) askHost(c *caller) {
	if c.node == (member.ID{}) { // it was never heard of
		cs.missing(c)
		return
	}
	if err := cs.node.Conn.Publish(cs.node.Conn.NodeBirths(c.node.String()), cs.inbox(c.number, wordOfHost), livesThere(c.id, c.birth)); err != nil {
		cs.pingAgain(c)
	}
}

// hostUnserved handles the server's word that an actor's node is not there either. Whether it is gone membership says.
func (cs *callers) hostUnserved(number uint64) {
	var host member.ID
	cs.mu.Lock()
	if c := cs.waiting[number]; c != nil {
		host = c.node
	}
	cs.mu.Unlock()
	there := cs.node.Members.Alive(host) // not under mu: the table of nodes holds its own while it tells of who left
	cs.mu.Lock()
	defer cs.unlock()
	if c := cs.waiting[number]; c != nil && c.node == host {
		cs.toldOfHost(c, there)
	}
}

// toldOfHost pings an actor again that may live, and ends one that does not.
func (cs *callers) toldOfHost(c *caller, lives bool) {
	switch {
	case !c.pinging || c.state != pending && c.state != doubted: // it was found meanwhile
	case lives:
		cs.pingAgain(c)
	default:
		cs.missing(c)
	}
}

// cutOff says whether an actor behind whose mailbox nobody is lives all the same, or its node cannot be asked for a moment.
func (cs *callers) cutOff(ctx context.Context, c *caller) bool {
	cs.mu.Lock()
	host, birth := c.node, c.birth
	cs.mu.Unlock()
	if host == (member.ID{}) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	msg, err := cs.node.Conn.Request(ctx, cs.node.Conn.NodeBirths(host.String()), livesThere(c.id, birth))
	if err != nil {
		return cs.node.Members.Alive(host)
	}
	p, err := call.ReadReply(msg.Data)
	return err == nil && p.Status == call.Accepted
}

// inquired answers a creator that has had no answer, or a caller that finds nobody.
func (h *host) inquired(msg *bus.Msg) {
	q, err := readInquiry(msg.Data)
	if err == nil && msg.Reply == "" {
		err = bus.ErrNoReply
	}
	if err != nil {
		h.node.Reject(msg, err)
		return
	}
	lives := func() bool {
		cl := h.find(q.id)
		return cl != nil && cl.meant(q.birth)
	}
	p := call.Reply{Host: h.node.ID, Number: q.birth.Number(), Attempt: int(q.number)}
	state, failure := unborn, error(nil)
	if q.number != 0 {
		state, failure = h.births.ask(q.attempt, lives)
	} else if lives() {
		state = wasBorn
	}
	switch state {
	case wasBorn:
		p.Status = call.Accepted
	case awaited:
		p.Status = call.Busy
	case stillborn:
		p.Status, p.Outcome = call.Refused, objstore.Outcome{Err: failure}
	default:
		p.Status = call.Moved
	}
	if err := h.node.Conn.Publish(msg.Reply, "", p.AppendTo(nil)); err != nil {
		h.node.Log.Info("a question about an actor was not answered", zap.Error(err))
	}
}

// inquiry is the question what has become of a request for an actor or, without the number of a request, whether an actor lives there.
type inquiry struct {
	attempt
	id string // of the actor
}

func (q *inquiry) append(b []byte) []byte {
	b = append(bus.AppendFrame(b, inquiryFrame), q.birth[:]...)
	return bus.AppendString(bus.AppendUint(b, uint64(q.number)), q.id)
}

// livesThere is the question whether an actor lives at a node.
func livesThere(id string, birth objstore.ID) []byte {
	q := inquiry{attempt{birth: birth}, id}
	return q.append(nil)
}

func readInquiry(frame []byte) (q inquiry, err error) {
	r, kind := bus.ReadFrame(frame)
	if r.Err() == nil && kind != inquiryFrame {
		r.Fail("no question about an actor")
	}
	copy(q.birth[:], r.Raw(len(q.birth)))
	q.number, q.id = uint16(r.Uint()), r.String()
	return q, r.Err()
}

// errForgone is a host's word for a request that it was asked about before it came: there may be another by now.
var errForgone = fmt.Errorf("%w: it was asked for again", ErrDead)
