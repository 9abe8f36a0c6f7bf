package task_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

// everywhere runs a test on nodes that share a server, and on nodes that have one each.
func everywhere(t *testing.T, test func(t *testing.T, where ...nodetest.Option)) {
	t.Run("one server", func(t *testing.T) { test(t) })
	t.Run("routed", func(t *testing.T) { test(t, nodetest.Routed()) })
}

// journal is where tasks note that they run: each a number, of which a test can ask afterwards how often it ran, and where. Tasks
// find it by its name, because all nodes of a test are in this process.
type journal struct {
	t    *testing.T
	name string

	mu   sync.Mutex
	runs map[int][]run
}

// run is one execution of a task.
type run struct {
	attempt int
	node    string
	begun   time.Time
}

// chore is what a task that is followed does: nothing, for a while.
type chore struct {
	Journal string
	Number  int
	For     time.Duration
}

// chored is a chore's result: of which, by which run.
type chored struct {
	Number, Attempt int
	Node            string
}

var (
	journals sync.Map // name → *journal

	followed = task.Define("followed", func(ctx context.Context, c chore) (chored, error) {
		found, ok := journals.Load(c.Journal)
		if !ok {
			return chored{}, errors.New("the test is over")
		}
		info := task.Current(ctx)
		found.(*journal).note(c.Number, info)
		if c.For > 0 {
			select {
			case <-time.After(c.For):
			case <-ctx.Done():
				return chored{}, context.Cause(ctx)
			}
		}
		return chored{c.Number, info.Attempt, info.Node}, nil
	})
)

func newJournal(t *testing.T) *journal {
	j := &journal{t: t, name: fmt.Sprintf("%s %d", t.Name(), gateCount.Add(1)), runs: make(map[int][]run)}
	journals.Store(j.name, j)
	t.Cleanup(func() { journals.Delete(j.name) })
	return j
}

func (j *journal) note(number int, info task.Info) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.runs[number] = append(j.runs[number], run{info.Attempt, info.Node, time.Now()})
}

// of returns the runs of a task, in the order in which they began.
func (j *journal) of(number int) []run {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.runs[number])
}

// submit makes tasks of the numbers from first to last - 1.
func (j *journal) submit(ctx context.Context, f task.Func[chore, chored], first, last int, each time.Duration) (refs []objstore.Ref[chored]) {
	for n := first; n < last; n++ {
		refs = append(refs, f.Go(ctx, chore{j.name, n, each}))
	}
	return refs
}

// wantRight checks that each task has its own result, and of a run that took place.
func (j *journal) wantRight(got []chored) {
	j.t.Helper()
	for number, c := range got {
		if c.Number != number {
			j.t.Fatalf("task %d has the result of task %d", number, c.Number)
		}
		if !slices.ContainsFunc(j.of(number), func(r run) bool { return r.attempt == c.Attempt && r.node == c.Node }) {
			j.t.Fatalf("task %d has the result of attempt %d on %s; it ran as %+v", number, c.Attempt, c.Node, j.of(number))
		}
	}
}

// wantOnce checks that tasks 0 to n - 1 ran exactly once each.
func (j *journal) wantOnce(n int) {
	j.t.Helper()
	for number := range n {
		if runs := j.of(number); len(runs) != 1 || runs[0].attempt != 1 {
			j.t.Fatalf("task %d ran as %+v, want one first attempt", number, runs)
		}
	}
}

// wantAgainOnlyAfter checks that tasks 0 to n - 1 ran, that no attempt ran twice, and that what ran again had begun on one of the nodes
// that may have been taken for dead. It returns how many ran again.
func (j *journal) wantAgainOnlyAfter(n int, doubted ...string) (again int) {
	j.t.Helper()
	for number := range n {
		runs := j.of(number)
		if len(runs) == 0 {
			j.t.Fatalf("task %d has not run", number)
		}
		if len(runs) > 1 {
			again++
		}
		for i, r := range runs {
			for _, other := range runs[i+1:] {
				if other.attempt == r.attempt {
					j.t.Fatalf("attempt %d of task %d ran twice: %+v", r.attempt, number, runs)
				}
				if other.attempt > r.attempt && !slices.Contains(doubted, r.node) {
					j.t.Fatalf("task %d ran again although nothing was wrong with %s: %+v", number, r.node, runs)
				}
			}
		}
	}
	return again
}
