package placement_test

import (
	"context"
	"slices"
	"testing"

	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/placement"
	"manta/task"
)

func TestBundlesOfADeadNodeArePlacedAgainAndTheirTasksRunThere(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, ctx := stage(t)
		g := formOn(t, c, 2, bundles(2, 2), placement.StrictSpread)
		gate := newGate(t)
		lost := slices.IndexFunc(bundlesOf(t, ctx, g), func(b placement.Placed) bool { return b.Node == c.Node(2).ID() })
		refs := hold.With(task.InBundle(g, lost)).Map(ctx, []string{gate.name, gate.name, gate.name})
		for range 2 {
			if at := gate.entered(t); at != c.Node(2).ID() {
				t.Fatalf("a task runs on node %s, its bundle is on %s", at, c.Node(2).ID())
			}
		}
		c.Kill(2)
		for range 2 {
			if at := gate.entered(t); at == c.Node(2).ID() {
				t.Fatal("a task begins on a dead node")
			}
		}
		ready(t, ctx, g)
		at := places(t, ctx, g)
		if len(at) != 2 || at[c.Node(2).ID()] != 0 || at[""] != 0 {
			t.Errorf("the bundles are at %v, want one on each node that is left", at)
		}
		gate.open()
		ran, err := objstore.GetAll(ctx, refs)
		if err != nil {
			t.Fatal(err)
		}
		for _, node := range ran {
			if node != bundlesOf(t, ctx, g)[lost].Node {
				t.Errorf("a task ran on node %s, its bundle is on %s", node, bundlesOf(t, ctx, g)[lost].Node)
			}
		}
		free(t, c, 2, 2)
		remove(t, ctx, g)
		free(t, c, 4, 4)
	})
}

func TestAStrictlyPackedGroupMovesAsAWhole(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, ctx := stage(t)
		g := formOn(t, c, 2, bundles(2, 2), placement.StrictPack)
		c.Kill(2)
		c.AwaitMembers(0, 1)
		ready(t, ctx, g)
		if at := places(t, ctx, g); len(at) != 1 || at[c.Node(2).ID()] > 0 {
			t.Errorf("the bundles are at %v, want all on one living node", at)
		}
	})
}

// formOn forms groups until node i has bundles of one, and returns that.
func formOn(t *testing.T, c *nodetest.Cluster, i int, bundles []placement.Bundle, s placement.Strategy) placement.Group {
	t.Helper()
	ctx := c.Context(0)
	for {
		g := form(t, ctx, bundles, s)
		ready(t, ctx, g)
		if places(t, ctx, g)[c.Node(i).ID()] > 0 {
			return g
		}
		remove(t, ctx, g)
	}
}

func TestACreatorThatDiesLeavesNothing(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, _ := stage(t)
		g := form(t, c.Context(2), bundles(3, 2), placement.StrictSpread)
		ready(t, c.Context(2), g)
		free(t, c, 2, 2, 2)
		c.Kill(2)
		eventually(t, "the nodes have back what the dead creator had reserved", func() bool {
			return freeCPUs(c.Node(0)) == 4 && freeCPUs(c.Node(1)) == 4
		})
		remove(t, c.Context(0), g)
		if err := g.Ready(c.Context(0)); err == nil {
			t.Error("the group of a dead creator is ready")
		}
	})
}

func TestACreatorThatClosesLeavesNothing(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, _ := stage(t)
		g := form(t, c.Context(2), bundles(3, 2), placement.StrictSpread)
		ready(t, c.Context(2), g)
		if err := c.Node(2).Close(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the nodes have back what the creator had reserved", func() bool {
			return freeCPUs(c.Node(0)) == 4 && freeCPUs(c.Node(1)) == 4
		})
	})
}

func TestWhatIsReservedAndNotClaimedIsFreeAgain(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, _ := stage(t)
		nc := c.Connect()
		g := placement.GroupOf(c.Node(1).ID())
		answer, err := nc.Request("manta.default.node."+c.Node(0).ID()+".bundle", placement.ReserveForAMoment(g, 3), patience)
		if err != nil || !placement.Followed(answer.Data) {
			t.Fatalf("the node does not reserve: %v", err)
		}
		free(t, c, 1, 4)
		eventually(t, "the node has it back", func() bool { return freeCPUs(c.Node(0)) == 4 })
	})
}

func TestANodeThatWasTakenForDeadKeepsNoBundleThatIsElsewhere(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, ctx := stage(t)
		g := formOn(t, c, 2, bundles(2, 2), placement.StrictSpread)
		c.Pause(2)
		awaitCount(t, ctx, 2)
		ready(t, ctx, g)
		free(t, c, 2, 2)
		c.Resume(2)
		awaitCount(t, ctx, 3)
		eventually(t, "the node that is back has released the bundle", func() bool { return freeCPUs(c.Node(2)) == 4 })
		free(t, c, 2, 2)
		c.Kill(1)
		awaitCount(t, ctx, 2)
		ready(t, ctx, g)
		if at := places(t, ctx, g); at[c.Node(2).ID()] != 1 {
			t.Errorf("the bundles are at %v, want one on the node that is back", at)
		}
		remove(t, ctx, g)
		eventually(t, "all is free", func() bool { return freeCPUs(c.Node(0)) == 4 && freeCPUs(c.Node(2)) == 4 })
	})
}

func TestACreatorThatWasTakenForDeadPlacesItsGroupsAgain(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, ctx := stage(t)
		g := form(t, ctx, bundles(3, 2), placement.StrictSpread)
		ready(t, ctx, g)
		c.Pause(0)
		eventually(t, "the others have released what it had", func() bool {
			return freeCPUs(c.Node(1)) == 4 && freeCPUs(c.Node(2)) == 4
		})
		c.Resume(0)
		eventually(t, "its bundles are there again", func() bool {
			return freeCPUs(c.Node(0)) == 2 && freeCPUs(c.Node(1)) == 2 && freeCPUs(c.Node(2)) == 2
		})
		if _, err := where.With(task.InBundle(g, 1)).Call(ctx, 0); err != nil {
			t.Error(err)
		}
		remove(t, ctx, g)
		free(t, c, 4, 4, 4)
	})
}

func awaitCount(t *testing.T, ctx context.Context, want int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := node.AwaitMembers(ctx, func(members []node.Info) bool { return len(members) == want }); err != nil {
		t.Fatalf("there are not %d nodes: %v", want, err)
	}
}
