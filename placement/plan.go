package placement

import (
	"cmp"
	"slices"

	"manta/internal/member"
)

// searchSteps bounds how long the search for a place goes on, which may be hard: it gives up on few groups of which a place exists.
const searchSteps = 10_000

// room is what a node has to give.
type room struct {
	node member.ID
	free member.Amounts
}

// plan finds a node for each bundle that has none, by a strategy: at holds where the others are, and zero for none. It prefers the
// nodes that stand first in rooms, and returns where all bundles are then; false if they fit nowhere together. Pure.
func plan(bundles []member.Amounts, at []member.ID, strategy Strategy, rooms []room) ([]member.ID, bool) {
	p := planning{bundles: bundles, at: slices.Clone(at), rooms: slices.Clone(rooms), held: make(map[member.ID]int)}
	for i, id := range at {
		if id == (member.ID{}) {
			p.missing = append(p.missing, i)
		} else {
			p.held[id]++
		}
	}
	slices.SortStableFunc(p.missing, func(a, b int) int { return cmp.Compare(size(bundles[b]), size(bundles[a])) })
	return p.at, p.place(strategy)
}

type planning struct {
	bundles []member.Amounts
	at      []member.ID
	missing []int // of the bundles, the largest first
	rooms   []room
	held    map[member.ID]int // bundles on each node
	steps   int
}

func size(a member.Amounts) (sum int64) {
	for _, n := range a {
		sum += n
	}
	return sum
}

func (p *planning) place(strategy Strategy) bool {
	switch strategy {
	case StrictPack:
		return p.together()
	case StrictSpread:
		return p.apart()
	case Pack:
		return p.together() || p.search(p.missing, p.packed)
	default:
		return p.apart() || p.search(p.missing, p.spread)
	}
}

// together puts all bundles on one node.
func (p *planning) together() bool {
	sum := make(member.Amounts)
	for _, i := range p.missing {
		sum = sum.Plus(p.bundles[i])
	}
	for _, r := range p.rooms {
		if len(p.held) > 0 && p.held[r.node] == 0 || len(p.held) > 1 || !r.free.Covers(sum) {
			continue
		}
		for _, i := range p.missing {
			p.at[i] = r.node
		}
		return true
	}
	return len(p.missing) == 0
}

// apart puts every bundle on a node that has no other. It finds a way if there is one: a bundle whose only nodes are taken makes
// another move on (augmenting paths).
func (p *planning) apart() bool {
	taken := make([]int, len(p.rooms)) // the bundle in each room, and -1 for none
	for r := range taken {
		taken[r] = -1
	}
	for _, i := range p.missing {
		if !p.settle(i, taken, make([]bool, len(p.rooms))) {
			return false
		}
	}
	for r, i := range taken {
		if i >= 0 {
			p.at[i] = p.rooms[r].node
		}
	}
	return true
}

func (p *planning) settle(bundle int, taken []int, seen []bool) bool {
	for r := range p.rooms {
		if seen[r] || p.held[p.rooms[r].node] > 0 || !p.rooms[r].free.Covers(p.bundles[bundle]) {
			continue
		}
		seen[r] = true
		if taken[r] < 0 || p.settle(taken[r], taken, seen) {
			taken[r] = bundle
			return true
		}
	}
	return false
}

// search tries one place after the other for the first of the bundles, in the order of preference, until the rest has places too.
func (p *planning) search(missing []int, prefer func(a, b int, missing []int) int) bool {
	if len(missing) == 0 {
		return true
	}
	i := missing[0]
	var candidates []int
	for r := range p.rooms {
		if p.rooms[r].free.Covers(p.bundles[i]) {
			candidates = append(candidates, r)
		}
	}
	slices.SortStableFunc(candidates, func(a, b int) int { return prefer(a, b, missing) })
	for _, c := range candidates {
		if p.steps++; p.steps > searchSteps {
			return false
		}
		r := &p.rooms[c]
		before := r.free
		r.free = before.Minus(p.bundles[i])
		p.held[r.node]++
		if p.search(missing[1:], prefer) {
			p.at[i] = r.node
			return true
		}
		r.free = before
		p.held[r.node]--
	}
	return false
}

// packed prefers nodes that have bundles of the group already, and among equals those that have room for more of the rest.
func (p *planning) packed(a, b int, missing []int) int {
	return cmp.Or(
		cmp.Compare(p.held[p.rooms[b].node], p.held[p.rooms[a].node]),
		cmp.Compare(p.fitting(b, missing), p.fitting(a, missing)),
	)
}

// spread prefers nodes that have few bundles of the group.
func (p *planning) spread(a, b int, _ []int) int {
	return cmp.Compare(p.held[p.rooms[a].node], p.held[p.rooms[b].node])
}

// fitting is how many of the bundles fit into a room, the largest first.
func (p *planning) fitting(r int, missing []int) (n int) {
	free := p.rooms[r].free
	for _, i := range missing {
		if free.Covers(p.bundles[i]) {
			free = free.Minus(p.bundles[i])
			n++
		}
	}
	return n
}
