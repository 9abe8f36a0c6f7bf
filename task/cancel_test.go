package task_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

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

func TestACancelledTaskThatRunsSeesItsCtxEnd(t *testing.T) {
	c := nodetest.Start(t, 2)
	g := newGate(t)
	ctx, cancel := context.WithCancel(c.Context(0))
	r := pass.Go(ctx, g.name)
	g.await(1)
	cancel()
	wantCancelled(t, c.Context(0), r)
	if cause := g.awaitTurned(); !errors.Is(cause, context.Canceled) {
		t.Errorf("its ctx ended with %v", cause)
	}
	if g.count.Load() != 1 {
		t.Errorf("it ran %d times", g.count.Load())
	}
}

func TestACancelledTaskThatWaitsNeverRuns(t *testing.T) {
	c := nodetest.Start(t, 1, nodetest.CPUs(1))
	running, waiting := newGate(t), newGate(t)
	blocker := pass.Go(c.Context(0), running.name)
	running.await(1)
	ctx, cancel := context.WithCancel(c.Context(0))
	refs := pass.Map(ctx, []string{waiting.name, waiting.name, waiting.name})
	dependent := after.On(ctx, objstore.Put(ctx, 1), pass.On(ctx, objstore.Put(ctx, running.name)))
	cancel()
	for _, r := range refs {
		wantCancelled(t, c.Context(0), r)
	}
	wantCancelled(t, c.Context(0), dependent)
	running.open()
	get(t, c.Context(0), blocker)
	get(t, c.Context(0), double.Go(c.Context(0), 1))
	if n := waiting.count.Load(); n > 0 {
		t.Errorf("%d of them ran", n)
	}
	wantCancelled(t, c.Context(0), pass.Go(ctx, waiting.name)) // as is whatever begins in a ctx that has ended
}

// A task is cancelled wherever it is, by an owner that runs nothing itself: its ctx ends or it never runs, and nothing is left.
func TestACancelledTaskLeavesNothingAnywhere(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(t *testing.T, c *nodetest.Cluster, g *gate){
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
				for range 5 {
					test(t, c, g)
				}
				if got := get(t, c.Context(1), double.Go(c.Context(1), 1)); got != 2 { // others have the CPU
					t.Errorf("got %d", got)
				}
				for _, i := range []int{0, 2} {
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

func cancelRunning(t *testing.T, c *nodetest.Cluster, g *gate) {
	ctx, cancel := context.WithCancel(c.Context(0))
	r := pass.Go(ctx, g.name)
	g.await(1)
	cancel()
	wantCancelled(t, c.Context(0), r)
	if cause := g.awaitTurned(); !errors.Is(cause, task.ErrCancelled) {
		t.Errorf("its ctx ended with %v", cause)
	}
}

// cancelQueuedAtOwner cancels tasks behind one of another owner.
func cancelQueuedAtOwner(t *testing.T, c *nodetest.Cluster, g *gate) {
	blocking, unblock := context.WithCancel(c.Context(1))
	blocker := pass.Go(blocking, g.name)
	g.await(1)
	ran := g.count.Load()
	ctx, cancel := context.WithCancel(c.Context(0))
	refs := pass.Map(ctx, []string{g.name, g.name, g.name})
	cancel()
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
func cancelQueuedAtNode(t *testing.T, c *nodetest.Cluster, g *gate) {
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
	ctx, cancel := context.WithCancel(c.Context(0))
	refs := pass.Map(ctx, names)
	g.await(1)
	cancel()
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
func cancelKnocking(t *testing.T, c *nodetest.Cluster, g *gate) {
	ran := g.count.Load()
	c.Pause(2)
	ctx, cancel := context.WithCancel(c.Context(0))
	r := pass.Go(ctx, g.name)
	cancel()
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
	c := nodetest.Start(t, 2)
	ctx := c.Context(0)
	g := newGate(t)
	head, cancel := context.WithCancel(ctx)
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
	cancel()
	for _, r := range chain {
		wantCancelled(t, ctx, r)
	}
	g.open()
	if got := get(t, ctx, other); got != 2 {
		t.Errorf("the other is %d, want 2", got)
	}
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
	c := nodetest.Start(t, 1, nodetest.CPUs(1))
	g := newGate(t)
	ctx, cancel := context.WithCancel(c.Context(0))
	r := nest.Go(ctx, 4, g.name)
	g.await(1)
	cancel()
	wantCancelled(t, c.Context(0), r)
	if got := get(t, c.Context(0), double.Go(c.Context(0), 1)); got != 2 {
		t.Errorf("got %d", got)
	}
	g.awaitTurned() // the child's ctx has ended as well
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
	c := nodetest.Start(t, 2)
	child, outliving := newGate(t), newGate(t)
	ctx, cancel := context.WithCancel(c.Context(0))
	r := parent.Go(ctx, child.name, outliving.name)
	child.await(1)
	outliving.await(1)
	cancel()
	wantCancelled(t, c.Context(0), r)
	child.awaitTurned()
	outliving.open()
	orphan, _ := orphans.Load(outliving.name)
	get(t, c.Context(0), orphan.(objstore.Ref[string]))
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
	c := nodetest.Start(t, 1)
	ctx, cancel := context.WithCancel(c.Context(0))
	r := double.Go(ctx, 4)
	get(t, ctx, r)
	cancel()
	if got := get(t, c.Context(0), r); got != 8 {
		t.Errorf("got %d, want 8", got)
	}
}

func TestOfFiveThousandTasksTheCancelledOnesFailAndTheOthersFinish(t *testing.T) {
	c := nodetest.Start(t, 2)
	const n = 5_000
	refs := make([]objstore.Ref[int], n)
	var cancels []context.CancelFunc
	for i := range refs {
		ctx := c.Context(0)
		if i%20 == 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithCancel(ctx)
			cancels = append(cancels, cancel)
		}
		refs[i] = double.Go(ctx, i)
	}
	for _, cancel := range cancels {
		cancel()
	}
	for i, r := range refs {
		v, err := r.Get(c.Context(0))
		finished, cancelled := err == nil && v == 2*i, i%20 == 0 && errors.Is(err, task.ErrCancelled)
		if !finished && !cancelled {
			t.Fatalf("task %d: %d, %v", i, v, err)
		}
	}
	if err := c.Node(0).Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		wantAllFree(t, c.Node(i))
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
