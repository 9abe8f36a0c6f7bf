package actor

import (
	"fmt"
	"time"

	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// caller is how this node stands with one actor. Calls are sent only while the actor is alive, which means that its mailbox
// has answered a ping, or that the host which has made it said so and no call has found nobody yet.
//
//	pending (being made, or not found yet) ─► alive ⇄ doubted (a call found nobody) ─► dead
//	   ▲  └──────────────────────────────────────────────────────────────────────────►
//	   └── sought (of one that is made again: it has moved, or its node is lost) ◄──── alive, doubted
type caller struct {
	callers *callers
	number  uint64 // names its reply subjects, and its creation if this node asked for that
	id      string
	class   *class
	lasting bool // it is made again when its node is lost

	state    state
	err      error         // when dead: why
	unmade   bool          // when dead: because it could not be created or its Start failed
	unwanted bool          // it was killed before it was made
	made     chan struct{} // closed when the creation that this node asked for has ended; nil if it asked for none
	starting bool          // the host may still say that Start failed
	assumed  bool          // nothing but its host has said that it is alive
	origin   *origin       // of an actor that this node asked for
	birth    objstore.ID   // zero while it is not known
	node     member.ID     // where it lives
	cell     *cell         // of an alive one that lives on this node, else nil
	epoch    uint64        // that what was sent was sent to; 0 until it was found, or if it lives once
	sighted  uint64        // the epoch that it has by now, while it is looked for
	searches int           // how often it was sought

	pinging bool          // a ping is under way, or the pause before the next one
	pausing bool          // that pause: there is one at a time, however many pings found nobody
	pause   time.Duration // after a ping that found nobody
	since   time.Time     // when it was known to have been made, though no ping has found it

	calls  int    // without an outcome
	counts *Calls // of its class, and of its node; nil before the first call
	lanes  []*lane
	frames uint64 // messages that were sent
	missed uint64 // of those, the newest ones: they found nobody

	heard    int64 // the tick of the clock at which a word came from the cell
	patience int64 // how many ticks its silence may last
	lazy     bool  // it has all answers, and the cell has not been told
}

type state int

const (
	pending state = iota
	alive
	doubted
	sought
	dead
)

// outgoing is a call at its caller.
type outgoing struct {
	call.Call
	caller *caller
	method *method

	entered   bool // it is one of the caller's calls
	ready     bool // its arguments have values
	queued    bool
	sent      bool
	moved     bool // it was sent, and did not run because the actor has moved
	ended     bool
	place     uint64      // in its lane
	frame     uint64      // the message in which it was sent
	visit     *visit      // of one that was sent to a cell on this node
	cancelled error       // the outcome, once the cell or its silence has confirmed that it is not wanted
	patience  *time.Timer // until the cell has confirmed that, or until the call is made again
}

// lane is where the call stands.
func (out *outgoing) lane() *lane { return out.caller.lanes[out.method.group] }

// Ended implements call.Bound.
func (out *outgoing) Ended(err error) { out.caller.callers.cancel(out, err) }

// Cancel implements objstore.Promiser.
func (out *outgoing) Cancel() { out.Ended(out.Cancelled()) }

// awaits says whether the caller awaits a word from elsewhere.
func (c *caller) awaits() bool { return c.calls > 0 || c.pinging || c.starting || c.state == sought }

// newCaller returns a caller of an actor that is not known yet.
func newCaller(cs *callers, number uint64, id string, c *class, birth objstore.ID) *caller {
	return &caller{callers: cs, number: number, id: id, class: c, lasting: c.restarts != 0, birth: birth, lanes: c.lanes()}
}

// unserved says whether a call was sent and found nobody: the newest ones, since nobody came back.
func (out *outgoing) unserved() bool {
	return out.sent && out.frame > out.caller.frames-out.caller.missed
}

// unanswered is how many calls were sent and have no outcome.
func (c *caller) unanswered() (n int) {
	for _, l := range c.lanes {
		n += l.unanswered()
	}
	return n
}

// each calls f for every call that has no outcome; f may end it.
func (c *caller) each(f func(*outgoing)) {
	for _, l := range c.lanes {
		for out := range l.calls {
			f(out)
		}
	}
}

// nobody is the error of an actor that is nowhere: it has ended, or was never heard of if only its name is known.
func nobody(c *caller) error {
	if c.birth == (objstore.ID{}) {
		return fmt.Errorf("actor %s: %w", c.id, ErrNotFound)
	}
	return fmt.Errorf("actor %s: %w", c.id, ErrDead)
}
