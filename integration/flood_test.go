package integration

import (
	"testing"
	"time"

	"manta/integration/process/line"
)

// patient bounds what a single task may take in a flood: far below the flood's own length, far above what it should be.
const patient = 500 * time.Millisecond

func TestASingleTaskDoesNotWaitForAFlood(t *testing.T) {
	long(t)
	together(t, same(2, worker{cpus: 4}), func(t *testing.T, c *cluster) {
		const flood, singles = 100_000, 200
		flooding, single := c.owner(), c.owner()
		flooding.submit(line.Command{Func: "nap", Count: flood, Micros: 100, Tag: "flood", Quiet: true})
		single.submit(line.Command{Func: "noop", Count: singles, Tag: "single", InTurn: true})
		single.done("single")
		early := len(only(flooding.events.all(), line.Done, "flood")) == 0

		if done := flooding.done("flood"); done.OK != flood {
			t.Errorf("%d of %d tasks of the flood have a value", done.OK, flood)
		}
		allHaveValues(t, single, "single", singles)
		if !early {
			t.Error("the single tasks ended after the flood")
		}
		if p99 := percentile(only(single.events.all(), line.Result, "single"), 0.99); p99 > patient {
			t.Errorf("of the single tasks one in a hundred took more than %v", p99)
		}
	})
}
