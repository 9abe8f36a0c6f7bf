package integration

import (
	"testing"

	"manta/integration/process/line"
)

func TestAProcessThatIsTerminatedFinishesWhatRuns(t *testing.T) {
	together(t, same(2, worker{cpus: 4}), func(t *testing.T, c *cluster) {
		owner := c.owner()
		staying, leaving := c.workers[0], c.workers[1]
		owner.submit(line.Command{Func: "sleep", Count: 8, Micros: 600_000, Tag: "x"})
		leaving.some(4, line.Start, "x")
		leaving.terminate()
		owner.submit(line.Command{Func: "sleep", Count: 8, Micros: 10_000, Tag: "after"})

		if code := leaving.finish(); code != 0 {
			t.Errorf("the process ended with %d", code)
		}
		owner.done("x")
		owner.done("after")
		allHaveValues(t, owner, "x", 8)
		allHaveValues(t, owner, "after", 8)
		if starts, ends := len(starts(leaving.ran("x"))), len(ends(leaving.ran("x"))); ends != starts {
			t.Errorf("%d tasks started on the process that was terminated and %d ended", starts, ends)
		}
		onceEach(t, c.ran("x"), "x", 8)
		owner.again(line.Command{Func: "sleep", Count: 4, Micros: 1_000, Tag: "later"})
		if ran := len(starts(staying.ran("later"))); ran != 4 {
			t.Errorf("%d of 4 tasks ran on the process that stayed", ran)
		}
	})
}

// A rolling restart: every process is replaced by another, one after the other, under load.
func TestARollingRestartFailsNoTask(t *testing.T) {
	long(t)
	t.Parallel()
	c := oneServer(t, same(3, worker{cpus: 4}))
	const tasks = 1500
	owner := c.owner()
	owner.submit(line.Command{Func: "sleep", Count: tasks, Micros: 20_000, Tag: "x"})
	owner.some(50, line.Result, "x")
	for _, old := range c.workers[:3] {
		c.workers = append(c.workers, launch(t, "successor of "+old.name, "-cpus", "4", "-url", c.url).ready())
		old.terminate()
		if code := old.finish(); code != 0 {
			t.Errorf("%s ended with %d", old.name, code)
		}
	}
	owner.done("x")
	allHaveValues(t, owner, "x", tasks)
	onceEach(t, c.ran("x"), "x", tasks)
}
