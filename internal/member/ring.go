package member

import "slices"

// neighbours is how many nodes watch a lease. A node is found dead unless it dies together with the next three within the
// seconds that finding one takes; those behind them then take it up, a round later.
const neighbours = 3

// wardsOf returns whose leases a node watches. The ring is all nodes in the order of their ids, the first one behind the last;
// the lease of each is watched by those that follow it, so a node watches those that precede it. Among less than five
// nodes that is everyone.
func wardsOf(ids []ID, self ID) []ID {
	ring := slices.Clone(ids)
	if !slices.Contains(ring, self) {
		ring = append(ring, self)
	}
	slices.SortFunc(ring, ID.compare)
	at := slices.Index(ring, self)
	wards := make([]ID, 0, neighbours)
	for i := 1; i <= min(neighbours, len(ring)-1); i++ {
		wards = append(wards, ring[(at-i+len(ring))%len(ring)])
	}
	return wards
}

// HeirOf returns the node that sees to what a node which is gone has left behind: of those that are there, the one that follows it in
// the ring. When that dies too it is the next one. False: nobody is there.
func (t *Table) HeirOf(gone ID) (heir ID, ok bool) {
	for _, info := range t.All() {
		after, best := info.ID.compare(gone) > 0, heir.compare(gone) > 0
		if !ok || after && !best || after == best && info.ID.compare(heir) < 0 {
			heir, ok = info.ID, true
		}
	}
	return heir, ok
}
