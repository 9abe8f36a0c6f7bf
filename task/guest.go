package task

import (
	"time"

	"manta/internal/call"
	"manta/internal/member"
)

// guest is a lane as one node sees it: what it has of the lane's tasks, and how the lane stands in line.
type guest struct {
	guestKey
	function string
	own      bool // its owner is this node: what runs here may start more, and wait for it
	need     member.Amounts
	handler  call.Handler
	runs     *runs  // what its function's tasks do here, those of other lanes too; nil if it is not served
	reply    string // subject of its owner

	jobs    jobList  // those that are here and have no reply yet
	queue   jobQueue // those that wait for a slot
	running int
	pace    pace

	want    bool   // the lane has more than it may send
	waits   moment // since when it wants, or was last served
	offered moment // until when a slot is kept for it; 0 if none is

	outbox  outbox
	touched moment // when it was last heard of
}

type guestKey struct {
	owner member.ID
	lane  uint64
}

// begin notes that a slot is a job's.
func (g *guest) begin(j *job, now moment) {
	g.running++
	g.waits = now
	if g.runs != nil {
		g.runs.waited.Note(now - j.since)
	}
}

// idle says whether nothing of the lane is here.
func (g *guest) idle() bool {
	return g.jobs.first == nil && !g.want && g.offered == 0 && g.outbox.count == 0
}

// jobList is the jobs of a guest in the order in which they came, linked through the jobs.
type jobList struct{ first, last *job }

func (l *jobList) add(j *job) {
	if j.before = l.last; l.last == nil {
		l.first = j
	} else {
		l.last.after = j
	}
	l.last = j
}

func (l *jobList) remove(j *job) {
	if j.before == nil {
		l.first = j.after
	} else {
		j.before.after = j.after
	}
	if j.after == nil {
		l.last = j.before
	} else {
		j.after.before = j.before
	}
	j.before, j.after = nil, nil
}

// jobQueue is first in, first out.
type jobQueue struct {
	jobs []*job
	head int
}

func (q *jobQueue) len() int { return len(q.jobs) - q.head }

func (q *jobQueue) push(j *job) { q.jobs = append(q.jobs, j) }

func (q *jobQueue) first() *job { return q.jobs[q.head] }

func (q *jobQueue) pop() *job {
	j := q.jobs[q.head]
	q.jobs[q.head] = nil
	if q.head++; q.head*2 >= len(q.jobs) { // more holes than jobs: close ranks, or it grows as long as it is not empty
		n := copy(q.jobs, q.jobs[q.head:])
		clear(q.jobs[n:])
		q.jobs, q.head = q.jobs[:n], 0
	}
	return j
}

// drop takes out one that is to end without having run.
func (q *jobQueue) drop(j *job) {
	for i := q.head; i < len(q.jobs); i++ {
		if q.jobs[i] == j {
			copy(q.jobs[q.head+1:i+1], q.jobs[q.head:i])
			q.pop()
			return
		}
	}
}

const (
	// queuedAtMost is how long a task waits here before it goes back to its owner, who may know a node with room.
	queuedAtMost = 20*time.Millisecond + 4*ahead
	// offerFor is how long a slot is kept for a lane that it was offered to: the way there and back, many times over.
	offerFor = 10 * time.Millisecond
	// wishFor is how long a lane is taken to have more if it does not say so again, which it does every wishAgain: ten of these words may be lost, and
	// what somebody has forged does not stand in line for good.
	wishFor = 10 * wishAgain
	// lineFirst is how long a lane waits before it goes before tasks that are queued here.
	lineFirst = time.Millisecond
	// wideAfter is how long a lane at the head of the line waits before slots are kept free until its need fits.
	wideAfter = 100 * time.Millisecond
)
