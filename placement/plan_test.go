package placement

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"manta/internal/member"
)

var anyAmounts = rapid.MapOfN(rapid.SampledFrom([]string{"CPU", "GPU"}), rapid.Int64Range(1, 4), 1, 2)

// anyPlan draws up to five bundles, of which some may have places, and up to four nodes.
func anyPlan(t *rapid.T) (bundles []member.Amounts, at []member.ID, strategy Strategy, rooms []room) {
	for i := range rapid.IntRange(0, 4).Draw(t, "nodes") {
		free := anyAmounts.Draw(t, "free")
		for name := range free {
			free[name] *= 2
		}
		rooms = append(rooms, room{member.ID{byte(i + 1)}, free})
	}
	strategy = rapid.SampledFrom([]Strategy{Pack, Spread, StrictPack, StrictSpread}).Draw(t, "strategy")
	for range rapid.IntRange(1, 5).Draw(t, "bundles") {
		bundles = append(bundles, anyAmounts.Draw(t, "bundle"))
		at = append(at, member.ID{})
	}
	return bundles, at, strategy, rooms
}

// valid says whether bundles may be where a plan puts them.
func valid(bundles []member.Amounts, at []member.ID, strategy Strategy, rooms []room) bool {
	used := make(map[member.ID]member.Amounts)
	count := make(map[member.ID]int)
	for i, id := range at {
		used[id] = used[id].Plus(bundles[i])
		count[id]++
	}
	for id, need := range used {
		if !slices.ContainsFunc(rooms, func(r room) bool { return r.node == id && r.free.Covers(need) }) {
			return false
		}
	}
	switch strategy {
	case StrictPack:
		return len(count) == 1
	case StrictSpread:
		return len(count) == len(bundles)
	}
	return true
}

// everyWay yields all ways to put bundles on nodes.
func everyWay(n int, rooms []room, yield func(at []member.ID)) {
	at := make([]member.ID, n)
	var next func(i int)
	next = func(i int) {
		if i == n {
			yield(at)
			return
		}
		for _, r := range rooms {
			at[i] = r.node
			next(i + 1)
		}
	}
	next(0)
}

func TestAPlanHoldsItsStrategyAndExistsWheneverThereIsAWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bundles, at, strategy, rooms := anyPlan(t)
		before := make([]member.Amounts, len(rooms))
		for i, r := range rooms {
			before[i] = maps.Clone(r.free)
		}
		planned, ok := plan(bundles, at, strategy, rooms)
		for i, r := range rooms {
			if !r.free.Equal(before[i]) {
				t.Fatalf("planning has changed the room of node %s", r.node)
			}
		}
		fewest, most := len(bundles)+1, 0
		everyWay(len(bundles), rooms, func(way []member.ID) {
			if valid(bundles, way, strategy, rooms) {
				fewest, most = min(fewest, nodesOf(way)), max(most, nodesOf(way))
			}
		})
		switch {
		case !ok && most > 0:
			t.Fatalf("%v of %v on %v: no plan, and there is a way", strategy, bundles, rooms)
		case !ok:
			return
		case !valid(bundles, planned, strategy, rooms):
			t.Fatalf("%v of %v on %v: the plan is %v", strategy, bundles, rooms, planned)
		}
		if strategy == Pack && fewest == 1 && nodesOf(planned) > 1 {
			t.Fatalf("%v on %v: packed at %v, and one node has room for all", bundles, rooms, planned)
		}
		if strategy == Spread && most == len(bundles) && nodesOf(planned) < most {
			t.Fatalf("%v on %v: spread at %v, and each could have a node of its own", bundles, rooms, planned)
		}
	})
}

func nodesOf(at []member.ID) int {
	set := make(map[member.ID]bool)
	for _, id := range at {
		set[id] = true
	}
	return len(set)
}

func TestBundlesThatHavePlacesKeepThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bundles, at, strategy, rooms := anyPlan(t)
		planned, ok := plan(bundles, at, strategy, rooms)
		if !ok {
			return
		}
		gone := rapid.SampledFrom(planned).Draw(t, "gone")
		left := slices.Clone(rooms)
		kept := slices.Clone(planned)
		for i, id := range planned {
			if id == gone {
				kept[i] = member.ID{}
				continue
			}
			r := slices.IndexFunc(left, func(r room) bool { return r.node == id })
			left[r].free = left[r].free.Minus(bundles[i])
		}
		left = slices.DeleteFunc(left, func(r room) bool { return r.node == gone })
		again, ok := plan(bundles, kept, strategy, left)
		if !ok {
			return
		}
		for i, id := range kept {
			if id != (member.ID{}) && again[i] != id {
				t.Fatalf("bundle %d has moved from node %s to %s", i, id, again[i])
			}
		}
		if !valid(bundles, again, strategy, slices.DeleteFunc(slices.Clone(rooms), func(r room) bool { return r.node == gone })) {
			t.Fatalf("%v of %v without node %s: the plan is %v", strategy, bundles, gone, again)
		}
	})
}
