package placement_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"manta/objstore"
	"manta/placement"
	"manta/task"
)

func TestTasksRunWhereTheirBundleIs(t *testing.T) {
	c, ctx := stage(t)
	g := form(t, ctx, bundles(3, 1), placement.StrictSpread)
	for _, from := range []context.Context{ctx, c.Context(1)} {
		var refs []objstore.Ref[string]
		for n := range 60 {
			refs = append(refs, where.With(task.InBundle(g, n%3)).Go(from, n))
		}
		ran, err := objstore.GetAll(from, refs)
		if err != nil {
			t.Fatal(err)
		}
		all, err := g.Bundles(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for n, node := range ran {
			if node != all[n%3].Node {
				t.Fatalf("a task in bundle %d ran on node %s, the bundle is on %s", n%3, node, all[n%3].Node)
			}
		}
	}
}

func TestTasksInAGroupTakeOfItsBundlesAlone(t *testing.T) {
	c, ctx := stage(t)
	g := form(t, ctx, bundles(2, 2), placement.StrictPack)
	ready(t, ctx, g)
	gate := newGate(t)
	inAny := hold.With(task.InGroup(g), task.CPUs(2))
	refs := inAny.Map(ctx, []string{gate.name, gate.name})
	gate.entered(t)
	gate.entered(t)
	third := inAny.Go(ctx, gate.name)
	outside := hold.With(task.CPUs(2)).Map(ctx, slices.Repeat([]string{gate.name}, 4)) // fill the two other nodes
	for range 4 {
		if at := gate.entered(t); places(t, ctx, g)[at] > 0 {
			t.Errorf("a task that is bound to no bundle runs on what is reserved")
		}
	}
	free(t, c, 0, 0, 0)
	select {
	case <-gate.came:
		t.Error("three tasks of 2 CPUs run in bundles that have 4")
	case <-time.After(200 * time.Millisecond):
	}
	gate.open()
	if _, err := objstore.GetAll(ctx, append(append(refs, third), outside...)); err != nil {
		t.Fatal(err)
	}
}

func TestATaskThatNeedsNothingRunsInItsBundle(t *testing.T) {
	_, ctx := stage(t)
	g := form(t, ctx, bundles(3, 1), placement.StrictSpread)
	all := make(map[string]bool)
	for i := range 3 {
		node, err := where.With(task.InBundle(g, i), task.CPUs(0)).Call(ctx, 0)
		if err != nil {
			t.Fatal(err)
		}
		all[node] = true
	}
	if len(all) != 3 {
		t.Errorf("the tasks ran on %d nodes, want 3", len(all))
	}
}

func TestTasksOfAPendingGroupWaitForIt(t *testing.T) {
	_, ctx := stage(t)
	gate := newGate(t)
	held := hold.With(task.CPUs(4)).Go(ctx, gate.name)
	gate.entered(t)
	g := form(t, ctx, bundles(3, 4), placement.StrictSpread)
	ref := where.With(task.InGroup(g)).Go(ctx, 0)
	pending(t, ctx, g)
	gate.open()
	if _, err := ref.Get(ctx); err != nil {
		t.Error(err)
	}
	if _, err := held.Get(ctx); err != nil {
		t.Error(err)
	}
}

func TestATaskThatNoBundleCouldMeetIsInfeasible(t *testing.T) {
	_, ctx := stage(t)
	g := form(t, ctx, bundles(2, 1), placement.Pack)
	for name, option := range map[string]task.Option{"too many CPUs": task.CPUs(2), "no such bundle": task.InBundle(g, 2)} {
		_, err := where.With(task.InGroup(g), option).Call(ctx, 0)
		if !errors.Is(err, task.ErrInfeasible) {
			t.Errorf("%s: the error is %v, want ErrInfeasible", name, err)
		}
	}
}

func TestRemoveCancelsTheTasksInTheGroupAndFailsThoseThatWait(t *testing.T) {
	c, ctx := stage(t)
	g := form(t, ctx, bundles(1, 1), placement.Pack)
	gate := newGate(t)
	for _, from := range []context.Context{ctx, c.Context(1)} {
		refs := hold.With(task.InBundle(g, 0)).Map(from, slices.Repeat([]string{gate.name}, 3))
		if from == ctx {
			gate.entered(t)
			defer func() {
				for _, ref := range refs {
					if _, err := ref.Get(from); !errors.Is(err, placement.ErrRemoved) {
						t.Errorf("the error is %v, want ErrRemoved", err)
					}
				}
			}()
		} else {
			remove(t, ctx, g)
			for _, ref := range refs {
				if _, err := ref.Get(from); !errors.Is(err, placement.ErrRemoved) {
					t.Errorf("at another owner the error is %v, want ErrRemoved", err)
				}
			}
		}
	}
	if _, err := where.With(task.InGroup(g)).Call(ctx, 0); !errors.Is(err, placement.ErrRemoved) {
		t.Errorf("a task in a removed group: %v, want ErrRemoved", err)
	}
	eventually(t, "the CPUs are back", func() bool {
		return freeCPUs(c.Node(0)) == 4 && freeCPUs(c.Node(1)) == 4 && freeCPUs(c.Node(2)) == 4
	})
}

// inside submits into the group that it is given.
var inside = task.Define("placement_inside", func(ctx context.Context, g placement.Group) (string, error) {
	if err := g.Ready(ctx); err != nil {
		return "", err
	}
	return where.With(task.InBundle(g, 0)).Call(ctx, 0)
})

func TestAGroupTravelsToATaskWhichSubmitsIntoIt(t *testing.T) {
	_, ctx := stage(t)
	g := form(t, ctx, []placement.Bundle{{"CPU": 1}}, placement.Pack)
	for range 6 {
		node, err := inside.Call(ctx, g)
		if err != nil {
			t.Fatal(err)
		}
		if places(t, ctx, g)[node] != 1 {
			t.Errorf("the task ran on node %s, the bundle is at %v", node, places(t, ctx, g))
		}
	}
}

func TestATaskInABundleLendsItsCPUsWhileItWaitsForAnotherThere(t *testing.T) {
	_, ctx := stage(t)
	g := form(t, ctx, bundles(1, 1), placement.Pack)
	if _, err := inside.With(task.InBundle(g, 0)).Call(ctx, g); err != nil {
		t.Fatal(err)
	}
}
