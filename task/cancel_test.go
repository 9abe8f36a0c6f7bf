package task_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"manta/bus"
	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

// wantCancelled reads a ref that must be cancelled, in manta's words and in Go's.
func wantCancelled[T any](t *testing.T, ctx context.Context, r objstore.Ref[T]) {
	t.Helper()
	if err := getError(t, ctx, r); !errors.Is(err, task.ErrCancelled) || !errors.Is(err, context.Canceled) {
		t.Errorf("reading %v: got %v, want ErrCancelled", r, err)
	}
}

// A way is how tasks that node 0 has submitted are cancelled: begin returns the ctx to submit them in, and what cancels those with the
// refs that it is given.
type way struct {
	name  string
	begin func(t *testing.T, c *nodetest.Cluster) (ctx context.Context, cancel func(refs ...objstore.Ref[any]))
}

var ways = []way{
	{"by the ctx", func(t *testing.T, c *nodetest.Cluster) (context.Context, func(...objstore.Ref[any])) {
		ctx, cancel := context.WithCancel(c.Context(0))
		t.Cleanup(cancel)
		return ctx, func(...objstore.Ref[any]) { cancel() }
	}},
	{"by the ref at its owner", cancelAt(0)},
	{"by the ref at another node", cancelAt(1)},
}

func cancelAt(i int) func(*testing.T, *nodetest.Cluster) (context.Context, func(...objstore.Ref[any])) {
	return func(t *testing.T, c *nodetest.Cluster) (context.Context, func(...objstore.Ref[any])) {
		return c.Context(0), func(refs ...objstore.Ref[any]) {
			ctx, end := context.WithTimeout(c.Context(i), patience)
			defer end()
			for _, r := range refs {
				if err := task.Cancel(ctx, r); err != nil {
					t.Errorf("cancelling %v at node %d: %v", r, i, err)
				}
			}
		}
	}
}

// everyWay runs a test for each way to cancel.
func everyWay(t *testing.T, test func(t *testing.T, w way)) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) { test(t, w) })
	}
}

// anyOf forgets the types of refs.
func anyOf[T any](refs ...objstore.Ref[T]) (all []objstore.Ref[any]) {
	for _, r := range refs {
		all = append(all, r.Any())
	}
	return all
}

// node1IsAClient leaves all tasks to node 0.
func node1IsAClient(i int, cfg *node.Config) { cfg.ClientOnly = i == 1 }

func TestACancelledTaskThatRunsSeesItsCtxEnd(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		c := nodetest.Start(t, 2)
		g := newGate(t)
		ctx, cancel := w.begin(t, c)
		r := pass.Go(ctx, g.name)
		g.await(1)
		cancel(r.Any())
		for i := range 2 {
			wantCancelled(t, c.Context(i), r)
		}
		if cause := g.awaitTurned(); !errors.Is(cause, context.Canceled) {
			t.Errorf("its ctx ended with %v", cause)
		}
		if g.count.Load() != 1 {
			t.Errorf("it ran %d times", g.count.Load())
		}
	})
}

func TestACancelledTaskThatWaitsNeverRuns(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		c := nodetest.Start(t, 2, nodetest.CPUs(1), nodetest.Configure(node1IsAClient))
		running, waiting := newGate(t), newGate(t)
		blocker := pass.Go(c.Context(0), running.name)
		running.await(1)
		ctx, cancel := w.begin(t, c)
		refs := pass.Map(ctx, []string{waiting.name, waiting.name, waiting.name})
		argument := pass.On(c.Context(0), objstore.Put(ctx, running.name))
		dependent := after.On(ctx, objstore.Put(ctx, 1), argument)
		cancel(append(anyOf(refs...), dependent.Any())...)
		for _, r := range refs {
			wantCancelled(t, c.Context(0), r)
		}
		wantCancelled(t, c.Context(0), dependent)
		running.open()
		get(t, c.Context(0), blocker)
		get(t, c.Context(0), argument)
		get(t, c.Context(0), double.Go(c.Context(0), 1))
		if n := waiting.count.Load(); n > 0 {
			t.Errorf("%d of them ran", n)
		}
		awaitNothingLeft(t, c.Context(0))
	})
}

func TestWhatBeginsInACtxThatHasEndedIsCancelled(t *testing.T) {
	c := nodetest.Start(t, 1)
	ctx, cancel := context.WithCancel(c.Context(0))
	cancel()
	wantCancelled(t, c.Context(0), pass.Go(ctx, newGate(t).name))
}

// A task is cancelled wherever it is, by an owner that runs nothing itself: its ctx ends or it never runs, and nothing is left.
func TestACancelledTaskLeavesNothingAnywhere(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(t *testing.T, c *nodetest.Cluster, g *gate, w way){
		"running on another node": cancelRunning,
		"queued at its owner":     cancelQueuedAtOwner,
		"queued at another node":  cancelQueuedAtNode,
		"knocking":                cancelKnocking,
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, where ...nodetest.Option) {
				t.Parallel()
				c := nodetest.Start(t, 3, append(where, nodetest.CPUs(1), nodetest.Configure(clientsOfNode2))...)
				g := newGate(t)
				for range 2 {
					for _, w := range ways {
						test(t, c, g, w)
					}
				}
				if got := get(t, c.Context(1), double.Go(c.Context(1), 1)); got != 2 { // others have the CPU
					t.Errorf("got %d", got)
				}
				for _, i := range []int{0, 2} {
					awaitNothingLeft(t, c.Context(i))
					if err := c.Node(i).Drain(t.Context()); err != nil {
						t.Errorf("node %d: %v", i, err)
					}
					wantAllFree(t, c.Node(i))
				}
				if now := g.now.Load(); now > 0 {
					t.Errorf("%d tasks are still in the gate, which nobody has opened", now)
				}
			})
		})
	}
}

func cancelRunning(t *testing.T, c *nodetest.Cluster, g *gate, w way) {
	ctx, cancel := w.begin(t, c)
	r := pass.Go(ctx, g.name)
	g.await(1)
	cancel(r.Any())
	wantCancelled(t, c.Context(0), r)
	if cause := g.awaitTurned(); !errors.Is(cause, task.ErrCancelled) {
		t.Errorf("its ctx ended with %v", cause)
	}
}

// cancelQueuedAtOwner cancels tasks behind one of another owner.
func cancelQueuedAtOwner(t *testing.T, c *nodetest.Cluster, g *gate, w way) {
	blocking, unblock := context.WithCancel(c.Context(1))
	blocker := pass.Go(blocking, g.name)
	g.await(1)
	ran := g.count.Load()
	ctx, cancel := w.begin(t, c)
	refs := pass.Map(ctx, []string{g.name, g.name, g.name})
	cancel(anyOf(refs...)...)
	for _, r := range refs {
		wantCancelled(t, c.Context(0), r)
	}
	get(t, c.Context(0), double.With(task.CPUs(0)).Go(c.Context(0), 1)) // comes to the node after them, and needs nothing
	unblock()
	wantCancelled(t, c.Context(1), blocker)
	g.awaitTurned()
	get(t, c.Context(0), double.Go(c.Context(0), 1)) // time for something to go wrong
	switch n := g.count.Load() - ran; {              // one was knocking: until a node says that it has it nobody can be told
	case n > 1:
		t.Errorf("%d cancelled tasks ran", n)
	case n == 1:
		g.await(1)
		g.awaitTurned()
	}
}

// cancelQueuedAtNode has a lane known for short tasks, so that the node queues what it has no CPU for.
func cancelQueuedAtNode(t *testing.T, c *nodetest.Cluster, g *gate, w way) {
	short := newGate(t)
	short.open()
	names := make([]string, 100)
	for i := range names {
		names[i] = short.name
	}
	getAll(t, c.Context(0), pass.Map(c.Context(0), names))
	for i := range names {
		names[i] = g.name
	}
	ran := g.count.Load()
	ctx, cancel := w.begin(t, c)
	refs := pass.Map(ctx, names)
	g.await(1)
	cancel(anyOf(refs...)...)
	for _, r := range refs {
		wantCancelled(t, c.Context(0), r)
	}
	g.awaitTurned()
	get(t, c.Context(0), double.Go(c.Context(0), 1)) // time for something to go wrong
	for n := g.count.Load() - ran; n > 1; n-- {      // one that began before it was cancelled, as many as there are
		g.await(1)
		g.awaitTurned()
	}
}

// cancelKnocking stops the node while a task is on its way there: it learns of the task first, and then that it was cancelled.
func cancelKnocking(t *testing.T, c *nodetest.Cluster, g *gate, w way) {
	ran := g.count.Load()
	c.Pause(2)
	ctx, cancel := w.begin(t, c)
	r := pass.Go(ctx, g.name)
	cancel(r.Any())
	wantCancelled(t, c.Context(0), r)
	c.Resume(2)
	get(t, c.Context(0), double.Go(c.Context(0), 1)) // comes after it
	if g.count.Load() > ran {
		g.await(1)
		g.awaitTurned()
	}
}

func TestACancellationThatGetsLostIsRepeated(t *testing.T) {
	c := nodetest.Start(t, 3, nodetest.Configure(clientsOfNode2))
	g := newGate(t)
	ctx, cancel := context.WithCancel(c.Context(0))
	refs := pass.Map(ctx, []string{g.name, g.name})
	g.await(2)
	c.Drop(1)
	cancel()
	for _, r := range refs {
		wantCancelled(t, c.Context(0), r)
	}
	c.Drop(0)
	for range refs {
		g.awaitTurned()
	}
}

func TestCancellingATaskFailsWhatDependsOnItAndNothingElse(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		c := nodetest.Start(t, 2)
		ctx := c.Context(0)
		g := newGate(t)
		head, cancel := w.begin(t, c)
		name, zero := objstore.Put(ctx, g.name), objstore.Put(ctx, 0)
		a := after.On(head, zero, name)
		chain := []objstore.Ref[int]{a}
		for range 3 {
			chain = append(chain, double.On(ctx, chain[len(chain)-1]))
		}
		for range 3 {
			chain = append(chain, double.On(ctx, a))
		}
		other := double.On(ctx, after.On(ctx, zero, name))
		g.await(2)
		cancel(a.Any())
		for i, r := range chain {
			wantCancelled(t, c.Context(i%2), r)
		}
		g.open()
		if got := get(t, ctx, other); got != 2 {
			t.Errorf("the other is %d, want 2", got)
		}
	})
}

// nest is a chain of parents that wait for a child at a gate.
var (
	nestAgain = task.Declare2[int, string, string]("nest")
	nest      = task.Define2("nest", func(ctx context.Context, depth int, name string) (string, error) {
		if depth == 0 {
			return "", enter(ctx, name)
		}
		return nestAgain.Call(ctx, depth-1, name)
	})
)

func TestCancellingNestedTasksFreesTheCPU(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		c := nodetest.Start(t, 2, nodetest.CPUs(1), nodetest.Configure(node1IsAClient))
		g := newGate(t)
		ctx, cancel := w.begin(t, c)
		r := nest.Go(ctx, 4, g.name)
		g.await(1)
		cancel(r.Any())
		wantCancelled(t, c.Context(0), r)
		if got := get(t, c.Context(0), double.Go(c.Context(0), 1)); got != 2 {
			t.Errorf("got %d", got)
		}
		g.awaitTurned() // the child's ctx has ended as well
	})
}

// apart is nest on nodes that take turns: each level needs what only one of them has.
var (
	apartAgain = task.Declare2[int, string, string]("apart")
	apart      = task.Define2("apart", func(ctx context.Context, depth int, name string) (string, error) {
		if depth == 0 {
			return "", enter(ctx, name)
		}
		return apartAgain.With(only(depth-1)).Call(ctx, depth-1, name)
	})
)

// only says that a task runs on the node that has it.
func only(i int) task.Option { return task.Resources(map[string]float64{fmt.Sprint("node", i%2): 1}) }

func TestCancellationReachesNestedTasksOverSeveralNodes(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		c := nodetest.Start(t, 2, nodetest.Configure(func(i int, cfg *node.Config) {
			cfg.Resources = map[string]float64{fmt.Sprint("node", i): 10}
		}))
		g := newGate(t)
		ctx, cancel := w.begin(t, c)
		r := apart.With(only(5)).Go(ctx, 5, g.name)
		if at := g.await(1)[0].Node; at != c.Node(0).ID() {
			t.Errorf("the innermost task runs at %s, want node 0", at)
		}
		cancel(r.Any())
		wantCancelled(t, c.Context(1), r)
		if cause := g.awaitTurned(); !errors.Is(cause, task.ErrCancelled) {
			t.Errorf("its ctx ended with %v", cause)
		}
		drainAll(t, c, 2)
	})
}

// parent starts a child in its own ctx and one without its cancellation.
var parent = task.Define2("parent", func(ctx context.Context, child, outliving string) (task.None, error) {
	mine, others := pass.Go(ctx, child), pass.Go(context.WithoutCancel(ctx), outliving)
	orphans.Store(outliving, others)
	_, err := mine.Get(ctx)
	return task.None{}, err
})

var orphans sync.Map // gate → Ref[string]

func TestCancellingAParentCancelsItsChildrenUnlessTheyOutliveIt(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		c := nodetest.Start(t, 2)
		child, outliving := newGate(t), newGate(t)
		ctx, cancel := w.begin(t, c)
		r := parent.Go(ctx, child.name, outliving.name)
		child.await(1)
		outliving.await(1)
		cancel(r.Any())
		wantCancelled(t, c.Context(0), r)
		child.awaitTurned()
		outliving.open()
		orphan, _ := orphans.Load(outliving.name)
		get(t, c.Context(0), orphan.(objstore.Ref[string]))
	})
}

// leave starts a child and returns before it has ended.
var leave = task.Define("leave", func(ctx context.Context, child string) (objstore.Ref[string], error) {
	return pass.Go(ctx, child), nil
})

func TestATaskThatReturnsDoesNotCancelItsChildren(t *testing.T) {
	c := nodetest.Start(t, 2)
	g := newGate(t)
	child := get(t, c.Context(0), leave.Go(c.Context(0), g.name))
	g.await(1)
	g.open()
	get(t, c.Context(0), child)
	ctx, cancel := context.WithTimeout(c.Context(0), patience) // nor does one with a deadline
	defer cancel()
	get(t, c.Context(0), get(t, c.Context(0), leave.Go(ctx, g.name)))
}

func TestCancellingWhatHasFinishedChangesNothing(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		c := nodetest.Start(t, 2)
		ctx, cancel := w.begin(t, c)
		kept, failed := double.Go(ctx, 4), verbose.Go(ctx, 1)
		get(t, c.Context(0), kept)
		before := getError(t, c.Context(0), failed).Error()
		cancel(kept.Any(), failed.Any())
		for i := range 2 {
			if got := get(t, c.Context(i), kept); got != 8 {
				t.Errorf("node %d: got %d, want 8", i, got)
			}
			if after := getError(t, c.Context(i), failed).Error(); after != before {
				t.Errorf("node %d: got %q, want %q", i, after, before)
			}
		}
	})
}

func TestCancellingWhatIsNoTaskIsAnError(t *testing.T) {
	c := nodetest.Start(t, 3)
	put, freed, gone := objstore.Put(c.Context(0), 1), double.Go(c.Context(0), 1), double.Go(c.Context(2), 1)
	get(t, c.Context(0), freed)
	get(t, c.Context(1), gone)
	if err := objstore.Free(c.Context(0), freed); err != nil {
		t.Fatal(err)
	}
	closeNode(t, c, 2)
	for name, test := range map[string]struct {
		ref  objstore.Ref[int]
		want error
	}{
		"put":               {put, objstore.ErrNoResult},
		"freed":             {freed, objstore.ErrFreed},
		"of an owner gone":  {gone, objstore.ErrOwnerDead},
		"the zero ref":      {objstore.Ref[int]{}, objstore.ErrNoObject},
		"never submitted":   {double.Go(t.Context(), 1), nil},
		"a finished task's": {double.On(c.Context(0), put), nil},
	} {
		for i := range 2 {
			if test.want == nil && test.ref.ID() != (objstore.ID{}) {
				get(t, c.Context(0), test.ref)
			}
			ctx, end := context.WithTimeout(c.Context(i), patience)
			if err := task.Cancel(ctx, test.ref); !errors.Is(err, test.want) {
				t.Errorf("%s, at node %d: got %v, want %v", name, i, err, test.want)
			}
			end()
		}
	}
	if err := task.Cancel(t.Context(), put); !errors.Is(err, bus.ErrNoNode) {
		t.Errorf("without a node: %v", err)
	}
}

// A ref that travels as an argument is as good as its owner's: a task cancels another one with it.
var (
	cancels = task.Define("cancels", func(ctx context.Context, refs []objstore.Ref[string]) (task.None, error) {
		for _, r := range refs {
			if err := task.Cancel(ctx, r); err != nil {
				return task.None{}, err
			}
		}
		return task.None{}, nil
	})
)

func TestATaskCancelsAnotherWhoseRefItWasGiven(t *testing.T) {
	everywhere(t, func(t *testing.T, where ...nodetest.Option) {
		t.Parallel()
		c := nodetest.Start(t, 3, append(where, nodetest.CPUs(2), nodetest.Configure(clientsOfNode2))...)
		g := newGate(t)
		refs := pass.Map(c.Context(0), []string{g.name, g.name, g.name, g.name})
		g.await(2) // the other two are queued
		get(t, c.Context(1), cancels.With(task.CPUs(0)).Go(c.Context(1), refs))
		for i := range 3 {
			for _, r := range refs {
				wantCancelled(t, c.Context(i), r)
			}
		}
		g.awaitTurned()
		g.awaitTurned()
		drainAll(t, c, 3)
	})
}

func TestOfFiveThousandTasksTheCancelledOnesFailAndNothingIsLeft(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		c := nodetest.Start(t, 3)
		const n = 5_000
		refs := make([]objstore.Ref[int], n)
		cancels := make(map[int]func(...objstore.Ref[any]))
		for i := range refs {
			ctx := c.Context(0)
			if rand.IntN(20) == 0 {
				ctx, cancels[i] = w.begin(t, c)
			}
			refs[i] = double.Go(ctx, i)
		}
		for i, cancel := range cancels { // while they run
			cancel(refs[i].Any())
		}
		cancelled := 0
		for i, r := range refs {
			ctx, end := context.WithTimeout(c.Context(0), patience)
			v, err := r.Get(ctx)
			end()
			switch {
			case err == nil && v == 2*i:
			case cancels[i] != nil && errors.Is(err, task.ErrCancelled):
				cancelled++
			default:
				t.Fatalf("task %d: %d, %v", i, v, err)
			}
		}
		t.Logf("of %d that were to be cancelled %d had no result yet", len(cancels), cancelled)
		for i := range cancels { // a ref that has travelled is askable until it is freed
			if err := objstore.Free(c.Context(0), refs[i]); err != nil {
				t.Error(err)
			}
		}
		for i := range 3 {
			awaitNothingLeft(t, c.Context(i))
			if askable := c.Node(i).Stats().Objects.Askable; askable > 0 {
				t.Errorf("node %d keeps %d objects for others", i, askable)
			}
		}
	})
}

// awaitNothingLeft waits until a node holds nothing of any task. Nobody is told of that, so it asks again and again.
func awaitNothingLeft(t *testing.T, ctx context.Context) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); task.Left(ctx) != ""; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("a node still has %s", task.Left(ctx))
		}
	}
}

func TestADeadlineEndsATaskWhereverItIs(t *testing.T) {
	c := nodetest.Start(t, 1, nodetest.CPUs(1))
	g := newGate(t)
	ctx, cancel := context.WithTimeout(c.Context(0), 50*time.Millisecond)
	defer cancel()
	inCtx, queued := pass.Go(ctx, g.name), pass.Go(ctx, g.name)
	for _, r := range []objstore.Ref[string]{inCtx, queued, pass.With(task.Timeout(50*time.Millisecond)).Go(c.Context(0), g.name)} {
		if err := getError(t, c.Context(0), r); !errors.Is(err, task.ErrDeadline) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want ErrDeadline", err)
		}
	}
	if got := get(t, c.Context(0), double.With(task.Timeout(patience)).Go(c.Context(0), 1)); got != 2 {
		t.Errorf("a task in time: got %d", got)
	}
}

// until returns the deadline that the innermost of nested tasks sees.
var (
	untilAgain = task.Declare[int, time.Time]("until")
	until      = task.Define("until", func(ctx context.Context, depth int) (time.Time, error) {
		if depth == 0 {
			at, _ := ctx.Deadline()
			return at, nil
		}
		return untilAgain.With(only(depth-1)).Call(ctx, depth-1)
	})
)

func TestADeadlineTravelsToTheChildrenOfATaskOverSeveralNodes(t *testing.T) {
	c := nodetest.Start(t, 2, nodetest.Configure(func(i int, cfg *node.Config) {
		cfg.Resources = map[string]float64{fmt.Sprint("node", i): 10}
	}))
	ctx, cancel := context.WithTimeout(c.Context(0), patience)
	defer cancel()
	want, _ := ctx.Deadline()
	if got := get(t, c.Context(0), until.With(only(3)).Go(ctx, 3)); !got.Equal(want) {
		t.Errorf("the innermost task is to end at %v, want %v", got, want)
	}
	g := newGate(t)
	short, end := context.WithTimeout(c.Context(0), 50*time.Millisecond)
	defer end()
	wantError(t, c.Context(0), apart.With(only(3)).Go(short, 3, g.name), task.ErrDeadline)
	drainAll(t, c, 2) // nobody waits at the gate, which nobody has opened
}

// hurry returns ctx's own error the moment its deadline passes.
var hurry = task.Define("hurry", func(ctx context.Context, _ int) (int, error) {
	if _, ok := ctx.Deadline(); !ok {
		return 0, errors.New("the deadline did not travel")
	}
	<-ctx.Done()
	return 0, ctx.Err()
})

func TestADeadlineIsErrDeadlineWhoeverSeesItFirst(t *testing.T) {
	c := nodetest.Start(t, 2)
	for range 20 {
		for _, r := range hurry.With(task.CPUs(0), task.Timeout(20*time.Millisecond)).Map(c.Context(0), make([]int, 20)) {
			wantError(t, c.Context(0), r, task.ErrDeadline)
		}
	}
}
