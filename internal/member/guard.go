package member

import (
	"time"

	"manta/bus"
)

const (
	// claimTTL is how long a claimant may take to remove the record, or another takes it up.
	claimTTL = LeaseTTL
	// sealTTL is how long a claim that has done its work tells a node which was silent that it was taken for dead.
	sealTTL = 10 * time.Minute
)

// guard decides which nodes to claim: those of its wards whose leases have ended. Pure: it has no clock, goroutine or network.
//
//	unknown ── lease seen ──► held ── marker ──► ended ── claim accepted ──► mine ── record removed ──┐
//	   │                                          ▲  │                                                │
//	   └──── nothing seen for the grace ─────────┤  └── another's claim seen ──► claimed ◄───────────┘
//	                                              └───────────── marker of the claim ──┘
//
// A lease seen, in whatever state, makes it held: the node has taken it again. Claims of which the claimant died end as leases do,
// by a marker, and then another claims. A record that is gone takes its node out of the ring, which ends the wardship.
type guard struct {
	self     ID
	pace     pace
	wards    map[ID]*ward
	earliest time.Time // before this nobody is claimed
}

type ward struct {
	state    wardState
	revision uint64    // of what the key holds
	due      time.Time // when to claim it or to remove its record, if its state says so
}

type wardState int

const (
	wardUnknown wardState = iota
	wardHeld
	wardEnded
	wardClaimed
	wardMine
)

// guardAction is a claim of an ended lease, or the removal of the record of a node whose lease was claimed.
type guardAction struct {
	id       ID
	remove   bool
	revision uint64 // the lease's
}

func newGuard(self ID, p pace) *guard { return &guard{self: self, pace: p, wards: make(map[ID]*ward)} }

// keep makes these nodes the wards. Of those that are not yet, a watch that begins after keep tells all.
func (g *guard) keep(ids []ID, now time.Time) {
	wards := make(map[ID]*ward, len(ids))
	for _, id := range ids {
		if w, ok := g.wards[id]; ok {
			wards[id] = w
		} else {
			wards[id] = &ward{due: now.Add(g.pace.grace())}
		}
	}
	g.wards = wards
}

// forget forgets what is known of the wards' leases, whose revisions may begin anew.
func (g *guard) forget(now time.Time) {
	for _, w := range g.wards {
		*w = ward{due: now.Add(g.pace.grace())}
	}
	g.earliest = now.Add(g.pace.grace())
}

// see notes what the key of a lease holds. Two watches may overlap; the later word is that of the higher revision.
func (g *guard) see(id ID, e bus.Entry, now time.Time) {
	w, ok := g.wards[id]
	if !ok || e.Revision <= w.revision {
		return
	}
	w.revision = e.Revision
	switch claimant := claimantOf(e); {
	case e.Gone:
		w.state, w.due = wardEnded, now.Add(g.pace.claimDelay())
	case claimant == "":
		w.state = wardHeld
	case claimant == g.self.String():
		w.state, w.due = wardMine, now
	default:
		w.state = wardClaimed
	}
}

// next returns what to do; each of it is not returned again before the claim's delay has passed, unless what happened is told meanwhile.
// wake is when there may be more to do; zero if only an event can tell.
func (g *guard) next(now time.Time) (actions []guardAction, wake time.Time) {
	for id, w := range g.wards {
		if w.state == wardHeld || w.state == wardClaimed {
			continue
		}
		due := w.due
		if due.Before(g.earliest) {
			due = g.earliest
		}
		if !now.Before(due) {
			actions = append(actions, guardAction{id: id, remove: w.state == wardMine, revision: w.revision})
			w.due = now.Add(g.pace.claimDelay())
			due = w.due
		}
		if wake.IsZero() || due.Before(wake) {
			wake = due
		}
	}
	return actions, wake
}

// claimed notes that a claim was accepted.
func (g *guard) claimed(id ID, revision uint64, now time.Time) {
	if w, ok := g.wards[id]; ok && w.revision < revision {
		w.state, w.revision, w.due = wardMine, revision, now
	}
}

// removed notes that there is no record any more.
func (g *guard) removed(id ID) {
	if w, ok := g.wards[id]; ok {
		w.state = wardClaimed
	}
}
