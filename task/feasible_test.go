package task_test

import (
	"strings"
	"testing"
	"time"

	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

func TestANeedThatNoNodeCouldEverMeetFailsAfterAWhile(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := nodetest.Start(t, 2)
		ctx := c.Context(0)
		begun := time.Now()
		tooMany := double.With(task.CPUs(5)).Go(ctx, 1)
		unheardOf := double.With(task.Resources(map[string]float64{"gpu": 1})).Map(ctx, []int{1, 2})
		if got := get(t, ctx, double.Go(ctx, 1)); got != 2 { // others go on
			t.Errorf("got %d", got)
		}
		wantError(t, ctx, tooMany, task.ErrInfeasible)
		for _, r := range unheardOf {
			wantError(t, ctx, r, task.ErrInfeasible)
		}
		if took := time.Since(begun); took < 10*time.Second || took > 11*time.Second {
			t.Errorf("they failed after %v, want 10 s", took)
		}
		err := getError(t, ctx, unheardOf[0])
		for _, want := range []string{`"double"`, "gpu:1", c.Node(1).ID(), "CPU:4"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("got %q, want it to name %s", err, want)
			}
		}
	})
}

func TestANeedThatANewNodeMeetsRunsThere(t *testing.T) {
	t.Parallel()
	withGPU := nodetest.Configure(func(_ int, cfg *node.Config) { cfg.Resources = map[string]float64{"gpu": 1} })
	for name, others := range map[string]func(i int, cfg *node.Config){
		"others have too little": func(int, *node.Config) {},
		"others have nothing":    func(_ int, cfg *node.Config) { cfg.CPUs, cfg.Resources = 0, map[string]float64{"CPU": 0} },
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, where ...nodetest.Option) {
				t.Parallel()
				c := nodetest.Start(t, 2, append(where, nodetest.Configure(others))...)
				g := newGate(t)
				g.open()
				refs := pass.With(task.Resources(map[string]float64{"gpu": 1})).Map(c.Context(0), []string{g.name, g.name, g.name})
				if ready, _, err := objstore.Wait(c.Context(0), refs, 0); err != nil || len(ready) > 0 {
					t.Errorf("%v, %v", ready, err)
				}
				i := c.Add(withGPU)
				for _, where := range getAll(t, c.Context(0), refs) {
					if where != c.Node(i).ID() {
						t.Errorf("a task ran on %s, want the new node", where)
					}
				}
			})
		})
	}
}

func TestANodeThatOnlySubmitsServesNothing(t *testing.T) {
	c := nodetest.Start(t, 3, nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i != 1 }))
	g := newGate(t)
	g.open()
	for i := range 3 {
		for _, where := range getAll(t, c.Context(i), pass.Map(c.Context(i), []string{g.name, g.name, g.name})) {
			if where != c.Node(1).ID() {
				t.Errorf("a task of node %d ran on %s", i, where)
			}
		}
	}
}
