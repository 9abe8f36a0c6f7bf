package integration

import (
	"fmt"
	"testing"
	"time"

	"manta/integration/process/line"
)

// half is how long a task of the placement tests takes.
const half = 500 * time.Millisecond

// lateFor is what all of them may take when none waits for another: twice a task's time would show that one did.
const lateFor = 950 * time.Millisecond

// The tests of placement are about time: none runs beside another test.

func TestTasksGoWhereThereIsRoom(t *testing.T) {
	onEvery(t, same(2, worker{cpus: 4}), func(t *testing.T, c *cluster) {
		owner := c.owner()
		for trial := range trials(20) {
			tag := fmt.Sprint("trial ", trial)
			owner.submit(line.Command{Func: "sleep", Count: 8, Micros: half.Microseconds(), Tag: tag})
			done := owner.done(tag)
			fourOnEach(t, c, tag, 8)
			if took := time.Duration(done.TookMS * float64(time.Millisecond)); took > lateFor {
				t.Errorf("%s took %v", tag, took)
			}
			allHaveValues(t, owner, tag, 8)
		}
	})
}

func TestTasksOfSeveralOwnersGoWhereThereIsRoom(t *testing.T) {
	onEvery(t, same(2, worker{cpus: 4}), func(t *testing.T, c *cluster) {
		counts := []int{1, 3, 1, 3}
		for range counts {
			c.owner()
		}
		for trial := range trials(5) {
			tag := fmt.Sprint("trial ", trial)
			for i, owner := range c.owners {
				owner.submit(line.Command{Func: "sleep", Count: counts[i], Micros: half.Microseconds(), Tag: tag})
			}
			for i, owner := range c.owners {
				if took := time.Duration(owner.done(tag).TookMS * float64(time.Millisecond)); took > lateFor {
					t.Errorf("%s took owner %d %v", tag, i, took)
				}
				allHaveValues(t, owner, tag, counts[i])
			}
			fourOnEach(t, c, tag, 8)
		}
	})
}

// trials is how often something is repeated: the whole number, or a few if the run is to be short.
func trials(n int) int {
	if testing.Short() {
		return min(n, 3)
	}
	return n
}

// fourOnEach checks that tasks ran in equal parts on all workers.
func fourOnEach(t *testing.T, c *cluster, tag string, tasks int) {
	t.Helper()
	for _, w := range c.workers {
		ran := only(w.ran(tag), line.Start, "")
		if want := tasks / len(c.workers); len(ran) != want {
			t.Errorf("%s: %d tasks ran on %s, want %d", tag, len(ran), w.name, want)
		}
	}
	noAttemptTwice(t, c.ran(tag))
}
