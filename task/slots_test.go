package task_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

// stay takes a while.
var stay = task.Define("stay", func(ctx context.Context, s stayed) (task.None, error) {
	found, _ := gates.Load(s.Gate)
	defer found.(*gate).enter(1)()
	select {
	case <-time.After(s.For):
		return task.None{}, nil
	case <-ctx.Done():
		return task.None{}, context.Cause(ctx)
	}
})

type stayed struct {
	Gate string
	For  time.Duration
}

func TestEightTasksOfHalfASecondTakeASecondOnFourCPUs(t *testing.T) {
	c := nodetest.Start(t, 1, nodetest.CPUs(4))
	g := newGate(t)
	begun := time.Now()
	var refs []objstore.Ref[task.None]
	for range 8 {
		refs = append(refs, stay.Go(c.Context(0), stayed{g.name, 500 * time.Millisecond}))
	}
	getAll(t, c.Context(0), refs)
	if took := time.Since(begun); took < time.Second || took >= 1500*time.Millisecond {
		t.Errorf("they took %v, want a second", took)
	}
	if most := g.most.Load(); most != 4 {
		t.Errorf("%d ran at the same time, want 4", most)
	}
}

func TestAFifthQuarterOfACPUWaits(t *testing.T) {
	c := nodetest.Start(t, 1, nodetest.CPUs(1))
	ctx := c.Context(0)
	g := newGate(t)
	refs := pass.With(task.CPUs(0.25)).Map(ctx, []string{g.name, g.name, g.name, g.name, g.name})
	g.await(4)
	if _, free := c.Node(0).Resources(); free["CPU"] != 0 {
		t.Errorf("%v is free, want nothing", free)
	}
	if got, err := taken.With(task.CPUs(0)).Call(ctx, 1); got != 1 || err != nil { // what needs nothing goes through meanwhile
		t.Errorf("%d, %v", got, err)
	}
	g.open()
	getAll(t, ctx, refs)
	if most := g.most.Load(); most != 4 {
		t.Errorf("%d ran at the same time, want 4", most)
	}
}

func TestCustomResourcesAreEnforced(t *testing.T) {
	c := nodetest.Start(t, 2, nodetest.Configure(func(i int, cfg *node.Config) {
		if i == 1 {
			cfg.Resources = map[string]float64{"gpu": 2}
		}
	}))
	g := newGate(t)
	onGPU := pass.With(task.Resources(map[string]float64{"gpu": 1, "CPU": 0.5}))
	refs := onGPU.Map(c.Context(0), []string{g.name, g.name, g.name, g.name})
	g.await(2)
	if _, free := c.Node(1).Resources(); free.String() != "CPU:3" {
		t.Errorf("%v is free, want CPU:3", free)
	}
	g.open()
	for _, where := range getAll(t, c.Context(0), refs) {
		if where != c.Node(1).ID() {
			t.Error("a task ran on the node without a gpu")
		}
	}
	if most := g.most.Load(); most != 2 {
		t.Errorf("%d ran at the same time, want 2", most)
	}
}

// hold is what a task takes of a node, in hundredths.
type hold struct{ CPU, GPU int64 }

func (h hold) need() task.Option {
	return task.Resources(map[string]float64{"CPU": float64(h.CPU) / 100, "gpu": float64(h.GPU) / 100})
}

// hog counts what it holds of its node.
var hog = task.Define("hog", func(ctx context.Context, h hold) (task.None, error) {
	found, _ := hogged.LoadOrStore(task.Current(ctx).Node, &holds{})
	defer found.(*holds).cpu.enter(h.CPU)()
	defer found.(*holds).gpu.enter(h.GPU)()
	<-time.After(time.Millisecond) // the work
	return task.None{}, nil
})

type holds struct{ cpu, gpu crowd }

var hogged sync.Map // node → *holds

func TestWhatRunsNeverNeedsMoreThanThereIs(t *testing.T) {
	everywhere(t, func(t *testing.T, where ...nodetest.Option) {
		c := nodetest.Start(t, 4, append(where, nodetest.CPUs(3), nodetest.Configure(func(i int, cfg *node.Config) {
			cfg.ClientOnly, cfg.Resources = i > 1, map[string]float64{"gpu": 1.5}
		}))...)
		var owners sync.WaitGroup
		for owner := range 4 {
			owners.Go(func() {
				var refs []objstore.Ref[task.None]
				for range 150 {
					h := hold{CPU: []int64{0, 25, 50, 100, 200, 300}[rand.IntN(6)], GPU: []int64{0, 0, 10, 75, 150}[rand.IntN(5)]}
					refs = append(refs, hog.With(h.need()).Go(c.Context(owner), h))
				}
				if _, err := objstore.GetAll(c.Context(owner), refs); err != nil {
					t.Error(err)
				}
			})
		}
		owners.Wait()
		for i := range 2 {
			held, _ := hogged.Load(c.Node(i).ID())
			if most := held.(*holds).cpu.most.Load(); most < 100 || most > 300 {
				t.Errorf("node %d: %d hundredths of 3 CPUs were held", i, most)
			}
			if most := held.(*holds).gpu.most.Load(); most < 75 || most > 150 {
				t.Errorf("node %d: %d hundredths of 1.5 gpus were held", i, most)
			}
			wantAllFree(t, c.Node(i))
		}
	})
}

func wantAllFree(t *testing.T, n *node.Node) {
	t.Helper()
	if total, free := n.Resources(); total.String() != free.String() {
		t.Errorf("%v of %v is free", free, total)
	}
}

var (
	descendAgain = task.Declare[int, int]("descend")
	descend      = task.Define("descend", func(ctx context.Context, depth int) (int, error) {
		if depth == 0 {
			return 0, nil
		}
		below, err := descendAgain.Call(ctx, depth-1)
		return below + 1, err
	})
	fan = task.Define("fan", func(ctx context.Context, n int) (int, error) {
		squares, err := objstore.GetAll(ctx, double.Map(ctx, make([]int, n)))
		return len(squares), err
	})
)

func TestNestedTasksFinishOnOneCPU(t *testing.T) {
	everywhere(t, func(t *testing.T, where ...nodetest.Option) {
		c := nodetest.Start(t, 3, append(where, nodetest.CPUs(1), nodetest.Configure(clientsOfNode2))...)
		for _, i := range []int{0, 2} { // from a distance, and from where they run
			ctx := c.Context(i)
			if got := get(t, ctx, descend.Go(ctx, 10)); got != 10 {
				t.Errorf("it went %d deep, want 10", got)
			}
			for _, got := range getAll(t, ctx, fan.Map(ctx, []int{20, 20, 20, 20})) {
				if got != 20 {
					t.Errorf("a parent had %d children, want 20", got)
				}
			}
		}
		wantAllFree(t, c.Node(2))
	})
}

func TestATaskThatWaitsLendsItsCPUsAndNothingElse(t *testing.T) {
	c := nodetest.Start(t, 1, nodetest.CPUs(1), nodetest.Configure(func(_ int, cfg *node.Config) {
		cfg.Resources = map[string]float64{"gpu": 1}
	}))
	g := newGate(t)
	r := nest.With(task.Resources(map[string]float64{"gpu": 1})).Go(c.Context(0), 1, g.name)
	g.await(1) // the child, on its parent's CPU
	if _, free := c.Node(0).Resources(); free.String() != "nothing" {
		t.Errorf("%v is free, want nothing", free)
	}
	g.open()
	get(t, c.Context(0), r)
	wantAllFree(t, c.Node(0))
}

// waitInTurns has several goroutines of one task wait at the same time.
var waitInTurns = task.Define("wait_in_turns", func(ctx context.Context, n int) (int, error) {
	var waiting sync.WaitGroup
	for range n {
		waiting.Go(func() { _, _ = double.Call(ctx, 1) })
	}
	waiting.Wait()
	return n, nil
})

func TestATaskMayWaitInSeveralGoroutines(t *testing.T) {
	c := nodetest.Start(t, 1, nodetest.CPUs(1))
	for _, got := range getAll(t, c.Context(0), waitInTurns.Map(c.Context(0), []int{5, 5, 5})) {
		if got != 5 {
			t.Errorf("got %d", got)
		}
	}
	wantAllFree(t, c.Node(0))
}
