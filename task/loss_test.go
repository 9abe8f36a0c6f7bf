package task_test

import (
	"slices"
	"testing"

	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

// split counts the tasks that run on a node and those that run elsewhere.
func split(infos []task.Info, node string) (there, elsewhere int) {
	for _, info := range infos {
		if info.Node == node {
			there++
		}
	}
	return there, len(infos) - there
}

func TestTasksOfALostNodeRunElsewhere(t *testing.T) {
	for name, lose := range map[string]func(*testing.T, *nodetest.Cluster, int){
		"killed": func(_ *testing.T, c *nodetest.Cluster, i int) { c.Kill(i) },
		"closed": closeNode,
	} {
		t.Run(name, func(t *testing.T) {
			nodetest.Virtual(t, func(t *testing.T) {
				c := nodetest.Start(t, 2, nodetest.CPUs(2))
				g := newGate(t)
				refs := pass.Map(c.Context(0), []string{g.name, g.name, g.name, g.name})
				there, _ := split(g.await(4), c.Node(1).ID())
				if there != 2 {
					t.Fatalf("%d tasks run on node 1, want 2", there)
				}
				lose(t, c, 1)
				g.open()
				for _, where := range getAll(t, c.Context(0), refs) {
					if where != c.Node(0).ID() {
						t.Errorf("the result is of %s, want the node that is left", where)
					}
				}
				for _, info := range g.await(2) {
					if info.Attempt != 2 || info.Node != c.Node(0).ID() {
						t.Errorf("again: %+v, want the second attempt on the node that is left", info)
					}
				}
			})
		})
	}
}

func closeNode(t *testing.T, c *nodetest.Cluster, i int) {
	if err := c.Node(i).Close(); err != nil {
		t.Error(err)
	}
}

func TestATaskWithoutRetriesFailsAsLost(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := nodetest.Start(t, 2, nodetest.CPUs(1))
		g := newGate(t)
		refs := pass.With(task.Retries(0)).Map(c.Context(0), []string{g.name, g.name})
		infos := g.await(2)
		c.Kill(1)
		slices.SortFunc(infos, func(a, _ task.Info) int { // the lost one first
			if a.Node == c.Node(1).ID() {
				return -1
			}
			return 1
		})
		of := func(info task.Info) objstore.Ref[string] {
			return refs[slices.IndexFunc(refs, func(r objstore.Ref[string]) bool { return r.ID() == info.ID })]
		}
		wantError(t, c.Context(0), of(infos[0]), task.ErrWorkerLost)
		g.open()
		if where := get(t, c.Context(0), of(infos[1])); where != c.Node(0).ID() {
			t.Errorf("the other ran on %s", where)
		}
		if n := g.count.Load(); n != 2 {
			t.Errorf("%d tasks ran, want 2", n)
		}
	})
}

func TestACancelledTaskIsNotTriedAgain(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		nodetest.Virtual(t, func(t *testing.T) {
			c := nodetest.Start(t, 3, nodetest.CPUs(1), nodetest.Configure(node1IsAClient))
			g := newGate(t)
			ctx, cancel := w.begin(t, c)
			refs := pass.Map(ctx, []string{g.name, g.name})
			g.await(2)
			c.Kill(2)
			cancel(anyOf(refs...)...)
			for _, r := range refs {
				wantCancelled(t, c.Context(0), r)
			}
			c.AwaitMembers(0, 1)
			if err := c.Node(0).Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := g.count.Load(); n != 2 {
				t.Errorf("%d tasks ran, want 2", n)
			}
		})
	})
}

func TestNoTaskIsLostWithItsNode(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := nodetest.Start(t, 3, nodetest.CPUs(2))
		numbers := make([]int, 600)
		for i := range numbers {
			numbers[i] = i
		}
		refs := double.Map(c.Context(0), numbers)
		g := newGate(t)
		held := pass.Map(c.Context(0), []string{g.name, g.name, g.name, g.name, g.name, g.name})
		g.await(6) // each node holds some of them
		c.Kill(2)
		g.open()
		for i, got := range getAll(t, c.Context(0), refs) {
			if got != 2*i {
				t.Errorf("task %d: got %d", i, got)
			}
		}
		getAll(t, c.Context(0), held)
		c.AwaitMembers(0, 1)
		wantAllFree(t, c.Node(0))
		wantAllFree(t, c.Node(1))
	})
}

func TestANodeThatJoinsTakesItsShare(t *testing.T) {
	c := nodetest.Start(t, 1, nodetest.CPUs(2))
	g := newGate(t)
	refs := pass.Map(c.Context(0), []string{g.name, g.name, g.name, g.name})
	g.await(2)
	c.Add(nodetest.CPUs(2))
	there, _ := split(g.await(2), c.Node(1).ID())
	if there != 2 {
		t.Errorf("%d tasks run on the new node, want 2", there)
	}
	g.open()
	if where := getAll(t, c.Context(0), refs); !slices.Contains(where, c.Node(1).ID()) {
		t.Errorf("they ran on %v", where)
	}
}

func TestWhatANodeHadOfOneLaneIsNotTakenForWhatReachedNobodyOfAnother(t *testing.T) {
	t.Parallel()
	c := nodetest.Start(t, 2, nodetest.Configure(func(i int, cfg *node.Config) {
		if i == 0 {
			cfg.CPUs, cfg.Resources = 0, map[string]float64{"CPU": 0} // so both run on the other
		}
	}))
	g := newGate(t)
	once := pass.With(task.Retries(0))
	whole, half := once.Go(c.Context(0), g.name), once.With(task.CPUs(0.5)).Go(c.Context(0), g.name)
	g.await(2)
	c.Kill(1)
	wantError(t, c.Context(0), whole, task.ErrWorkerLost)
	wantError(t, c.Context(0), half, task.ErrWorkerLost)
}
