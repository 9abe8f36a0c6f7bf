package actor_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"manta/actor"
	"manta/objstore"
)

func TestThreeCallsRunAtATimeAndNeverFour(t *testing.T) {
	ctx, s := setup(t), newStage(t)
	hold := actor.Method(trios.New(ctx, s.trio()), (*trio).Hold)
	gates := []string{"a", "b", "c", "d", "e", "f"}
	refs := hold.Map(ctx, gates)

	s.await("a begins", "b begins", "c begins") // three are there together
	for i, gate := range gates {
		if begun := begun(s.read()); begun != min(i+3, len(gates)) {
			t.Fatalf("%d calls have begun after %d ended: %q", begun, i, s.read())
		}
		s.open(gate)
		if _, err := refs[i].Get(ctx); err != nil {
			t.Fatal(err)
		}
		if i+3 < len(gates) {
			s.await(gates[i+3] + " begins")
		}
	}
}

// begun counts the calls that have begun.
func begun(diary []string) (n int) {
	for _, entry := range diary {
		var gate string
		if _, err := fmt.Sscanf(entry, "%s begins", &gate); err == nil {
			n++
		}
	}
	return n
}

// crowd counts the calls that are in it.
type crowd struct {
	inside, most atomic.Int32
}

func (c *crowd) Visit(context.Context, int) (int32, error) {
	inside := c.inside.Add(1)
	defer c.inside.Add(-1)
	for most := c.most.Load(); inside > most && !c.most.CompareAndSwap(most, inside); most = c.most.Load() {
	}
	return inside, nil
}

var crowds = actor.Define[crowd]("crowd", actor.Concurrency(3))

func TestAThousandShortCallsNeverMeetInFours(t *testing.T) {
	ctx := setup(t)
	inside, err := objstore.GetAll(ctx, actor.Method(crowds.New(ctx, crowd{}), (*crowd).Visit).Map(ctx, make([]int, 1000)))
	if err != nil {
		t.Fatal(err)
	}
	if most := slices.Max(inside); most > 3 {
		t.Errorf("%d calls ran at once, want at most 3", most)
	}
}

func TestASequentialActorNeedsNoLocks(t *testing.T) {
	c := clientAndHosts(t, 1) // the race detector watches counter.n
	ctx := timeout(t, c.Context(0))
	server := counters.New(ctx, counter{})
	var refs []objstore.Ref[int]
	for i := range 500 {
		refs = append(refs, actor.Method(server, (*counter).Add).Go(timeout(t, c.Context(i%2)), 1))
	}
	if _, err := objstore.GetAll(ctx, refs); err != nil {
		t.Fatal(err)
	}
	if n, err := actor.Method0(server, (*counter).Value).Call(ctx); err != nil || n != 500 {
		t.Errorf("got %d, %v, want 500", n, err)
	}
}
