package placement

import (
	"maps"

	"manta/internal/member"
	"manta/objstore"
)

// ledger is what a node has reserved for groups. It has no clock, goroutine or network. Of a bundle here:
//
//	          reserve                commit
//	(none) ──────────► for a moment ─────────► for good
//	   ▲                  │  │                    │
//	   ├──── undo, ◄──────┘  │ reserve, final ────►
//	   │    too late                              │
//	   └───────────────── release ◄───────────────┘
//
// What is reserved for a moment is taken of the node; what is for good it offers as the bundle's.
type ledger struct {
	capacity *member.Capacity
	groups   map[objstore.ID]*holding
}

// holding is what is reserved for one group.
type holding struct {
	attempt  uint64                 // the last one
	momently map[int]member.Amounts // by the index of the bundle
	good     map[int]member.Amounts
}

func newLedger(capacity *member.Capacity) ledger {
	return ledger{capacity: capacity, groups: make(map[objstore.ID]*holding)}
}

// reserve takes what bundles need that are not here: all of it or, if it returns false, nothing.
func (l *ledger) reserve(o *order) bool {
	h := l.groups[o.group]
	if h == nil {
		if l.capacity.Ending(o.group.String()) {
			return false
		}
		h = &holding{}
	}
	if h.attempt != o.attempt {
		l.giveUp(h)
	}
	wanted := make(map[int]member.Amounts, len(o.bundles))
	for i, need := range o.bundles {
		if h.good[i] == nil && h.momently[i] == nil {
			wanted[i] = need
		}
	}
	if !l.capacity.Take(sum(wanted)) {
		l.forget(o.group, h)
		return false
	}
	l.groups[o.group] = h
	h.attempt = o.attempt
	if h.momently == nil {
		h.momently = wanted
	} else {
		maps.Copy(h.momently, wanted)
	}
	if o.final {
		l.settle(o.group, h)
	}
	return true
}

// commit makes what an attempt has reserved here be for good. False: it is not here any more.
func (l *ledger) commit(o *order) bool {
	h := l.groups[o.group]
	if h == nil || h.attempt != o.attempt {
		return false
	}
	l.settle(o.group, h)
	return true
}

func (l *ledger) settle(id objstore.ID, h *holding) {
	if len(h.momently) == 0 {
		return
	}
	l.capacity.Furnish(offered(id, h.momently))
	if h.good == nil {
		h.good = h.momently
	} else {
		maps.Copy(h.good, h.momently)
	}
	h.momently = nil
}

// undo gives back what an attempt has reserved for a moment, and says whether there was something.
func (l *ledger) undo(o *order) bool {
	h := l.groups[o.group]
	if h == nil || h.attempt != o.attempt || len(h.momently) == 0 {
		return false
	}
	l.giveUp(h)
	l.forget(o.group, h)
	return true
}

// release gives back all that is reserved for a group, and says whether there was something for good.
func (l *ledger) release(id objstore.ID) bool {
	h := l.groups[id]
	if h == nil {
		return false
	}
	l.giveUp(h)
	good := len(h.good) > 0
	if good {
		l.capacity.Withdraw(offered(id, h.good))
	}
	delete(l.groups, id)
	return good
}

func (l *ledger) giveUp(h *holding) {
	l.capacity.Give(sum(h.momently))
	h.momently = nil
}

func (l *ledger) forget(id objstore.ID, h *holding) {
	if len(h.momently)+len(h.good) == 0 {
		delete(l.groups, id)
	}
}

func sum(bundles map[int]member.Amounts) member.Amounts {
	if len(bundles) == 1 {
		for _, need := range bundles {
			return need
		}
	}
	total := make(member.Amounts)
	for _, need := range bundles {
		total = total.Plus(need)
	}
	return total
}

// offered is what a node offers for bundles.
func offered(id objstore.ID, bundles map[int]member.Amounts) member.Amounts {
	group := id.String()
	var all member.Amounts
	for i, need := range bundles {
		one := member.Bundle{Group: group, Index: i}.Amounts(need)
		if all == nil {
			all = one
		} else {
			all = all.Plus(one)
		}
	}
	return all
}
