package task_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

// weigh says where it ran, and nowhere is served by nobody.
var (
	weigh = task.Define("weigh", func(ctx context.Context, _ []byte) (string, error) { return task.Current(ctx).Node, nil })
	grow  = task.Define("grow", func(_ context.Context, n int) ([]byte, error) { return make([]byte, n), nil })

	nowhere = task.Declare[int, int]("nowhere")
)

const large = 1 << 20

// labelled gives each node its labels.
func labelled(labels ...map[string]string) nodetest.Option {
	return nodetest.Configure(func(i int, cfg *node.Config) { cfg.Labels = labels[min(i, len(labels)-1)] })
}

func client(indices ...int) nodetest.Option {
	return nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = slices.Contains(indices, i) })
}

func waitAtMost(d time.Duration) nodetest.Option {
	return nodetest.Configure(func(_ int, cfg *node.Config) { cfg.InfeasibleAfter = d })
}

// where runs tasks that are held until all have come, and returns how many ran on each node.
func where(t *testing.T, c *nodetest.Cluster, n int, opts ...task.Option) map[string]int {
	t.Helper()
	g := newGate(t)
	refs := pass.With(opts...).Map(c.Context(0), slices.Repeat([]string{g.name}, n))
	counts := make(map[string]int)
	for _, info := range g.await(n) {
		counts[info.Node]++
	}
	g.open()
	getAll(t, c.Context(0), refs)
	return counts
}

func TestLabelsSayOnWhichNodesATaskRuns(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, at ...nodetest.Option) {
		t.Parallel()
		c := nodetest.Start(t, 4, append(at, nodetest.CPUs(8), labelled(
			map[string]string{"zone": "eu", "gpu": "a100"}, map[string]string{"zone": "us"}, map[string]string{"zone": "asia", "gpu": "h100"}, nil))...)
		for selector, nodes := range map[string][]int{
			"zone=eu":               {0},
			"zone!=eu":              {1, 2, 3},
			"zone in (eu, us)":      {0, 1},
			"zone notin (eu, us)":   {2, 3},
			"gpu,gpu!=a100":         {2},
			"!gpu,zone in (eu, us)": {1},
		} {
			var ids []string
			for _, i := range nodes {
				ids = append(ids, c.Node(i).ID())
			}
			counts := where(t, c, 8, task.Labels(selector))
			for id, n := range counts {
				if !slices.Contains(ids, id) {
					t.Errorf("%s: %d tasks ran on node %s, want them on %v", selector, n, id, ids)
				}
			}
			for range 20 { // one at a time, the lane is idle in between
				if id := get(t, c.Context(0), weigh.With(task.Labels(selector)).Go(c.Context(0), nil)); !slices.Contains(ids, id) {
					t.Errorf("%s: a task ran on node %s, want it on %v", selector, id, ids)
				}
			}
		}
	})
}

func TestATaskWhoseLabelsNoNodeHasRunsOnceOneJoins(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]nodetest.Option{"others serve it": nil, "nobody serves it": {client(0, 1)}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := nodetest.Start(t, 2, append(opts, labelled(map[string]string{"zone": "eu"}))...)
			ctx := c.Context(0)
			refs := weigh.With(task.Labels("zone=us")).Map(ctx, make([][]byte, 5))
			if ready, _, err := objstore.Wait(ctx, refs, 0); err != nil || len(ready) > 0 {
				t.Errorf("%v, %v", ready, err)
			}
			i := c.Add(labelled(map[string]string{"zone": "us"}))
			for _, id := range getAll(t, ctx, refs) {
				if id != c.Node(i).ID() {
					t.Errorf("a task ran on node %s, want %s, which joined", id, c.Node(i).ID())
				}
			}
		})
	}
}

func TestWhatNoNodeCouldEverRunFailsWithWhatItNeedsAndTheNodesHave(t *testing.T) {
	t.Parallel()
	c := nodetest.Start(t, 2, waitAtMost(200*time.Millisecond), labelled(map[string]string{"zone": "eu"}, nil))
	ctx := c.Context(0)
	for name, test := range map[string]struct {
		r    objstore.Ref[int]
		want error
		says []string
	}{
		"labels": {
			double.With(task.Labels("zone=us", "arch!=arm")).Go(ctx, 1), task.ErrInfeasible,
			[]string{`"double"`, "CPU:1", "arch!=arm,zone=us", c.Node(0).ID() + " CPU:4 with zone=eu", c.Node(1).ID() + " CPU:4 with no labels"},
		},
		"labels and a need": {
			double.With(task.Labels("zone=eu"), task.Resources(map[string]float64{"gpu": 1})).Go(ctx, 1), task.ErrInfeasible,
			[]string{"gpu:1", "zone=eu", c.Node(0).ID() + " CPU:4 with zone=eu"},
		},
		"a node that nobody knows":         {double.With(task.OnNode("0000000000002", task.Hard)).Go(ctx, 1), task.ErrInfeasible, []string{"there is no node 0000000000002"}},
		"a node that has too little":       {double.With(task.OnNode(c.Node(1).ID(), task.Hard), task.CPUs(5)).Go(ctx, 1), task.ErrInfeasible, []string{"CPU:5", "CPU:4"}},
		"a function that nobody serves":    {nowhere.With(task.Labels("zone=eu")).Go(ctx, 1), task.ErrNotRegistered, []string{`no node serves "nowhere"`}},
		"a node that does not serve it":    {nowhere.With(task.OnNode(c.Node(1).ID(), task.Hard)).Go(ctx, 1), task.ErrNotRegistered, []string{`does not serve "nowhere"`}},
		"labels that are wrong themselves": {double.With(task.Labels("zone in eu")).Go(ctx, 1), nil, []string{"double", "character 9", "zone in (eu, us)"}},
		"an id that is none":               {double.With(task.OnNode("berlin", task.Soft)).Go(ctx, 1), nil, []string{"double", "OnNode", "berlin"}},
	} {
		err := getError(t, ctx, test.r)
		if test.want != nil {
			wantError(t, ctx, test.r, test.want)
		}
		for _, want := range test.says {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %q, want it to say %q", name, err, want)
			}
		}
	}
}

func TestATaskThatWaitsForEverOutlastsOneThatDoesNot(t *testing.T) {
	t.Parallel()
	c := nodetest.Start(t, 2, nodetest.Configure(func(i int, cfg *node.Config) {
		cfg.InfeasibleAfter = []time.Duration{-1, 300 * time.Millisecond}[min(i, 1)]
	}))
	patient := weigh.With(task.Labels("zone=us")).Go(c.Context(0), nil)
	wantError(t, c.Context(1), weigh.With(task.Labels("zone=us")).Go(c.Context(1), nil), task.ErrInfeasible)
	i := c.Add(labelled(map[string]string{"zone": "us"}))
	if id := get(t, c.Context(0), patient); id != c.Node(i).ID() {
		t.Errorf("it ran on %s", id)
	}
}

func TestTasksThatAreSpreadRunEvenlyOnAllNodes(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, at ...nodetest.Option) {
		t.Parallel()
		c := nodetest.Start(t, 4, append(at, nodetest.Configure(func(i int, cfg *node.Config) { cfg.CPUs = float64(8 * (i + 1)) }))...)
		for range 5 {
			if counts := where(t, c, 16, task.Spread()); len(counts) != 4 || counts[c.Node(0).ID()] != 4 || counts[c.Node(3).ID()] != 4 {
				t.Errorf("of 16 tasks on 4 nodes ran %v, want 4 on each", counts)
			}
		}
		one := weigh.With(task.Spread())
		counts := make(map[string]int)
		for range 20 {
			counts[get(t, c.Context(0), one.Go(c.Context(0), nil))]++
		}
		for id, n := range counts {
			if n != 5 || len(counts) != 4 {
				t.Errorf("of 20 tasks, one after the other, %d ran on %s, want 5 on each: %v", n, id, counts)
			}
		}
	})
}

func TestATaskThatIsBoundToANodeRunsThereAlone(t *testing.T) {
	t.Parallel()
	c := nodetest.Start(t, 3, nodetest.CPUs(2))
	there := task.OnNode(c.Node(1).ID(), task.Hard)
	g := newGate(t)
	refs := pass.With(there).Map(c.Context(0), slices.Repeat([]string{g.name}, 6))
	if here, elsewhere := split(g.await(2), c.Node(1).ID()); here != 2 || elsewhere != 0 {
		t.Errorf("%d run there, %d elsewhere", here, elsewhere)
	}
	get(t, c.Context(0), double.Go(c.Context(0), 1)) // others have room, and the rest waits
	if n := g.count.Load(); n != 2 {
		t.Errorf("%d run on a node of 2 CPUs", n)
	}
	g.open()
	for _, id := range getAll(t, c.Context(0), refs) {
		if id != c.Node(1).ID() {
			t.Errorf("one ran on %s", id)
		}
	}
}

func TestATaskThatIsBoundToANodeThatHasLeftFailsAtOnce(t *testing.T) {
	for name, lose := range map[string]func(*testing.T, *nodetest.Cluster, int){
		"killed": func(_ *testing.T, c *nodetest.Cluster, i int) { c.Kill(i) },
		"closed": closeNode,
	} {
		t.Run(name, func(t *testing.T) {
			nodetest.Virtual(t, func(t *testing.T) {
				c := nodetest.Start(t, 3, waitAtMost(-1))
				bound := pass.With(task.OnNode(c.Node(2).ID(), task.Hard))
				g := newGate(t)
				before := bound.Go(c.Context(0), g.name)
				g.await(1)
				lose(t, c, 2)
				for _, r := range []objstore.Ref[string]{before, bound.Go(c.Context(0), g.name)} {
					if err := getError(t, c.Context(0), r); !strings.Contains(err.Error(), c.Node(2).ID()+" has left") {
						t.Errorf("got %q", err)
					}
					wantError(t, c.Context(0), r, task.ErrInfeasible)
				}
				wantError(t, c.Context(0), before, task.ErrWorkerLost) // it may have run
			})
		})
	}
}

func TestATaskThatPrefersANodeRunsThereWhileItHasRoom(t *testing.T) {
	t.Parallel()
	c := nodetest.Start(t, 3, nodetest.CPUs(2))
	soft := task.OnNode(c.Node(1).ID(), task.Soft)
	for range 10 {
		if counts := where(t, c, 2, soft); counts[c.Node(1).ID()] != 2 {
			t.Errorf("it is free, and of 2 tasks ran %v", counts)
		}
	}
	if counts := where(t, c, 6, soft); counts[c.Node(1).ID()] != 2 || len(counts) != 3 {
		t.Errorf("of 6 tasks on 3 nodes of 2 CPUs ran %v", counts)
	}
	closeNode(t, c, 1)
	c.AwaitMembers(0, 2)
	if counts := where(t, c, 4, soft); len(counts) != 2 {
		t.Errorf("it has left, and of 4 tasks on 2 nodes of 2 CPUs ran %v", counts)
	}
}

func TestATaskRunsWhereItsLargeArgumentIs(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, at ...nodetest.Option) {
		t.Parallel()
		c := nodetest.Start(t, 4, append(at, nodetest.CPUs(2), client(0))...)
		ctx := c.Context(0)
		data := objstore.Put(c.Context(2), make([]byte, large))
		result := grow.With(task.OnNode(c.Node(3).ID(), task.Hard)).Go(ctx, large)
		for range 10 {
			if id := get(t, ctx, weigh.On(ctx, data)); id != c.Node(2).ID() {
				t.Errorf("it ran on %s, want %s, whose object it reads", id, c.Node(2).ID())
			}
			if id := get(t, ctx, weigh.On(ctx, result)); id != c.Node(3).ID() {
				t.Errorf("it ran on %s, want %s, which made what it reads", id, c.Node(3).ID())
			}
		}
		g := newGate(t)
		held := pass.With(task.OnNode(c.Node(2).ID(), task.Hard)).Map(ctx, []string{g.name, g.name})
		g.await(2)
		for range 3 {
			if id := get(t, ctx, weigh.On(ctx, data)); id == c.Node(2).ID() {
				t.Error("it ran on a node that is full")
			}
		}
		g.open()
		getAll(t, ctx, held)
	})
}
