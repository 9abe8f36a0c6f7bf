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

// A rolling restart under steady load: the nodes of the callers stay, and so do the callers that run on nodes which are restarted, to their
// end.
func TestARollingRestartFailsNoTaskAndRunsNoneTwice(t *testing.T) {
	long(t)
	together(t, same(3, worker{cpus: 4}), func(t *testing.T, c *cluster) {
		const children = 3
		driver, parents := c.owner(), c.owner()
		driver.submit(line.Command{Func: "sleep", Width: 24, Micros: 20_000, Tag: "x"})
		parents.submit(line.Command{Func: "family", Width: 12, Micros: 10_000, Depth: children, Tag: "y"})
		for i := range c.workers {
			driver.some(100*(i+1), line.Result, "x")
			parents.some(30*(i+1), line.Result, "y")
			c.restart(i)
			driver.meet(len(c.workers))
			before := len(only(driver.events.all(), line.Result, "x"))
			c.workers[i].some(20, line.Start, "")
			driver.some(before+100, line.Result, "x")
		}
		for _, owner := range c.owners {
			tag := "x"
			if owner == parents {
				tag = "y"
			}
			owner.tell(line.Command{Do: "enough", Tag: tag})
			done := owner.done(tag)
			allHaveValues(t, owner, tag, done.OK)
			onceEach(t, c.ran(tag), tag, done.OK)
			allEnded(t, c.ran(tag))
			if owner == parents {
				onceEach(t, c.ran("y child"), "y child", children*done.OK)
				allEnded(t, c.ran("y child"))
			}
			if done.Failed > 0 {
				t.Errorf("%d tasks of %s failed", done.Failed, tag)
			}
		}
	})
}
