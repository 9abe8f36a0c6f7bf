package actor

import (
	"context"
	"sync"

	"manta/internal/call"
	"manta/internal/member"
)

// idleWorkers is how many goroutines of a node stay when there is nothing to do.
const idleWorkers = 16

// workers are the goroutines that run calls in a node's cells. There are as many as are needed, and a few stay for what comes next: a new one would
// grow its stack anew, which costs as much as all else of a call.
type workers struct {
	group *member.Group

	mu        sync.Mutex
	dismissed bool
	idle      []chan job // of those that have nothing to do; each has room for one
}

// job is a line that has calls.
type job struct {
	cell *cell
	line *line
}

// run has somebody work on a line. It does not block, and returns false if the node is closing.
func (w *workers) run(j job) bool {
	w.mu.Lock()
	n := len(w.idle)
	if n == 0 {
		w.mu.Unlock()
		return w.group.Go(func(context.Context) { w.work(j) })
	}
	latest := w.idle[n-1] // whose memory is in the caches still
	w.idle = w.idle[:n-1]
	w.mu.Unlock()
	latest <- j
	return true
}

func (w *workers) work(j job) {
	h, more := newHand(), make(chan job, 1)
	for there := true; there; j, there = <-more {
		j.cell.work(h, j.line)
		call.Unlabel()
		h.rest()
		j = job{} // what has ended is not kept
		if !w.rest(more) {
			return
		}
	}
}

// rest notes that a goroutine has nothing to do, and returns false if it is not needed any more.
func (w *workers) rest(more chan job) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dismissed || len(w.idle) == idleWorkers {
		return false
	}
	w.idle = append(w.idle, more)
	return true
}

// dismiss ends the goroutines once they have nothing to do.
func (w *workers) dismiss() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dismissed = true
	for _, more := range w.idle {
		close(more)
	}
	w.idle = nil
}
