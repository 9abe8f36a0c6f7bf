package integration

import (
	"syscall"
	"testing"
	"time"

	"manta/integration/process/line"
)

func TestNoTaskIsLostWithANode(t *testing.T) {
	long(t)
	together(t, same(3, worker{cpus: 8}), func(t *testing.T, c *cluster) {
		const tasks = 2000
		owner := c.owner()
		owner.submit(line.Command{Func: "sleep", Count: tasks, Micros: 20_000, Tag: "x"})
		victim := c.workers[1]
		victim.some(80, line.Start, "x")
		killed := time.Now()
		victim.kill()

		if done := owner.done("x"); done.OK != tasks {
			t.Errorf("%d of %d tasks have a value", done.OK, tasks)
		}
		allHaveValues(t, owner, "x", tasks)
		noAttemptTwice(t, c.ran("x"))
		sentAgain := 0
		for _, e := range starts(c.ran("x")) {
			if e.Attempt == 1 {
				continue
			}
			sentAgain++
			if late := time.Unix(0, e.At).Sub(killed); late > c.noticed {
				t.Errorf("task %d started again %v after its node was killed", e.N, late)
			}
		}
		if sentAgain == 0 {
			t.Error("no task was sent again: the node died without one")
		}
		onlyTheDeadRepeat(t, c, victim, "x")
	})
}

// onlyTheDeadRepeat checks that no task which started on a node that lives started again on one that lives.
func onlyTheDeadRepeat(t *testing.T, c *cluster, dead *process, tag string) {
	t.Helper()
	started := make(map[string]line.Event)
	for _, w := range c.workers {
		if w == dead {
			continue
		}
		for _, e := range starts(w.ran(tag)) {
			if before, twice := started[e.Task]; twice {
				t.Errorf("task %d of %s started on %s and on %s, which both live", e.N, tag, before.Node, e.Node)
			}
			started[e.Task] = e
		}
	}
}

func TestWithoutRetriesExactlyTheTasksOfALostNodeFail(t *testing.T) {
	long(t)
	together(t, same(3, worker{cpus: 8}), func(t *testing.T, c *cluster) {
		const tasks = 1500
		owner := c.owner()
		owner.submit(line.Command{Func: "sleep", Count: tasks, Micros: 20_000, Tag: "x", Retries: new(int)})
		victim := c.workers[1]
		victim.some(80, line.Start, "x")
		victim.kill()
		owner.done("x")

		results := oneResultEach(t, owner, "x", tasks)
		noAttemptTwice(t, c.ran("x"))
		failed := 0
		for n, e := range results {
			if e.Error == "" {
				continue
			}
			failed++
			if e.Code != "worker_lost" {
				t.Errorf("task %d failed otherwise: %s", n, e.Error)
			}
		}
		if failed == 0 {
			t.Error("no task failed: the node died without one")
		}
		for _, w := range c.workers {
			for _, e := range starts(w.ran("x")) {
				if e.Attempt != 1 {
					t.Errorf("task %d ran as attempt %d", e.N, e.Attempt)
				}
				if lives := w != victim; lives && results[e.N].Error != "" {
					t.Errorf("task %d ran on %s, which lives, and failed: %s", e.N, w.name, results[e.N].Error)
				}
			}
		}
		ended := make(map[int]bool)
		for _, e := range ends(victim.ran("x")) {
			ended[e.N] = true
		}
		for _, e := range starts(victim.ran("x")) {
			if !ended[e.N] && results[e.N].Error == "" {
				t.Errorf("task %d never ended on the node that died, and has a value", e.N)
			}
		}
	})
}

// asleep is for how long a node is stopped: past its lease's 2 s and what the cluster needs to see that.
const asleep = 3500 * time.Millisecond

func TestLateAnswersOfANodeThatWasStoppedChangeNothing(t *testing.T) {
	long(t)
	together(t, same(2, worker{cpus: 4}), func(t *testing.T, c *cluster) {
		const tasks = 8
		owner := c.owner()
		owner.submit(line.Command{Func: "sleep", Count: tasks, Micros: 1_000_000, Tag: "x"})
		other, victim := c.workers[0], c.workers[1]
		victim.some(1, line.Start, "x")
		other.some(1, line.Start, "x")
		victim.signal(t, syscall.SIGSTOP)
		stopped := time.Now()
		held := len(only(victim.events.all(), line.Start, "x"))

		owner.done("x") // by the other node alone
		allHaveValues(t, owner, "x", tasks)
		if late := time.Since(stopped); late > c.noticed+3*time.Second {
			t.Errorf("the tasks ended %v after their node was stopped", late)
		}
		<-time.After(time.Until(stopped.Add(asleep))) // stopped for that long whatever happens: the scenario itself
		before := len(owner.events.all())
		victim.signal(t, syscall.SIGCONT)
		victim.some(held, line.End, "x") // they end, or are cancelled

		// What the node says about them is behind it once it has done other work for the same owner.
		c.await(owner, func() bool { return len(only(victim.events.all(), line.Start, "after")) > 0 }, "after")
		allHaveValues(t, owner, "x", tasks)
		for _, e := range owner.events.all()[before:] {
			if e.Tag == "x" {
				t.Errorf("the owner has something more to say about the tasks: %+v", e)
			}
		}
		noAttemptTwice(t, c.ran("x"))
	})
}

// await gives the owner more tasks, round by round, until something holds.
func (c *cluster) await(owner *process, holds func() bool, tag string) {
	c.t.Helper()
	for begun := time.Now(); !holds(); {
		if time.Since(begun) > patience {
			c.t.Fatalf("the node that was stopped runs no task within %v", patience)
		}
		owner.again(line.Command{Func: "sleep", Count: 8, Micros: 10_000, Tag: tag})
	}
}

// again submits tasks and waits for them, also if there were others with their tag.
func (p *process) again(c line.Command) {
	p.t.Helper()
	before := len(only(p.events.all(), line.Done, c.Tag))
	p.submit(c)
	p.some(before+1, line.Done, c.Tag)
}

// long ends a test that a short run leaves out.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes seconds")
	}
}
