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

// inquired answers a creator that has had no answer.
func (h *host) inquired(msg *bus.Msg) {
	q, err := readInquiry(msg.Data)
	if err == nil && msg.Reply == "" {
		err = bus.ErrNoReply
	}
	if err != nil {
		h.node.Reject(msg, err)
		return
	}
	p := call.Reply{Host: h.node.ID, Number: q.birth.Number(), Attempt: int(q.number)}
	state, failure := h.births.ask(q.attempt, func() bool {
		cl := h.find(q.id)
		return cl != nil && cl.birth() == q.birth
	})
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

// inquiry is the question what has become of a request for an actor.
type inquiry struct {
	attempt
	id string // of the actor
}

func (q *inquiry) append(b []byte) []byte {
	b = append(bus.AppendFrame(b, inquiryFrame), q.birth[:]...)
	return bus.AppendString(bus.AppendUint(b, uint64(q.number)), q.id)
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
