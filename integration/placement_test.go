package integration

import (
	"fmt"
	"testing"
	"time"

	"manta/integration/process/line"
)

// half is how long a task of the placement tests takes.
const half = 500 * time.Millisecond

// lateFor is what all of them may take, by the median of the trials, when none waits for another: two tasks' time would show
// that one did. That none does in any trial, they show by overlapping.
const lateFor = 950 * time.Millisecond

// The tests of placement are about time: none runs beside another test.

func TestTasksGoWhereThereIsRoom(t *testing.T) {
	onEvery(t, same(2, worker{cpus: 4}), func(t *testing.T, c *cluster) {
		owner := c.owner()
		var done []line.Event
		for trial := range trials(20) {
			tag := fmt.Sprint("trial ", trial)
			owner.submit(line.Command{Func: "sleep", Count: 8, Micros: half.Microseconds(), Tag: tag})
			done = append(done, owner.done(tag))
			allHaveValues(t, owner, tag, 8)
			fourAtOnceOnEach(t, c, tag)
		}
		inTime(t, done)
	})
}

func TestTasksOfSeveralOwnersGoWhereThereIsRoom(t *testing.T) {
	onEvery(t, same(2, worker{cpus: 4}), func(t *testing.T, c *cluster) {
		counts := []int{1, 3, 1, 3}
		for range counts {
			c.owner()
		}
		var done []line.Event
		for trial := range trials(5) {
			tag := fmt.Sprint("trial ", trial)
			for i, owner := range c.owners {
				owner.submit(line.Command{Func: "sleep", Count: counts[i], Micros: half.Microseconds(), Tag: tag})
			}
			for i, owner := range c.owners {
				done = append(done, owner.done(tag))
				allHaveValues(t, owner, tag, counts[i])
			}
			fourAtOnceOnEach(t, c, tag)
		}
		inTime(t, done)
	})
}

// trials is how often something is repeated: the whole number, or a few if the run is to be short.
func trials(n int) int {
	if testing.Short() {
		return min(n, 3)
	}
	return n
}

// fourAtOnceOnEach checks that every worker ran four tasks, and these at the same time.
func fourAtOnceOnEach(t *testing.T, c *cluster, tag string) {
	t.Helper()
	for _, w := range c.workers {
		ran := w.ran(tag)
		if n, most := len(starts(ran)), peak(ran); n != 4 || most != 4 {
			t.Errorf("%s: %d tasks ran on %s, %d of them at once; want 4 and 4", tag, n, w.name, most)
		}
	}
	noAttemptTwice(t, c.ran(tag))
}

// inTime checks what submissions took.
func inTime(t *testing.T, done []line.Event) {
	t.Helper()
	if took := percentile(done, 0.5); took > lateFor {
		t.Errorf("tasks of %v took %v, want %v at most", half, took, lateFor)
	}
}
