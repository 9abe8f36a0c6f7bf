package actor

import (
	"context"
	"sync/atomic"

	"manta/internal/member"
)

// crewSize is how many goroutines of a node stay when there is nothing to do.
const crewSize = 16

// crew is the goroutines that run calls in a node's cells. There are as many as are needed, and a few stay for what comes next: a new one would
// grow its stack anew, which costs as much as all else of a call.
type crew struct {
	group *member.Group
	jobs  chan job // without room: what is put into it is taken by one that has nothing to do
	idle  atomic.Int32
}

// job is a line that has calls.
type job struct {
	cell *cell
	line *line
}

func newCrew(group *member.Group) *crew { return &crew{group: group, jobs: make(chan job)} }

// run has somebody work on a line. It does not block, and returns false if the node is closing.
func (c *crew) run(j job) bool {
	select {
	case c.jobs <- j:
		return true
	default:
		return c.group.Go(func(ctx context.Context) { c.work(ctx, j) })
	}
}

func (c *crew) work(ctx context.Context, j job) {
	for {
		j.cell.work(j.line)
		j = job{} // what has ended is not kept
		if c.idle.Add(1) > crewSize {
			c.idle.Add(-1)
			return
		}
		select {
		case j = <-c.jobs:
			c.idle.Add(-1)
		case <-ctx.Done():
			return
		}
	}
}
