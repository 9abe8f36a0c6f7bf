package node_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"manta/bus"
	"manta/node"
	"manta/task"
)

func TestOnClosedIsCalledOnceWhenTheCtxHasEnded(t *testing.T) {
	calls := make(chan error, 2)
	var running context.Context
	n, ctx := start(t, on(serve(t), node.Config{OnClosed: func() { calls <- context.Cause(running) }}))
	running = ctx
	closeNode(t, n)
	closeNode(t, n)
	if len(calls) != 1 {
		t.Fatalf("it was called %d times", len(calls))
	}
	if cause := <-calls; !errors.Is(cause, bus.ErrClosed) {
		t.Errorf("the node's ctx said %v, want ErrClosed", cause)
	}
}

func TestRunTakesNoMoreAndFinishesWhatRuns(t *testing.T) {
	t.Parallel() // its client asks for 3 s before it says that nobody serves
	srv := serve(t)
	n, nodeCtx := start(t, on(srv, node.Config{}))
	_, client := start(t, on(srv, node.Config{ClientOnly: true}))
	asking, cancel := context.WithTimeout(client, patience)
	defer cancel()
	g := newGate(t)
	result := hold.Go(client, g.name)
	await(t, g.came, "the task")

	running, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(running) }()
	stop()
	for id, err := where.Call(asking); !errors.Is(err, task.ErrNotRegistered); id, err = where.Call(asking) { // it takes more
		if id != n.ID() || err != nil {
			t.Fatalf("a task ran on %q, %v", id, err)
		}
	}
	if nodeCtx.Err() != nil {
		t.Error("the node is closed while a task runs")
	}
	g.open()
	if err := await(t, ended, "Run"); err != nil {
		t.Errorf("Run: %v", err)
	}
	if id, err := result.Get(asking); id != n.ID() || err != nil {
		t.Errorf("the task's result: %q, %v", id, err)
	}
}

func TestRunEndsWhenTheNodeIsClosed(t *testing.T) {
	n, _ := start(t, on(serve(t), node.Config{}))
	ended := make(chan error, 1)
	go func() { ended <- n.Run(context.Background()) }()
	closeNode(t, n)
	if err := await(t, ended, "Run"); err != nil {
		t.Error(err)
	}
}

func TestCloseGoesOnWithoutATaskThatIgnoresItsCtxAndNamesIt(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes the 10 s that such tasks are given")
	}
	t.Parallel()
	n, ctx, err := node.Start(t.Context(), on(serve(t), node.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	g := newGate(t)
	ignore.Go(ctx, g.name)
	await(t, g.came, "the task")
	begun := time.Now()
	for range 2 {
		if err := n.Close(); err == nil || !strings.Contains(err.Error(), "ignore") {
			t.Errorf("got %v, want it to name the task", err)
		}
	}
	if took := time.Since(begun); took < 10*time.Second || took > 15*time.Second {
		t.Errorf("it took %v, want 10 s", took)
	}
	g.open()
	await(t, g.left, "the task's end")
}
