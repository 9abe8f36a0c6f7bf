package task_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"manta/bus"
	"manta/node"
	"manta/node/nodetest"
	"manta/task"
)

var (
	errCounted = bus.RegisterError("counted", errors.New("counted"))

	countedOK    = task.Define("counted_ok", func(_ context.Context, x int) (int, error) { return x, nil })
	countedNever = task.Define0("counted_never", func(context.Context) (int, error) { return 0, errCounted })
	countedOnce  = task.Define0("counted_once", func(ctx context.Context) (int, error) {
		if task.Current(ctx).Attempt == 1 {
			return 0, task.RetryAfter(errCounted, 0)
		}
		return 1, nil
	})
	countedHeld = task.Define("counted_held", enterCounted)
)

func enterCounted(ctx context.Context, gate string) (task.None, error) {
	return task.None{}, enter(ctx, gate)
}

// submissionsOf returns what a node counts of a function that it submitted.
func submissionsOf(n *node.Node, function string) task.Submissions {
	all := n.Stats().Tasks.Submissions
	i := slices.IndexFunc(all, func(s task.Submissions) bool { return s.Func == function })
	if i < 0 {
		return task.Submissions{}
	}
	return all[i]
}

// runsOf returns what a node counts of a function that it ran.
func runsOf(n *node.Node, function string) task.Runs {
	all := n.Stats().Tasks.Runs
	i := slices.IndexFunc(all, func(r task.Runs) bool { return r.Func == function })
	if i < 0 {
		return task.Runs{}
	}
	return all[i]
}

func TestTasksAreCountedByFunctionWhereTheyWereSubmittedAndWhereTheyRan(t *testing.T) {
	c := nodetest.Start(t, 2, nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i == 0 }))
	client, worker, ctx := c.Node(0), c.Node(1), c.Context(0)
	for i := range 10 {
		if _, err := countedOK.Call(ctx, i); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, ctx, countedNever.Go(ctx), errCounted)
	if _, err := countedOnce.Call(ctx); err != nil {
		t.Fatal(err)
	}
	for function, want := range map[string]task.Submissions{
		"counted_ok":    {Submitted: 10, Succeeded: 10},
		"counted_never": {Submitted: 1, Failed: 1},
		"counted_once":  {Submitted: 1, Succeeded: 1, RetriedFailed: 1},
	} {
		want.Func = function
		if got := submissionsOf(client, function); got != want {
			t.Errorf("submitted: got %+v, want %+v", got, want)
		}
	}
	for function, want := range map[string][2]int64{"counted_ok": {10, 0}, "counted_never": {1, 1}, "counted_once": {2, 1}} {
		got := runsOf(worker, function)
		if got.Ran != want[0] || got.Failed != want[1] || got.Took.Count() != want[0] || got.Waited.Count() != want[0] || got.Took.Sum() <= 0 || got.Running != 0 {
			t.Errorf("ran: got %+v, want %v", got, want)
		}
	}
}

func TestWhereTasksStandAtAMomentIsCounted(t *testing.T) {
	c := nodetest.Start(t, 2, nodetest.CPUs(1), nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i == 0 }))
	client, worker, ctx := c.Node(0), c.Node(1), c.Context(0)
	g := newGate(t)
	held := countedHeld.Map(ctx, []string{g.name, g.name, g.name})
	g.await(1)
	cancelling, cancel := context.WithCancel(ctx)
	waiting := countedHeld.On(cancelling, pass.Go(ctx, g.name))
	want := task.Submissions{Func: "counted_held", Submitted: 4, Waiting: 1, Queued: 2, UnderWay: 1}
	c.Await("what was sent ahead to have come back", func() bool { return submissionsOf(client, "counted_held") == want })
	if got := runsOf(worker, "counted_held"); got.Running != 1 || got.Ran != 0 {
		t.Errorf("at the worker: %+v", got)
	}
	cancel()
	wantError(t, ctx, waiting, task.ErrCancelled)
	g.open()
	getAll(t, ctx, held)
	want = task.Submissions{Func: "counted_held", Submitted: 4, Succeeded: 3, Cancelled: 1}
	if got := submissionsOf(client, "counted_held"); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if took := runsOf(worker, "counted_held").Took; took.Count() != 3 || took.Sum() > time.Minute {
		t.Errorf("they took %v in all, %d of them", took.Sum(), took.Count())
	}
}

func TestRetriesAfterALossAreCounted(t *testing.T) {
	c := nodetest.Start(t, 3, nodetest.CPUs(1), nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i == 0 }))
	g := newGate(t)
	refs := countedHeld.Map(c.Context(0), []string{g.name, g.name})
	g.await(2)
	c.Kill(1)
	g.open()
	getAll(t, c.Context(0), refs)
	if got := submissionsOf(c.Node(0), "counted_held"); got.RetriedLost != 1 || got.Succeeded != 2 {
		t.Errorf("got %+v, want one retry", got)
	}
}
