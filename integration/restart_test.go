package integration

import (
	"testing"

	"manta/integration/process/line"
)

func TestAllTasksFinishWhenTheServerRestarts(t *testing.T) {
	long(t)
	t.Parallel()
	c := oneServer(t, same(2, worker{cpus: 4}))
	const tasks = 600
	owner := c.owner()
	owner.submit(line.Command{Func: "sleep", Count: tasks, Micros: 20_000, Tag: "x"})
	owner.some(100, line.Result, "x")
	c.server.kill()
	c.server.start(t)

	owner.done("x")
	allHaveValues(t, owner, "x", tasks)
	noAttemptTwice(t, c.ran("x"))
	owner.meet(2) // all are known again
	owner.submit(line.Command{Func: "sleep", Count: 8, Micros: 1_000, Tag: "after"})
	owner.done("after")
	allHaveValues(t, owner, "after", 8)
}
