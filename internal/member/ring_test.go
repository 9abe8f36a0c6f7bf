package member

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

var anyID = rapid.Custom(func(t *rapid.T) (id ID) {
	id[7] = rapid.Byte().Draw(t, "id")
	return id
})

func TestEveryLeaseIsWatchedByTheNextThreeInTheRing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfNDistinct(anyID, 1, 12, rapid.ID).Draw(t, "ids")
		ring := slices.SortedFunc(slices.Values(ids), ID.compare)
		watchers := make(map[ID][]ID)
		for _, self := range ids {
			wards := wardsOf(ids, self)
			if slices.Contains(wards, self) {
				t.Fatalf("%s watches itself", self)
			}
			for _, ward := range wards {
				watchers[ward] = append(watchers[ward], self)
			}
		}
		for i, id := range ring {
			var want []ID
			for j := 1; j <= 3 && j < len(ring); j++ {
				want = append(want, ring[(i+j)%len(ring)])
			}
			got := slices.SortedFunc(slices.Values(watchers[id]), ID.compare)
			slices.SortFunc(want, ID.compare)
			if !slices.Equal(got, want) {
				t.Fatalf("%s of %v is watched by %v, want %v", id, ring, got, want)
			}
		}
	})
}

func TestANodeThatComesChangesWhatThreeOthersWatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfNDistinct(anyID, 5, 12, rapid.ID).Draw(t, "ids")
		fewer := ids[1:]
		changed := 0
		for _, self := range fewer {
			if !slices.Equal(wardsOf(ids, self), wardsOf(fewer, self)) {
				changed++
			}
		}
		if changed != 3 {
			t.Fatalf("%d nodes watch other leases after %s came to %v", changed, ids[0], fewer)
		}
	})
}

func TestANodeWithoutARecordWatchesFromItsPlaceInTheRing(t *testing.T) {
	ids := []ID{{1}, {2}, {3}, {4}, {6}}
	if wards := wardsOf(ids, ID{5}); !slices.Equal(wards, []ID{{4}, {3}, {2}}) {
		t.Errorf("got %v", wards)
	}
	if wards := wardsOf(nil, ID{5}); len(wards) > 0 {
		t.Errorf("alone it watches %v", wards)
	}
}
