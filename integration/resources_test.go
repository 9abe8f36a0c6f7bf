package integration

import (
	"testing"

	"manta/integration/process/line"
)

func TestNodesGiveNoMoreThanTheyHave(t *testing.T) {
	together(t, same(2, worker{cpus: 4, resources: map[string]float64{"gpu": 2}}), func(t *testing.T, c *cluster) {
		const tasks = 40
		gpu := map[string]float64{"gpu": 1}
		for range 3 {
			owner := c.owner()
			owner.submit(line.Command{Func: "sleep", Count: tasks, Micros: 20_000, Tag: "gpu", Resources: gpu})
			owner.submit(line.Command{Func: "sleep", Count: tasks, Micros: 20_000, Tag: "cpu"})
		}
		for _, owner := range c.owners {
			for _, tag := range []string{"gpu", "cpu"} {
				owner.done(tag)
				allHaveValues(t, owner, tag, tasks)
			}
		}
		for _, w := range c.workers {
			if most := peak(w.ran("gpu")); most != 2 {
				t.Errorf("%d tasks at once had one of the 2 GPUs of %s, want 2 at the peak", most, w.name)
			}
			if most := peak(w.ran("")); most != 4 {
				t.Errorf("%d tasks at once had one of the 4 CPUs of %s, want 4 at the peak", most, w.name)
			}
		}
	})
}

func TestAFunctionsErrorIsItsOutcome(t *testing.T) {
	together(t, same(2, worker{cpus: 2}), func(t *testing.T, c *cluster) {
		const tasks = 20
		owner := c.owner()
		owner.submit(line.Command{Func: "fail", Count: tasks, Tag: "x"})
		owner.done("x")
		for n, e := range oneResultEach(t, owner, "x", tasks) {
			if e.Code != "failed" {
				t.Errorf("task %d: %+v", n, e)
			}
		}
		onceEach(t, c.ran("x"), "x", tasks)
	})
}
