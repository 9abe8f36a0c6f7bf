package task

import (
	"crypto/sha256"
	"slices"

	"manta/internal/call"
	"manta/internal/member"
)

// worker is a program in any language that serves functions with no more than a NATS client: an instance of a NATS service, with a subject of
// its own for each function. A lane sees it as one more peer, which takes plain requests.
//
//	found ─► there ⇄ unserved (NATS says that nobody is there) ─► gone
type worker struct {
	name    string         // its id as an instance of the service
	windows map[string]int // by function: how many of its tasks it takes at a time
	has     int            // tasks under way there
	pinged  moment
	heard   moment // when it last answered, or was first sent something
	strikes int    // NATS's word that nobody is there, in a row
	absent  moment // since when a task has found nobody there; 0 if it is there
}

// id is the worker's as a peer.
func (w *worker) id() (id member.ID) {
	sum := sha256.Sum256([]byte(w.name))
	copy(id[:], sum[:])
	return id
}

// takesWorkers says whether workers may run the lane's tasks. They know of one need, their window, and nothing of strategies, groups and streams.
func (l *lane) takesWorkers() bool { return l.placing.Anywhere() && l.bound == nil && !l.streams }

// hire makes a worker a peer, or has it be one again, with the window that it announces.
func (l *lane) hire(w *worker, now moment) {
	p := l.join(w.id(), 0, now)
	p.worker, p.window = w, w.windows[l.function]
	l.closed, l.seeking = 0, 0
	l.pump(now)
}

// hasWorkers says whether a worker serves the function.
func (l *lane) hasWorkers() bool {
	return slices.ContainsFunc(l.order, func(p *peer) bool { return p.worker != nil && p.there() })
}

// workersAlone says whether workers serve the function and no node is known that does: behind the door for frames is nobody.
func (l *lane) workersAlone() bool {
	return len(l.order) > 0 && l.hasWorkers() && !slices.ContainsFunc(l.order, func(p *peer) bool { return p.worker == nil && p.there() })
}

// awaitsWorkers says whether a worker that serves the function was there a moment ago: its connection may have been interrupted.
func (l *lane) awaitsWorkers(now moment) bool {
	return slices.ContainsFunc(l.order, func(p *peer) bool { return p.worker != nil && p.quit != 0 && now-p.quit < workersBackFor })
}

// workerAnswered takes in a worker's answer to one task.
func (l *lane) workerAnswered(p *peer, r *result, now moment) {
	p.hear(now)
	l.settle(p, r)
	if r.status == call.Busy { // what it announces next counts again
		p.window = min(p.window, len(p.flight))
	}
	l.pump(now)
}

// workerAbsent takes a task back that reached nobody. The worker gets no more until it is found again.
func (l *lane) workerAbsent(p *peer, number uint64, now moment) {
	p.retired, p.quit = true, now
	l.takeBack(p, func(s *submission) bool { return s.Number() == number }, false)
	l.pump(now)
}

// workerLost takes a task back that may have run.
func (l *lane) workerLost(p *peer, number uint64, now moment) {
	l.takeBack(p, func(s *submission) bool { return s.Number() == number }, true)
	l.pump(now)
}
