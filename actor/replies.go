package actor

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"manta/bus"
	"manta/internal/call"
	"manta/objstore"
)

// What a word to a caller is about, as the last token of the subject that it comes to.
const (
	wordOfCall  = "call"
	wordOfPing  = "ping"
	wordOfBirth = "birth" // from the creator, who was asked, or from the host, whose Start failed
	wordOfHost  = "host"  // from the host, who was asked whether the actor lives there
)

// replied handles every message to the callers' reply subjects.
func (cs *callers) replied(msg *bus.Msg) {
	kind := bus.LastToken(msg.Subject)
	number, err := strconv.ParseUint(bus.LastToken(strings.TrimSuffix(msg.Subject, "."+kind)), 10, 64)
	if err != nil {
		cs.node.Reject(msg, fmt.Errorf("%w: a reply to an unknown subject", bus.ErrMalformed))
		return
	}
	if _, unserved := bus.Unserved(msg); unserved {
		if kind == wordOfHost {
			cs.hostUnserved(number)
			return
		}
		cs.mu.Lock()
		defer cs.unlock()
		if c := cs.waiting[number]; c != nil {
			cs.unserved(c, kind)
		}
		return
	}
	switch kind {
	case wordOfCall:
		err = cs.answered(number, msg.Data)
	case wordOfPing:
		err = cs.ponged(number, msg.Data)
	case wordOfHost:
		err = cs.worded(number, msg.Data, func(c *caller, p call.Reply) { cs.toldOfHost(c, p.Status == call.Accepted) })
	default:
		err = cs.worded(number, msg.Data, cs.toldOfBirth)
	}
	if err != nil {
		cs.node.Reject(msg, err)
	}
}

// ponged handles the answer to a ping.
func (cs *callers) ponged(number uint64, frame []byte) error {
	p, err := readPong(frame)
	if err != nil {
		return err
	}
	cs.mu.Lock()
	defer cs.unlock()
	if c := cs.waiting[number]; c != nil {
		cs.found(c, p)
	}
	return nil
}

// worded reads a word of the creator or of the host, for whom it is about.
func (cs *callers) worded(number uint64, frame []byte, heed func(*caller, call.Reply)) error {
	p, err := call.ReadReply(frame)
	if err != nil {
		return err
	}
	cs.mu.Lock()
	defer cs.unlock()
	if c := cs.waiting[number]; c != nil {
		heed(c, p)
	}
	return nil
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

// answered handles answers to calls.
func (cs *callers) answered(number uint64, frame []byte) error {
	h, r, err := readAnswers(frame)
	if err != nil {
		return err
	}
	cs.mu.Lock()
	defer cs.unlock()
	c := cs.waiting[number]
	if c != nil && c.epoch != h.epoch {
		c = nil // what has ended does not count
	}
	moved := false
	outcomes := make([]objstore.Outcome, 0, h.count)
	cs.finished.Grow(h.count)
	for r.Left() > 0 && len(outcomes) < h.count {
		place, n, o := readAnswer(&r)
		if r.Err() != nil {
			return r.Err()
		}
		var out *outgoing
		if c != nil && h.lane < len(c.lanes) {
			out = c.lanes[h.lane].at(place)
		}
		if out == nil || out.Number() != n {
			objstore.StoreOf(cs.node).Discard(objstore.NewID(cs.node.ID, n), o)
			continue
		}
		if errors.Is(o.Err, errMoved) {
			moved = true
			cs.moved(out)
			continue
		}
		if o.Blob != nil {
			o.Blob.From = h.host
		}
		outcomes = append(outcomes, o)
		cs.endWith(out, &outcomes[len(outcomes)-1])
	}
	if c != nil {
		c.starting, c.assumed = false, false
		cs.heardFrom(c)
		cs.settledWith(c)
		cs.rest(c)
	}
	if moved {
		cs.seekMoved(c)
	}
	return nil
}
