package task_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

// awaitValues waits until n of the refs have values.
func awaitValues[T any](t *testing.T, c *nodetest.Cluster, refs []objstore.Ref[T], n int) {
	t.Helper()
	if ready, _, err := objstore.Wait(c.Context(0), refs, n); err != nil {
		t.Fatalf("%d of %d tasks ended, waiting for %d: %v", len(ready), len(refs), n, err)
	}
}

func TestNoTaskIsLostWhenConnectionsBreak(t *testing.T) {
	t.Parallel()
	const count = 5_000
	for name, breaks := range map[string]struct {
		node    int
		doubted bool // the others may take it for dead before it is back
	}{
		"the owner's": {node: 0},
		"a worker's":  {node: 1, doubted: true},
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, where ...nodetest.Option) {
				t.Parallel()
				c := nodetest.Start(t, 3, append(where, nodetest.CPUs(2))...)
				j := newJournal(t)
				refs := j.submit(c.Context(0), followed, 0, count, 200*time.Microsecond)
				for done := 500; done < count; done += 1_000 {
					awaitValues(t, c, refs, done)
					c.Disconnect(breaks.node)
				}
				j.wantRight(getAll(t, c.Context(0), refs))
				var doubted []string
				if breaks.doubted {
					doubted = append(doubted, c.Node(breaks.node).ID())
				}
				t.Logf("%d tasks ran again", j.wantAgainOnlyAfter(count, doubted...))
				c.AwaitMembers(0, 1, 2)
				drainAll(t, c, 3)
			})
		})
	}
}

func TestANodeThatStopsIsForgottenAndWelcomeAgain(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, where ...nodetest.Option) {
		t.Parallel()
		c := nodetest.Start(t, 3, append(where, nodetest.CPUs(2), nodetest.Configure(func(i int, cfg *node.Config) {
			cfg.ClientOnly, cfg.Resources = i == 0, map[string]float64{"long": 1}
		}))...)
		const short = 1_000
		j := newJournal(t)
		g := newGate(t)
		refs := j.submit(c.Context(0), followed, 0, short, time.Millisecond)
		long := pass.With(task.Resources(map[string]float64{"long": 1})).Map(c.Context(0), []string{g.name, g.name})
		if there, elsewhere := split(g.await(2), c.Node(1).ID()); there != 1 || elsewhere != 1 {
			t.Fatalf("%d long tasks run on node 1 and %d elsewhere, want one and one", there, elsewhere)
		}
		awaitValues(t, c, refs, short/4) // so that some are queued at the node
		c.Pause(1)
		c.AwaitMembers(0, 2) // it is dead to the others
		g.open()
		places := getAll(t, c.Context(0), long)
		for _, where := range places {
			if where != c.Node(2).ID() {
				t.Errorf("a result is of %s, want the node that goes on", where)
			}
		}
		if again := g.await(1)[0]; again.Attempt != 2 || again.Node != c.Node(2).ID() {
			t.Errorf("again: %+v, want the second attempt on the node that goes on", again)
		}
		got := getAll(t, c.Context(0), refs)

		c.Resume(1)
		c.AwaitMembers(0, 1, 2)
		second := newGate(t)
		more := pass.Map(c.Context(0), []string{second.name, second.name, second.name, second.name})
		if there, elsewhere := split(second.await(4), c.Node(1).ID()); there != 2 || elsewhere != 2 {
			t.Errorf("afterwards %d tasks run on the node that was stopped and %d elsewhere, want 2 and 2", there, elsewhere)
		}
		second.open()
		getAll(t, c.Context(0), more)
		for i, where := range getAll(t, c.Context(0), long) {
			if where != places[i] {
				t.Errorf("a late answer changed a result from %s to %s", places[i], where)
			}
		}
		for i, late := range getAll(t, c.Context(0), refs) {
			if late != got[i] {
				t.Errorf("a late answer changed a result from %+v to %+v", got[i], late)
			}
		}
		if n := g.count.Load(); n != 3 {
			t.Errorf("the long tasks ran %d times, want 3", n)
		}
		j.wantRight(got)
		t.Logf("%d of the short tasks ran again", j.wantAgainOnlyAfter(short, c.Node(1).ID()))
		drainAll(t, c, 3)
	})
}

// noticeAtMost is far above what it takes: five looks, 50 ms apart.
const noticeAtMost = 2 * time.Second

func TestALostNodeIsNoticedSoonAndItsTasksRunElsewhere(t *testing.T) {
	t.Parallel()
	const count = 2_000
	everywhere(t, func(t *testing.T, where ...nodetest.Option) {
		t.Parallel()
		c := nodetest.Start(t, 3, append(where, nodetest.CPUs(2))...)
		j := newJournal(t)
		refs := j.submit(c.Context(0), followed, 0, count, time.Millisecond)
		awaitValues(t, c, refs, count/4)
		killed := time.Now()
		c.Kill(2)
		j.wantRight(getAll(t, c.Context(0), refs))
		again := j.wantAgainOnlyAfter(count, c.Node(2).ID())
		if noticed, some := j.firstAgain(count); some {
			wantNoticed(t, noticed.Sub(killed))
		}
		t.Logf("%d ran again", again)
		c.AwaitMembers(0, 1)
		wantAllFree(t, c.Node(0))
		wantAllFree(t, c.Node(1))
	})
}

// firstAgain returns when the first second attempt of tasks 0 to n - 1 began.
func (j *journal) firstAgain(n int) (first time.Time, some bool) {
	for number := range n {
		if runs := j.of(number); len(runs) > 1 && (!some || runs[1].begun.Before(first)) {
			first, some = runs[1].begun, true
		}
	}
	return first, some
}

func wantNoticed(t *testing.T, after time.Duration) {
	t.Helper()
	t.Logf("the loss was noticed after %v", after)
	if after > noticeAtMost {
		t.Errorf("the loss was noticed after %v, want at most %v", after, noticeAtMost)
	}
}

// Interest spreads in the first second of a node, so a node that has never answered is then given more time. What counts is the
// node's age, not that of the lane: the nodes here are old, and of this lane they have never spoken.
func TestTheLossOfAnOldNodeIsNoticedAsSoonByANewLane(t *testing.T) {
	t.Parallel()
	const tries, most = 3, 800 * time.Millisecond // twice what it takes, and less than that second
	var took time.Duration
	for range tries { // a machine that stalls is not what is tested
		c := nodetest.Start(t, 4, nodetest.CPUs(2), nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i == 0 }))
		g := newGate(t)
		get(t, c.Context(0), stay.Go(c.Context(0), stayed{g.name, time.Second}))
		refs := pass.With(task.Retries(0)).Map(c.Context(0), []string{g.name, g.name, g.name, g.name, g.name, g.name})
		g.await(6)
		killed := time.Now()
		for i := 1; i < 4; i++ {
			c.Kill(i)
		}
		for _, r := range refs {
			wantError(t, c.Context(0), r, task.ErrWorkerLost)
		}
		if took = time.Since(killed); took < most {
			return
		}
	}
	t.Errorf("the loss was noticed after %v, want less than %v", took, most)
}

func TestWithoutRetriesALostNodeCostsWhatItHeld(t *testing.T) {
	t.Parallel()
	const count = 2_000
	everywhere(t, func(t *testing.T, where ...nodetest.Option) {
		t.Parallel()
		c := nodetest.Start(t, 3, append(where, nodetest.CPUs(2))...)
		g := newGate(t)
		held := pass.With(task.Retries(0)).Map(c.Context(0), []string{g.name, g.name, g.name, g.name, g.name, g.name})
		dead := c.Node(2).ID()
		onDead := make(map[objstore.ID]bool)
		for _, info := range g.await(6) {
			if info.Node == dead {
				onDead[info.ID] = true
			}
		}
		if len(onDead) != 2 {
			t.Fatalf("%d tasks run on node 2, want 2", len(onDead))
		}
		j := newJournal(t)
		queued := j.submit(c.Context(0), followed, 0, count, 0)
		killed := time.Now()
		c.Kill(2)
		for _, r := range held {
			if onDead[r.ID()] {
				wantError(t, c.Context(0), r, task.ErrWorkerLost)
			}
		}
		wantNoticed(t, time.Since(killed))
		g.open()
		for _, r := range held {
			if !onDead[r.ID()] {
				get(t, c.Context(0), r)
			}
		}
		j.wantRight(getAll(t, c.Context(0), queued))
		j.wantAgainOnlyAfter(count, dead)
		if n := g.count.Load(); n != 6 {
			t.Errorf("%d tasks ran, want 6", n)
		}
	})
}

func TestWithoutRetriesNoTaskRunsTwiceWhateverIsLost(t *testing.T) {
	t.Parallel()
	const count = 2_000
	everywhere(t, func(t *testing.T, where ...nodetest.Option) {
		t.Parallel()
		c := nodetest.Start(t, 3, append(where, nodetest.CPUs(2))...)
		j := newJournal(t)
		refs := j.submit(c.Context(0), followed.With(task.Retries(0)), 0, count, time.Millisecond)
		awaitValues(t, c, refs, count/4)
		c.Kill(2)
		lost := 0
		for i, r := range refs {
			ctx, cancel := context.WithTimeout(c.Context(0), patience)
			v, err := r.Get(ctx)
			cancel()
			runs := j.of(i)
			switch {
			case err == nil && len(runs) == 1 && v == chored{i, 1, runs[0].node}:
			case errors.Is(err, task.ErrWorkerLost) && (len(runs) == 0 || len(runs) == 1 && runs[0].node == c.Node(2).ID()):
				lost++
			default:
				t.Fatalf("task %d: %+v, %v; it ran as %+v", i, v, err, runs)
			}
		}
		if lost > count/4 {
			t.Errorf("%d tasks were lost: more than a node may have", lost)
		}
		t.Logf("%d tasks were lost", lost)
	})
}
