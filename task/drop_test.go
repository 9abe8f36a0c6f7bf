package task_test

import (
	"testing"
	"time"

	"manta/node/nodetest"
	"manta/task"
)

// Half of the tasks have no retries: a lost message costs none.
func TestLostMessagesMakeNoTaskRunTwice(t *testing.T) {
	const count = 3_000
	everywhere(t, func(t *testing.T, where ...nodetest.Option) {
		c := nodetest.Start(t, 3, append(where, nodetest.CPUs(2))...)
		once := followed.With(task.Retries(0))
		run := func(rate float64) (took time.Duration) {
			t.Helper()
			before := c.Dropped()
			c.Drop(rate)
			j := newJournal(t)
			begun := time.Now()
			refs := j.submit(c.Context(0), followed, 0, count/2, time.Millisecond)
			refs = append(refs, j.submit(c.Context(0), once, count/2, count, time.Millisecond)...)
			j.wantRight(getAll(t, c.Context(0), refs))
			took = time.Since(begun)
			j.wantOnce(count)
			t.Logf("%v of the frames lost, %d: %v", rate, c.Dropped()-before, took)
			if lost := c.Dropped() - before; (lost > 0) != (rate > 0) {
				t.Errorf("%d frames were lost at a rate of %v", lost, rate)
			}
			return took
		}
		undisturbed := run(0)
		if took, most := run(0.01), 3*undisturbed+time.Second; took > most {
			t.Errorf("with one frame in a hundred lost it took %v, want at most %v: undisturbed it took %v", took, most, undisturbed)
		}
		run(0.05)
		c.Drop(0)
		drainAll(t, c, 3)
	})
}

// drainAll drains nodes, which have nothing left then.
func drainAll(t *testing.T, c *nodetest.Cluster, n int) {
	t.Helper()
	for i := range n {
		if err := c.Node(i).Drain(t.Context()); err != nil {
			t.Errorf("node %d: %v", i, err)
		}
		wantAllFree(t, c.Node(i))
	}
}
