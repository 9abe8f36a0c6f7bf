package task_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

func TestDrainWaitsForWhatRunsAndWhatIsQueued(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := nodetest.Start(t, 1, nodetest.CPUs(1))
		g := newGate(t)
		refs := pass.Map(c.Context(0), []string{g.name, g.name, g.name, g.name, g.name})
		g.await(1)
		drained := make(chan error, 1)
		go func() { drained <- c.Node(0).Drain(context.Background()) }()
		get(t, c.Context(0), objstore.Put(c.Context(0), 1)) // the node can still be used
		select {
		case err := <-drained:
			t.Errorf("Drain has returned %v before the tasks ended", err)
		default:
		}
		g.open()
		if err := <-drained; err != nil {
			t.Error(err)
		}
		ready, _, err := objstore.Wait(c.Context(0), refs, len(refs))
		if err != nil || len(ready) != len(refs) || g.count.Load() != 5 {
			t.Errorf("%d are ready, %d ran, %v", len(ready), g.count.Load(), err)
		}
		if err := c.Node(0).Drain(context.Background()); err != nil {
			t.Errorf("the second time: %v", err)
		}
	})
}

var produce = task.Define("produce", func(ctx context.Context, gate string) ([]byte, error) {
	return make([]byte, 32<<20), enter(ctx, gate)
})

func TestDrainWaitsForALargeResultOnItsWay(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := nodetest.Start(t, 2, nodetest.Configure(func(i int, cfg *node.Config) {
			if i == 0 {
				cfg.CPUs, cfg.Resources = 0, map[string]float64{"CPU": 0} // so it runs on the other
			}
		}))
		g := newGate(t)
		ref := produce.With(task.Retries(0)).Go(c.Context(0), g.name)
		g.await(1)
		stopped := make(chan error, 1)
		go func() { stopped <- errors.Join(c.Node(1).Drain(context.Background()), c.Node(1).Close()) }()
		g.open()
		if got := get(t, c.Context(0), ref); len(got) != 32<<20 {
			t.Errorf("got %d bytes", len(got))
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

func TestANodeThatDrainsFinishesWhatItHasAndTakesNoMore(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := nodetest.Start(t, 2, nodetest.CPUs(1))
		held, later := newGate(t), newGate(t)
		refs := pass.Map(c.Context(0), []string{held.name, held.name})
		held.await(2)
		drained := make(chan error, 1)
		go func() { drained <- c.Node(1).Drain(context.Background()) }()
		held.open()
		if err := <-drained; err != nil {
			t.Error(err)
		}
		getAll(t, c.Context(0), refs)
		later.open()
		for range 5 {
			for _, where := range getAll(t, c.Context(0), pass.Map(c.Context(0), []string{later.name, later.name, later.name})) {
				if where != c.Node(0).ID() {
					t.Error("a task ran on the node that drained")
				}
			}
		}
		if n := held.count.Load(); n != 2 {
			t.Errorf("what it had ran %d times, want twice", n)
		}
	})
}

func TestDrainWhoseCtxEndsNamesWhatIsLeft(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := nodetest.Start(t, 2, nodetest.CPUs(1))
		g := newGate(t)
		refs := pass.Map(c.Context(0), []string{g.name, g.name})
		g.await(2)
		for i, want := range []string{"2 submitted tasks", "1 × pass"} {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			err := c.Node(i).Drain(ctx)
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), want) {
				t.Errorf("node %d: got %v, want %q", i, err, want)
			}
		}
		g.open()
		getAll(t, c.Context(0), refs)
	})
}

func TestCloseEndsTheCtxOfWhatRunsAndWaitsForIt(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := nodetest.Start(t, 2, nodetest.CPUs(1))
		g := newGate(t)
		refs := pass.Map(c.Context(0), []string{g.name, g.name})
		g.await(2)
		for range 2 { // the second time does nothing
			closeNode(t, c, 1)
		}
		g.awaitTurned()
		if now := g.now.Load(); now != 1 {
			t.Errorf("%d tasks run, want 1", now)
		}
		g.open()
		getAll(t, c.Context(0), refs)
	})
}

func TestADrainThatWasCutShortCanBeTakenUpAgain(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := nodetest.Start(t, 2, nodetest.CPUs(1))
		g := newGate(t)
		refs := pass.Map(c.Context(0), []string{g.name, g.name})
		g.await(2)
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			if err := c.Node(1).Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("while a task runs: %v", err)
			}
			cancel()
		}
		g.open()
		if err := c.Node(1).Drain(t.Context()); err != nil {
			t.Error(err)
		}
		getAll(t, c.Context(0), refs)
	})
}
