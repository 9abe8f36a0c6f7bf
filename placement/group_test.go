package placement_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"manta/bus"
	"manta/node/nodetest"
	"manta/placement"
	"manta/task"
)

func TestStrictSpreadPutsEveryBundleOnANodeOfItsOwn(t *testing.T) {
	c, ctx := stage(t)
	g := form(t, ctx, bundles(3, 1), placement.StrictSpread)
	ready(t, ctx, g)
	if at := places(t, ctx, g); len(at) != 3 {
		t.Errorf("the bundles are at %v, want one on each of three nodes", at)
	}
	free(t, c, 3, 3, 3)
	remove(t, ctx, g)
	free(t, c, 4, 4, 4)
}

func TestStrictSpreadOverMoreNodesThanThereArePendsAndReservesNothing(t *testing.T) {
	c, ctx := stage(t)
	g := form(t, ctx, bundles(4, 1), placement.StrictSpread)
	pending(t, ctx, g)
	free(t, c, 4, 4, 4)
	c.Add(nodetest.CPUs(1))
	ready(t, ctx, g)
}

func TestStrictPackPutsAllBundlesOnOneNode(t *testing.T) {
	c, ctx := stage(t)
	g := form(t, ctx, bundles(4, 1), placement.StrictPack)
	ready(t, ctx, g)
	if at := places(t, ctx, g); len(at) != 1 {
		t.Errorf("the bundles are at %v, want all on one node", at)
	}
	all := []float64{freeCPUs(c.Node(0)), freeCPUs(c.Node(1)), freeCPUs(c.Node(2))}
	if slices.Sort(all); !slices.Equal(all, []float64{0, 4, 4}) {
		t.Errorf("the nodes have %v CPUs free, want 0 on one and 4 on the others", all)
	}
}

func TestStrictPackThatFitsNoNodePendsAndReservesNothing(t *testing.T) {
	c, ctx := stage(t)
	g := form(t, ctx, bundles(5, 1), placement.StrictPack)
	pending(t, ctx, g)
	free(t, c, 4, 4, 4)
	if at := places(t, ctx, g); at[""] != 5 {
		t.Errorf("the bundles are at %v, want nowhere", at)
	}
	remove(t, ctx, g)
	free(t, c, 4, 4, 4)
}

func TestPackUsesAsFewNodesAsItCan(t *testing.T) {
	_, ctx := stage(t)
	for n, nodes := range map[int]int{4: 1, 6: 2} {
		g := form(t, ctx, bundles(n, 1), placement.Pack)
		ready(t, ctx, g)
		if at := places(t, ctx, g); len(at) != nodes {
			t.Errorf("%d bundles are at %v, want %d nodes", n, at, nodes)
		}
		remove(t, ctx, g)
	}
}

func TestSpreadUsesAsManyNodesAsItCan(t *testing.T) {
	_, ctx := stage(t)
	g := form(t, ctx, bundles(6, 1), placement.Spread)
	ready(t, ctx, g)
	at := places(t, ctx, g)
	if got := slices.Sorted(maps.Values(at)); !slices.Equal(got, []int{2, 2, 2}) {
		t.Errorf("the bundles are at %v, want two on each node", at)
	}
}

func TestAGroupIsRemovedTwiceWithoutAnError(t *testing.T) {
	c, ctx := stage(t)
	g := form(t, ctx, bundles(6, 2), placement.Pack)
	ready(t, ctx, g)
	free(t, c, 0, 0, 0)
	remove(t, ctx, g)
	free(t, c, 4, 4, 4)
	remove(t, ctx, g)
	remove(t, c.Context(1), g)
	if err := g.Ready(ctx); !errors.Is(err, placement.ErrRemoved) {
		t.Errorf("Ready of a removed group returns %v, want ErrRemoved", err)
	}
	if _, err := g.Bundles(c.Context(1)); !errors.Is(err, placement.ErrRemoved) {
		t.Errorf("Bundles of a removed group returns %v, want ErrRemoved", err)
	}
	free(t, c, 4, 4, 4)
}

func TestAnotherNodeRemovesAGroup(t *testing.T) {
	c, ctx := stage(t)
	g := form(t, ctx, bundles(3, 2), placement.StrictSpread)
	ready(t, c.Context(1), g)
	free(t, c, 2, 2, 2)
	remove(t, c.Context(2), g)
	free(t, c, 4, 4, 4)
	if err := g.Ready(ctx); !errors.Is(err, placement.ErrRemoved) {
		t.Errorf("Ready of a removed group returns %v, want ErrRemoved", err)
	}
}

func TestOfTwoCreatorsThatWantTheLastRoomOneGetsItAndTheOtherNothing(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, ctx := stage(t)
		for range 5 {
			both := [2]placement.Group{
				form(t, ctx, bundles(3, 3), placement.StrictSpread), form(t, c.Context(1), bundles(3, 3), placement.StrictSpread),
			}
			ctxs := [2]context.Context{ctx, c.Context(1)}
			won := make(chan int, 2)
			waiting, stop := context.WithCancel(t.Context())
			for i := range both {
				go func() {
					if both[i].Ready(nodeCtx(waiting, c, i)) == nil {
						won <- i
					} else {
						won <- -1
					}
				}()
			}
			first := <-won
			if first < 0 {
				t.Fatal("nobody gets the room")
			}
			loser := 1 - first
			pending(t, ctxs[loser], both[loser])
			free(t, c, 1, 1, 1)
			remove(t, ctxs[first], both[first])
			if second := <-won; second != loser {
				t.Fatalf("the other creator is told %d, want %d", second, loser)
			}
			free(t, c, 1, 1, 1)
			remove(t, ctxs[loser], both[loser])
			free(t, c, 4, 4, 4)
			stop()
		}
	})
}

func TestARefusalOfOneNodeLeavesNothingOnTheOthers(t *testing.T) {
	c, ctx := stage(t)
	before := formOn(t, c, 2, bundles(1, 3), placement.Pack)
	other := c.Context(1) // its node does not know what is free on the third
	g := form(t, other, bundles(3, 3), placement.StrictSpread)
	pending(t, other, g)
	free(t, c, 4, 4, 1)
	remove(t, ctx, before)
	ready(t, other, g)
	free(t, c, 1, 1, 1)
}

func nodeCtx(ctx context.Context, c *nodetest.Cluster, i int) context.Context {
	return c.Node(i).Context(ctx)
}

func TestAPendingGroupGetsTheRoomThatATaskLeaves(t *testing.T) {
	_, ctx := stage(t)
	gate := newGate(t)
	held := hold.With(task.CPUs(4)).Go(ctx, gate.name)
	gate.entered(t)
	g := form(t, ctx, bundles(3, 4), placement.StrictSpread)
	pending(t, ctx, g)
	gate.open()
	if _, err := held.Get(ctx); err != nil {
		t.Fatal(err)
	}
	ready(t, ctx, g)
}

func TestWhatAGroupCannotBeIsSaidAtOnce(t *testing.T) {
	_, ctx := stage(t)
	for name, bad := range map[string][]placement.Bundle{
		"none":     nil,
		"empty":    {{"CPU": 1}, {}},
		"nothing":  {{"CPU": 0}},
		"negative": {{"CPU": -1}},
		"reserved": {{"CPU@x": 1}},
	} {
		if _, err := placement.New(ctx, bad, placement.Pack); err == nil {
			t.Errorf("bundles %s: no error", name)
		}
	}
	if _, err := placement.New(ctx, bundles(1, 1), 9); err == nil {
		t.Error("a strategy that does not exist: no error")
	}
	if _, err := placement.New(t.Context(), bundles(1, 1), placement.Pack); !errors.Is(err, bus.ErrNoNode) {
		t.Errorf("a ctx without a node: %v, want ErrNoNode", err)
	}
	if err := (placement.Group{}).Ready(ctx); err == nil {
		t.Error("the zero Group is ready")
	}
}
