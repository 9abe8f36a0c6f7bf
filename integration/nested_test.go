package integration

import (
	"testing"

	"manta/integration/process/line"
)

func TestTasksThatWaitForTheirChildrenNeedNoCPU(t *testing.T) {
	together(t, same(1, worker{cpus: 1}), func(t *testing.T, c *cluster) {
		owner := c.owner()
		owner.submit(line.Command{Func: "nested", Count: 5, Depth: 10, Tag: "x"})
		owner.done("x")
		allHaveValues(t, owner, "x", 5)
	})
}
