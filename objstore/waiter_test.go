package objstore_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"manta/node/nodetest"
	"manta/objstore"
)

// Whoever waits for an object is called once, in the order of arrival, unless he was forgotten, in whatever order others were.
func TestWatchesAreCalledInOrderUnlessForgotten(t *testing.T) {
	c := nodetest.Start(t, 1)
	store := storeOf(t, c.Context(0))
	rapid.Check(t, func(t *rapid.T) {
		o := store.Promise()
		var watches []objstore.Watch
		var want, called []int
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			if len(watches) > 0 && rapid.Bool().Draw(t, "forget") {
				i := rapid.IntRange(0, len(watches)-1).Draw(t, "watch") // some are forgotten twice
				watches[i].Forget()
				want = slices.DeleteFunc(want, func(w int) bool { return w == i })
				continue
			}
			i := len(watches)
			watches = append(watches, store.When(o, func(objstore.Outcome) { called = append(called, i) }))
			want = append(want, i)
		}
		store.Settle(o, &objstore.Outcome{Err: objstore.ErrLost})
		for _, w := range watches {
			w.Forget()
		}
		late := false
		store.When(o, func(out objstore.Outcome) { late = out.Err == objstore.ErrLost }).Forget() //nolint:errorlint // this very one
		if !slices.Equal(called, want) || !late {
			t.Fatalf("called %v, want %v; one who comes late is called: %v", called, want, late)
		}
	})
}

func TestAWatchIsOneAllocation(t *testing.T) {
	store := storeOf(t, nodetest.Start(t, 1).Context(0))
	o, f := store.Promise(), func(objstore.Outcome) {}
	if allocs := testing.AllocsPerRun(100, func() { store.When(o, f).Forget() }); allocs > 1 {
		t.Errorf("it takes %v allocations", allocs)
	}
}
