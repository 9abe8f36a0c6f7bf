package actor

import (
	"cmp"
	"slices"
	"time"

	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// caller is how this node stands with one actor. Calls are sent only while the actor is alive, which means that its mailbox
// has answered a ping: so none is sent twice, and what was sent is in the order in which it was made.
//
//	pending (being made, or not found yet) ─► alive ⇄ doubted (a call found nobody) ─► dead
//	   └──────────────────────────────────────────────────────────────────────────────►
type caller struct {
	number  uint64 // names its reply subjects, and its creation if this node asked for that
	id      string
	class   string
	ordered bool // calls are sent in the order they were made

	state    state
	err      error         // when dead: why
	unmade   bool          // when dead: because it could not be created or its Start failed
	unwanted bool          // it was killed before it was made
	made     chan struct{} // closed when the creation that this node asked for has ended; nil if it asked for none
	starting bool          // the host may still say that Start failed
	birth    objstore.ID   // zero while it is not known
	node     member.ID     // where it lives
	cell     *cell         // of an alive one that lives on this node, else nil

	pinging bool          // a ping is under way, or the pause before the next one
	pause   time.Duration // after a ping that found nobody
	since   time.Time     // when it was known to have been made, though no ping has found it

	calls  map[uint64]*outgoing // without an outcome, by number
	queue  []*outgoing          // those to be sent, in order, and some that have ended
	gone   int                  // of the queue: they have ended
	sent   int                  // of the calls
	last   uint64               // place of the newest call that was sent
	missed int                  // of those that were sent, the newest ones: they found nobody
}

type state int

const (
	pending state = iota
	alive
	doubted
	dead
)

// outgoing is a call at its caller.
type outgoing struct {
	call    *call.Call
	callers *callers
	caller  *caller
	method  string

	ready     bool // its arguments have values
	queued    bool
	sent      bool
	place     uint64 // among those that were sent
	visit     *visit // of one that was sent to a cell on this node
	cancelled error  // the outcome, once the cell or its silence has confirmed that it is not wanted
	patience  *time.Timer
	ended     bool
}

// Watched implements call.Bound.
func (out *outgoing) Watched() *call.Call { return out.call }

// Ended implements call.Bound.
func (out *outgoing) Ended(err error) { out.callers.cancel(out, err) }

// Cancel implements objstore.Promiser.
func (out *outgoing) Cancel() { out.Ended(out.call.Cancelled()) }

// awaits says whether the caller awaits a word from elsewhere.
func (c *caller) awaits() bool { return len(c.calls) > 0 || c.pinging || c.starting }

// push puts a call at the end of the queue.
func (c *caller) push(out *outgoing) {
	out.queued = true
	c.queue = append(c.queue, out)
}

// next takes the first call out of the queue, nil if there is none that can be sent.
func (c *caller) next() *outgoing {
	for len(c.queue) > 0 {
		out := c.queue[0]
		if !out.ended && !out.ready {
			return nil
		}
		c.queue[0] = nil
		c.queue = c.queue[1:]
		out.queued = false
		if !out.ended {
			return out
		}
		c.gone--
	}
	return nil
}

// forget lets go of a call that has ended.
func (c *caller) forget(out *outgoing) {
	delete(c.calls, out.call.Number())
	if out.sent {
		c.sent--
	}
	if out.queued {
		c.gone++
	}
	if 2*c.gone > len(c.queue) { // more holes than calls: close ranks, at a constant cost each
		c.queue = slices.DeleteFunc(c.queue, func(out *outgoing) bool { return out.ended })
		c.gone = 0
	}
}

// unserved returns the calls that were sent and found nobody, in order: the newest ones, since nobody came back.
func (c *caller) unserved() []*outgoing {
	var sent []*outgoing
	for _, out := range c.calls {
		if out.sent {
			sent = append(sent, out)
		}
	}
	slices.SortFunc(sent, func(a, b *outgoing) int { return cmp.Compare(a.place, b.place) })
	return sent[max(0, len(sent)-c.missed):]
}
