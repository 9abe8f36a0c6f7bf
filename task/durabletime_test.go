package task_test

import (
	"errors"
	"testing"
	"time"

	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

func TestADurableTaskOfADeadNodeRunsElsewhereAsTheNextAttempt(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := nodetest.Start(t, 3, nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i == 0 }))
		g := newGate(t)
		ref := pass.With(task.Durable()).Go(c.Context(0), g.name)
		victim, other := 1, 2
		first := g.await(1)[0]
		if first.Node == c.Node(2).ID() {
			victim, other = 2, 1
		}
		if first.ID != ref.ID() || first.Attempt != 1 {
			t.Errorf("it ran as %+v, want its own id and attempt 1", first)
		}
		c.Kill(victim)
		begun := time.Now()
		again := g.await(1)[0]
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("it ran again after %v", took)
		}
		if again.ID != ref.ID() || again.Attempt != 2 || again.Node != c.Node(other).ID() {
			t.Errorf("it ran again as %+v", again)
		}
		g.open()
		if got := get(t, c.Context(0), ref); got != c.Node(other).ID() {
			t.Errorf("the result is of node %s", got)
		}
	})
}

func TestADurableTaskWithoutRetriesIsLostWithItsNode(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := nodetest.Start(t, 2, nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i == 0 }))
		g := newGate(t)
		ref := pass.With(task.Durable(), task.Retries(0)).Go(c.Context(0), g.name)
		g.await(1)
		c.Kill(1)
		c.Add()
		if err := getError(t, c.Context(0), ref); !errors.Is(err, task.ErrWorkerLost) {
			t.Errorf("got %v", err)
		}
		if n := g.count.Load(); n != 1 {
			t.Errorf("it ran %d times", n)
		}
	})
}

func TestADurableTaskEndsWhenItsTimeIsOverWhetherItRunsOrWaits(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := nodetest.Start(t, 1)
		g := newGate(t)
		limited := task.Timeout(20 * time.Second)
		refs := []objstore.Ref[string]{
			pass.With(task.Durable(), limited).Go(c.Context(0), g.name),
			task.Declare[string, string]("nobody_serves_it").With(task.Durable(), limited).Go(c.Context(0), ""),
		}
		g.await(1)
		begun := time.Now()
		for _, r := range refs {
			<-time.After(time.Until(begun.Add(20 * time.Second)))
			if err := getError(t, c.Context(0), r); !errors.Is(err, task.ErrDeadline) {
				t.Errorf("got %v", err)
			}
		}
		if took := time.Since(begun); took > 22*time.Second {
			t.Errorf("it took %v", took)
		}
		stored(t, c, 0)
	})
}

func TestALongDurableTaskIsHandedToNobodyElseWhileItRuns(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := nodetest.Start(t, 2)
		g := newGate(t)
		ref := pass.With(task.Durable()).Go(c.Context(0), g.name)
		g.await(1)
		<-time.After(time.Minute)
		g.open()
		get(t, c.Context(0), ref)
		if n := g.count.Load(); n != 1 {
			t.Errorf("it ran %d times in a minute", n)
		}
	})
}

func TestAResultIsGoneWhenItsTimeIsOver(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := nodetest.Start(t, 2)
		small := twice.With(task.Durable(task.KeepResult(20*time.Second))).Go(c.Context(0), 1)
		large := doubled.With(task.Durable(task.KeepResult(20*time.Second))).Go(c.Context(0), make([]byte, 100<<10))
		get(t, c.Context(0), small)
		get(t, c.Context(0), large)
		<-time.After(15 * time.Second)
		if got, err := result[int](t, c.Context(1), small.ID()); err != nil || got != 2 {
			t.Errorf("after 15 seconds: %d, %v", got, err)
		}
		<-time.After(time.Minute)
		c.Add()
		if _, err := result[int](t, c.Context(2), small.ID()); !errors.Is(err, objstore.ErrExpired) {
			t.Errorf("after its time: %v", err)
		}
		noDurableBlobs(t, c)
	})
}
