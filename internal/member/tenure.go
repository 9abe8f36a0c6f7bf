package member

import (
	"cmp"
	"time"

	"manta/bus"
)

// LeaseTTL is how long a node counts as alive without a sign of life, unless it is configured otherwise.
const LeaseTTL = 2 * time.Second

// pace is how long a node's lease is, and what goes with that; 0 is LeaseTTL.
type pace time.Duration

func (p pace) ttl() time.Duration { return cmp.Or(time.Duration(p), LeaseTTL) }

// renewal leaves three more tries before the lease ends. It also bounds each of them.
func (p pace) renewal() time.Duration { return p.ttl() / 4 }

// retry is the pause after a try without an answer: two of them fit into claimDelay.
func (p pace) retry() time.Duration { return p.ttl() / 8 }

// claimDelay is between the end of a lease and a claim. After a stall of the whole bucket all leases end at once, and this leaves their
// nodes time to take them again.
func (p pace) claimDelay() time.Duration { return p.ttl() / 4 }

// grace is how long nobody is taken for dead after this node's picture began anew: all may have to write their leases and records again
// first, and those of others may be of the usual length.
func (p pace) grace() time.Duration { return max(p.ttl(), LeaseTTL) + time.Second }

// tenure is the state of a node's own lease, without clock, goroutine and network: it takes what happened, and says what to do next.
//
//	            taken                     the deadline passes, or the key is found ended or claimed
//	joining ─────────────► held ──────────────────────────────────────────────────────────────────► paused
//	                       │  ▲ ▲                                                                      │
//	                       └──┘ └──────────────────────────── taken again ─────────────────────────────┘
//	                     renewed
//
// The deadline counts from when the last acknowledged renewal was sent, and the server counts from when that arrived, which is later:
// so the node pauses before anybody can see its lease end.
type tenure struct {
	pace     pace
	deadline time.Time // until when the lease is held; zero: it is not
	revision uint64    // of what the key holds, as far as known: the next write names it
	own      bool      // that is this node's lease: the next write renews it, else it takes it
	unsure   bool      // the server knows another revision: look
	looked   bool      // since the last write that was acknowledged
	at       time.Time // when to write or look

	recordDue bool // the node's record has to be written
	recordAt  time.Time
}

// leaseStep is something to do.
type leaseStep int

const (
	stepWait   leaseStep = iota // until at
	stepWrite                   // the lease, if the key still has the revision; then tell written, refused or unanswered
	stepLook                    // at the key; then tell found or unanswered
	stepRecord                  // write the record; then tell recorded or recordFailed
)

type leaseAction struct {
	do       leaseStep
	revision uint64
	at       time.Time
}

// next says what to do.
func (t *tenure) next(now time.Time) leaseAction {
	record := t.recordDue && t.own // a record without a lease would be taken for that of a dead node
	switch {
	case record && !now.Before(t.recordAt):
		return leaseAction{do: stepRecord}
	case now.Before(t.at) && record && t.recordAt.Before(t.at):
		return leaseAction{do: stepWait, at: t.recordAt}
	case now.Before(t.at):
		return leaseAction{do: stepWait, at: t.at}
	case t.unsure:
		return leaseAction{do: stepLook}
	default:
		return leaseAction{do: stepWrite, revision: t.revision}
	}
}

// holds says whether nobody else can have the lease: by the monotonic clock, which stands still while a machine sleeps, and by
// that on the wall, which can be set back.
func holds(deadline, now time.Time) bool {
	return now.Before(deadline) && now.Round(0).Before(deadline.Round(0))
}

// written notes that a write which was sent at a time was acknowledged. It returns true if that took the lease anew.
func (t *tenure) written(sent, now time.Time, revision uint64) (taken bool) {
	taken = !t.own
	t.revision, t.own, t.looked = revision, true, false
	t.deadline, t.at = sent.Add(t.pace.ttl()), sent.Add(t.pace.renewal())
	if taken {
		t.missRecord(now) // those who saw the lease end have removed it, or will
	}
	return taken
}

// refused notes that the key has another revision. Once what was found is refused too, there is no hurry.
func (t *tenure) refused(now time.Time) {
	t.unsure, t.at = true, now
	if t.looked {
		t.at = now.Add(t.pace.retry())
	}
}

// unanswered notes that a step may or may not have reached the server.
func (t *tenure) unanswered(now time.Time) { t.at = now.Add(t.pace.retry()) }

// found notes what the key holds. An own lease in a later revision was written by a renewal whose acknowledgement was lost; in an
// earlier one, the store has gone back in time.
func (t *tenure) found(e bus.Entry, now time.Time) (claimant string) {
	claimant = claimantOf(e)
	t.own = !e.Gone && claimant == "" && e.Revision >= t.revision
	if e.Gone || claimant != "" {
		t.deadline = time.Time{}
	}
	t.revision, t.unsure, t.looked, t.at = e.Revision, false, true, now
	return claimant
}

// hurry brings the next try forward: the connection is back.
func (t *tenure) hurry(now time.Time) {
	if now.Before(t.at) {
		t.at = now
	}
}

// known says whether the others know the node.
func (t *tenure) known() bool { return t.own && !t.recordDue }

// missRecord notes that the record is not there, or may soon not be.
func (t *tenure) missRecord(now time.Time) { t.recordDue, t.recordAt = true, now }

func (t *tenure) recorded() { t.recordDue = false }

func (t *tenure) recordFailed(now time.Time) { t.recordAt = now.Add(t.pace.retry()) }
