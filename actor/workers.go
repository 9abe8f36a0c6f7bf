package actor

import (
	"context"
	"sync/atomic"

	"manta/internal/call"
	"manta/internal/member"
)

// idleWorkers is how many goroutines of a node stay when there is nothing to do.
const idleWorkers = 16

// workers are the goroutines that run calls in a node's cells. There are as many as are needed, and a few stay for what comes next: a new one would
// grow its stack anew, which costs as much as all else of a call.
type workers struct {
	group *member.Group
	jobs  chan job // without room: what is put into it is taken by one that has nothing to do
	idle  atomic.Int32
}

// job is a line that has calls.
type job struct {
	cell *cell
	line *line
}

func newWorkers(group *member.Group) *workers { return &workers{group: group, jobs: make(chan job)} }

// run has somebody work on a line. It does not block, and returns false if the node is closing.
func (w *workers) run(j job) bool {
	select {
	case w.jobs <- j:
		return true
	default:
		return w.group.Go(func(ctx context.Context) { w.work(ctx, j) })
	}
}

func (w *workers) work(ctx context.Context, j job) {
	for {
		j.cell.work(j.line)
		call.Unlabel()
		j = job{} // what has ended is not kept
		if w.idle.Add(1) > idleWorkers {
			w.idle.Add(-1)
			return
		}
		select {
		case j = <-w.jobs:
			w.idle.Add(-1)
		case <-ctx.Done():
			return
		}
	}
}
