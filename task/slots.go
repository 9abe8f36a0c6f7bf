package task

import (
	"slices"

	"manta/internal/member"
)

// slots decides what a node does with its resources: which task runs, which waits here, which goes back, and which lane is
// offered what has become free. It is a plain state machine without clock, goroutine or network; its host is told what to do.
//
//	came ─► queued ─► running ─► finished
//	  │        └─► back (busy), after queuedAtMost
//	  ├─► running
//	  └─► back (busy)
//
// Invariant, after every event: no slot is free and unoffered while a lane waits. fill holds it, and nothing else makes offers.
type slots struct {
	capacity *member.Capacity
	do       slotActions

	line   []*guest // those that want and have nothing queued here or on offer, the one that was served longest ago first
	open   []*guest // those to which a slot is offered
	queued []*guest // those with jobs that wait, in the order of their turns
	closed bool     // the node drains: it takes no more

	taken member.Amounts // what the jobs that run here need, also of what they lend
	kept  member.Amounts // what is on offer
}

func newSlots(capacity *member.Capacity, do slotActions) slots {
	return slots{capacity: capacity, do: do, taken: make(member.Amounts), kept: make(member.Amounts)}
}

// count adds a lane's need to amounts n times.
func count(amounts, need member.Amounts, n int64) {
	for name, amount := range need {
		amounts[name] += n * amount
	}
}

// slotActions is what slots has done for it. None of it may call back.
type slotActions interface {
	run(j *job)     // start it: what it needs is taken
	back(j *job)    // it will not run here
	offer(g *guest) // tell its owner that there is room
}

// came takes in a task.
func (s *slots) came(j *job, now moment) {
	g := j.guest
	j.since = now
	s.endOffer(g)
	switch {
	case s.closed && !g.own:
		s.do.back(j)
	case g.queue.len() == 0 && !s.isKeptFrom(g, now) && s.capacity.Take(g.need):
		s.start(j, now)
	case g.pace.takes(g.queue.len(), g.running):
		s.enqueue(j)
	default:
		s.do.back(j)
	}
}

func (s *slots) start(j *job, now moment) {
	j.guest.begin(j, now)
	count(s.taken, j.guest.need, 1)
	s.do.run(j)
}

func (s *slots) enqueue(j *job) {
	g := j.guest
	if g.queue.len() == 0 {
		s.queued = append(s.queued, g)
	}
	g.queue.push(j)
	s.leaveLine(g)
}

// pop takes the next job out of a guest's queue.
func (s *slots) pop(g *guest) *job {
	j := g.queue.pop()
	if g.queue.len() == 0 {
		s.queued = slices.DeleteFunc(s.queued, func(q *guest) bool { return q == g })
		s.enterLine(g)
	}
	return j
}

// close makes slots take no more: what is here goes on, and nothing is offered.
func (s *slots) close() {
	s.closed = true
	s.line = slices.DeleteFunc(s.line, func(g *guest) bool { return !g.own })
}

// finished gives back what a task still held of its need, and returns the job that its goroutine is to run next, nil if none.
func (s *slots) finished(g *guest, held member.Amounts, now moment) (next *job) {
	g.running--
	if len(held) == len(g.need) && len(s.line)+len(s.open) == 0 && len(s.queued) > 0 && !s.capacity.Contended() {
		if q := s.queued[0]; q == g || q.need.Equal(g.need) { // the common case: the slot goes on as it is
			next = s.take(0)
			q.begin(next, now)
			return next
		}
	}
	s.capacity.Give(held)
	count(s.taken, g.need, -1)
	s.fillAfter(g, now)
	return nil
}

// fill uses what is free.
func (s *slots) fill(now moment) { s.fillAfter(nil, now) }

// fillAfter is fill when g, if not nil, has freed a slot: it goes to another lane in line if that is fair, else to what is
// queued here, else to whoever waits.
func (s *slots) fillAfter(g *guest, now moment) {
	for len(s.line)+len(s.queued) > 0 {
		w := s.first(g, now)
		if w == nil {
			if s.runQueued(now) {
				continue
			}
			if w = s.anyone(now); w == nil {
				return
			}
		}
		s.offer(w, now)
	}
}

// offer keeps a slot for a lane, and tells its owner.
func (s *slots) offer(g *guest, now moment) {
	s.keep(g, now)
	s.do.offer(g)
}

// keep keeps a slot for a lane until its next frame, or for a moment.
func (s *slots) keep(g *guest, now moment) {
	s.leaveLine(g)
	g.offered, g.waits = now+offerFor, now
	s.open = append(s.open, g)
	count(s.kept, g.need, 1)
}

// first returns the lane in line that goes before what is queued here, and before the lane that freed the slot.
func (s *slots) first(freedBy *guest, now moment) *guest {
	lacking := s.lacking(now)
	for _, g := range s.line {
		switch {
		case !s.fits(g) || overlaps(lacking, g.need):
		case g == freedBy:
		case len(s.queued) > 0 && (now-g.waits < lineFirst || g.running > s.queued[0].running):
		case freedBy != nil && (freedBy.want || freedBy.queue.len() > 0) && g.running > freedBy.running+1:
		default:
			return g
		}
	}
	return nil
}

// anyone returns the first lane in line that could use what is free.
func (s *slots) anyone(now moment) *guest {
	lacking := s.lacking(now)
	for _, g := range s.line {
		if s.fits(g) && !overlaps(lacking, g.need) {
			return g
		}
	}
	return nil
}

// runQueued starts the next task that waits here, in turn over the lanes that have some. False: none fits.
func (s *slots) runQueued(now moment) bool {
	lacking := s.lacking(now)
	for i, g := range s.queued {
		if overlaps(lacking, g.need) || !s.fits(g) || !s.capacity.Take(g.need) {
			continue
		}
		s.start(s.take(i), now)
		return true
	}
	return false
}

// take takes the next job of lane i of those that have some queued; its next turn is after the others'.
func (s *slots) take(i int) *job {
	g := s.queued[i]
	if len(s.queued) > 1 && g.queue.len() > 1 {
		s.queued = append(slices.Delete(s.queued, i, i+1), g)
	}
	return s.pop(g)
}

// fits says whether a lane's need is free beside what is on offer to others.
func (s *slots) fits(g *guest) bool { return s.free(g, 1) > 0 }

// free is how many more of g's tasks fit beside what is on offer to others, at most limit.
func (s *slots) free(g *guest, limit int) int {
	if len(s.open) == 0 {
		return s.capacity.Slots(g.need, limit)
	}
	if g.offered != 0 { // what it is offered is for it
		count(s.kept, g.need, -1)
		defer count(s.kept, g.need, 1)
	}
	return s.capacity.SlotsBeside(s.kept, g.need, limit)
}

// lacking returns what the lane at the head of the line lacks, once it has waited for a while: of that nothing goes to others, or a wide
// need would wait for ever. What it does not lack does: those who hold the rest may wait for tasks that need it. And nothing is kept that
// tasks here could not give back, because actors hold it.
func (s *slots) lacking(now moment) member.Amounts {
	if len(s.line) == 0 || now-s.line[0].waits < wideAfter || s.fits(s.line[0]) {
		return nil
	}
	lacking := make(member.Amounts)
	free := s.capacity.Free()
	for name, n := range s.line[0].need {
		switch {
		case free[name]+s.taken[name] < n:
			return nil
		case free[name]-s.kept[name] < n:
			lacking[name] = n
		}
	}
	return lacking
}

// isKeptFrom says whether what a lane needs is kept for the one at the head of the line.
func (s *slots) isKeptFrom(g *guest, now moment) bool {
	return len(s.line) > 0 && s.line[0] != g && overlaps(s.lacking(now), g.need)
}

func overlaps(a, b member.Amounts) bool {
	for name := range a {
		if _, both := b[name]; both {
			return true
		}
	}
	return false
}

// window is how many tasks of a lane its owner may have outstanding here.
func (s *slots) window(g *guest) int {
	if s.closed && !g.own {
		return g.running
	}
	free := s.free(g, aheadLimit)
	switch others := len(s.line) > 1 || len(s.line) == 1 && s.line[0] != g; {
	case others && s.line[0] != g && g.offered == 0:
		free = 0
	case others:
		free = min(free, 1)
	}
	return g.running + free + g.pace.room(g.running, len(s.queued))
}

// wants notes what a lane says of itself: whether it has more than it may send.
func (s *slots) wants(g *guest, more bool, now moment) {
	if more && !g.want {
		g.waits = now
	}
	if g.want = more; more {
		s.enterLine(g)
	} else {
		s.leaveLine(g)
	}
}

// enterLine puts a lane at the place in line that its waiting gives it, if it wants and has nothing here that could be run.
func (s *slots) enterLine(g *guest) {
	if s.closed && !g.own || !g.want || g.offered != 0 || g.queue.len() > 0 || slices.Contains(s.line, g) {
		return
	}
	i := len(s.line)
	for i > 0 && s.line[i-1].waits > g.waits {
		i--
	}
	s.line = slices.Insert(s.line, i, g)
}

func (s *slots) leaveLine(g *guest) {
	if i := slices.Index(s.line, g); i >= 0 {
		s.line = slices.Delete(s.line, i, i+1)
	}
}

// endOffer lets go of what is kept for a lane.
func (s *slots) endOffer(g *guest) {
	if g.offered == 0 {
		return
	}
	g.offered = 0
	s.open = slices.DeleteFunc(s.open, func(o *guest) bool { return o == g })
	count(s.kept, g.need, -1)
	s.enterLine(g)
}

// told notes that a reply has told a lane of its window: the room in it is as good as an offer.
func (s *slots) told(g *guest, window int, now moment) {
	if (!s.closed || g.own) && g.want && g.offered == 0 && g.queue.len() == 0 && window > g.running && s.fits(g) {
		s.keep(g, now)
	}
}

// tick ends offers that were not taken and wishes that are not repeated, sends back what has waited too long, and uses what is free.
func (s *slots) tick(now moment) {
	over := func(g *guest) bool {
		g.want = g.want && now-g.touched <= wishFor
		return !g.want
	}
	s.line = slices.DeleteFunc(s.line, over)
	for _, g := range slices.Clone(s.open) {
		if now >= g.offered {
			over(g)
			s.endOffer(g)
		}
	}
	for _, g := range slices.Clone(s.queued) {
		for g.queue.len() > 0 && now-g.queue.first().since > queuedAtMost {
			s.do.back(s.pop(g))
		}
	}
	s.fill(now)
}

// restless says whether there is something for tick to do.
func (s *slots) restless() bool { return len(s.line)+len(s.open)+len(s.queued) > 0 }

// queues says whether a job waits here.
func (s *slots) queues(j *job) bool {
	return slices.Contains(j.guest.queue.jobs[j.guest.queue.head:], j)
}

// forget takes a job out that will not run any more, if it waits.
func (s *slots) forget(j *job) {
	g := j.guest
	if g.queue.len() == 0 {
		return
	}
	g.queue.drop(j)
	if g.queue.len() == 0 {
		s.queued = slices.DeleteFunc(s.queued, func(q *guest) bool { return q == g })
		s.enterLine(g)
	}
}
