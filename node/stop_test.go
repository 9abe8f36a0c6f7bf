package node_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"manta/bus"
	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
)

func TestCloseCancelsWhatRunsAndSaysWhy(t *testing.T) {
	n, ctx := start(t, on(serve(t), node.Config{}))
	g := newGate(t)
	held := hold.Go(ctx, g.name)
	await(t, g.came, "the task")
	closeNode(t, n)
	if cause := await(t, g.cut, "the end of the task's ctx"); !errors.Is(cause, bus.ErrClosed) {
		t.Errorf("its cause is %v, want ErrClosed", cause)
	}
	if _, err := held.Get(n.Context(t.Context())); err == nil {
		t.Error("a task that was cut short has a result")
	}
}

func TestCloseAndDrainAreSafeManyTimesAndTogether(t *testing.T) {
	c := nodetest.Start(t, 2)
	n := c.Node(0)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() { closeNode(t, n) })
		group.Go(func() { _ = n.Drain(t.Context()) }) // it may find the node closed beneath it
	}
	group.Wait()
	if err := n.Drain(t.Context()); err != nil {
		t.Errorf("Drain after Close: %v", err)
	}
	if err := n.Run(t.Context()); err != nil {
		t.Errorf("Run after Close: %v", err)
	}
	c.AwaitMembers(1)
}

func TestAfterCloseEverythingSaysSo(t *testing.T) {
	n, _, err := node.Start(t.Context(), on(serve(t), node.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	closeNode(t, n)
	ctx, cancel := context.WithTimeout(n.Context(t.Context()), patience)
	defer cancel()
	_, callErr := where.Call(ctx)
	for what, err := range map[string]error{"a task": callErr, "a large Put": objstore.Put(ctx, make([]byte, 1<<20)).Stored(ctx)} {
		if !errors.Is(err, bus.ErrClosed) {
			t.Errorf("%s: got %v, want ErrClosed", what, err)
		}
	}
}

func TestDrainWaitsForWhatWasSubmittedAndForWhatRuns(t *testing.T) {
	c, g := nodetest.Start(t, 2, nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i == 0 })), newGate(t)
	held := hold.Go(c.Context(0), g.name)
	await(t, g.came, "the task")
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for i := range 2 { // its owner and its host
		if err := c.Node(i).Drain(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("node %d: got %v, want the end of Drain's ctx", i, err)
		}
	}
	g.open()
	for i := range 2 {
		if err := c.Node(i).Drain(t.Context()); err != nil {
			t.Errorf("node %d: %v", i, err)
		}
	}
	if id, err := held.Get(c.Context(0)); id != c.Node(1).ID() || err != nil {
		t.Errorf("got %q, %v", id, err)
	}
}

func TestADrainedNodeTakesNoTasksAndCanStillSubmitThem(t *testing.T) {
	c := nodetest.Start(t, 2)
	if err := c.Node(0).Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if id, err := where.Call(c.Context(0)); id != c.Node(1).ID() || err != nil {
			t.Fatalf("a task ran on %q, %v, want the other node", id, err)
		}
	}
}

func TestRunSaysThatTheDrainTookTooLong(t *testing.T) {
	n, ctx := start(t, on(serve(t), node.Config{DrainTimeout: 50 * time.Millisecond}))
	g := newGate(t)
	hold.Go(ctx, g.name)
	await(t, g.came, "the task")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Run(ended); err == nil {
		t.Error("Run returned no error although a task was still running")
	}
	if ctx.Err() == nil {
		t.Error("Run has not closed the node")
	}
}
