package actor

import (
	"context"
	"fmt"
	"sync"

	"manta/internal/call"
	"manta/objstore"
)

// visit is a call in a cell.
type visit struct {
	entry   call.Entry
	method  *method // has no function if the class has none of that name
	visitor *visitor
	place   uint64    // in its lane
	local   *outgoing // the call itself, if its caller is on this node
	cell    *cell

	chore func(context.Context) // nil for a call: something of the cell's own that has its place in the line

	queued   bool // it waits in its line
	began    bool // it runs, or has run
	answered bool // what it returns is not wanted any more

	over     bool // under mu: the method has returned
	mu       sync.Mutex
	lifetime *lifetime // nil until somebody asks for something of the ctx
}

// method returns the method that a call names.
func (c *cell) method(name []byte) *method {
	if m := c.class.methods[string(name)]; m != nil {
		return m
	}
	return &method{name: string(name)}
}

// id names the call's result.
func (v *visit) id() objstore.ID { return objstore.NewID(v.visitor.owner, v.entry.Number) }

// size is about how many bytes a call takes while it waits.
func (v *visit) size() int64 { return int64(len(v.entry.Args)) + 256 }

// line is the calls of a group of methods: those that wait, and the goroutines that run them, none when idle.
type line struct {
	concurrency int
	queue       fifo[*visit] // in order, and some that do not wait any more
	gone        int          // of queue: those
	running     int
	workers     int // goroutines
}

func (c *cell) lineOf(v *visit) *line {
	if v.method == nil {
		return &c.lines[0]
	}
	return &c.lines[v.method.group]
}

// enqueue puts a visit into its line.
func (c *cell) enqueue(v *visit) {
	c.host.waiting.Add(v.size())
	c.line(v)
}

// line is enqueue for what is among the mail that waits at the host.
func (c *cell) line(v *visit) {
	c.mail += v.size()
	v.queued = true
	l := c.lineOf(v)
	l.queue.push(v)
	c.employ(l)
}

// unqueue notes that a visit does not wait any more, and says whether it did.
func (c *cell) unqueue(v *visit) bool {
	if !v.queued {
		return false
	}
	v.queued = false
	c.mail -= v.size()
	c.host.waiting.Add(-v.size())
	return true
}

// giveUp lets go of a visit that was answered while it waited, at a constant cost each.
func (c *cell) giveUp(v *visit) {
	if !c.unqueue(v) {
		return
	}
	l := c.lineOf(v)
	if l.gone++; 2*l.gone > l.queue.len() {
		l.queue.prune(func(v *visit) bool { return !v.queued })
		l.gone = 0
	}
}

// busy says whether there is something to run.
func (l line) busy() bool { return l.workers > 0 || l.queue.len() > 0 }

// discard lets go of all that is in a line, and returns it.
func (c *cell) discard(l *line) []*visit {
	all := l.queue.all()
	for _, v := range all {
		c.unqueue(v)
	}
	l.queue, l.gone = fifo[*visit]{}, 0
	return all
}

// employAll is employ for all lines.
func (c *cell) employAll() {
	for i := range c.lines {
		c.employ(&c.lines[i])
	}
}

// employ starts as many goroutines as there is mail for and the concurrency allows, and finishes when all is done.
func (c *cell) employ(l *line) {
	if c.phase == starting || c.phase == ended {
		return
	}
	for l.workers < min(l.concurrency, l.running+l.queue.len()) {
		if !c.host.workers.run(job{c, l}) {
			return
		}
		l.workers++
	}
	if c.employed() > 0 {
		return
	}
	switch c.phase {
	case stopping:
		c.phase = ended
		c.group.Go(func(context.Context) { c.finish() })
	case moving:
		c.phase, c.moved = ended, true
		c.group.Go(c.depart)
	}
}

// employed is how many goroutines run calls.
func (c *cell) employed() (n int) {
	for i := range c.lines {
		n += c.lines[i].workers
	}
	return n
}

// work runs visits until none is left. What one has returned is answered when the next one is taken.
func (c *cell) work(h *hand, l *line) {
	ctx := c.group.Context()
	var done *visit
	var out objstore.Outcome
	var arrival *objstore.Arrival
	for {
		_ = c.host.fence.await(ctx) // if ctx ends, the cell has, and the visit is answered
		c.mu.Lock()
		if done != nil {
			c.answer(l, done, &out)
		}
		v := c.next(l)
		if v == nil {
			c.flush()
			l.workers--
			c.employ(l)
			c.rest()
			c.unlock()
			return
		}
		c.flushSoon() // not by this goroutine: nobody knows how long the method takes
		c.unlock()
		if done = nil; v.chore != nil {
			v.chore(ctx)
		} else if out, arrival = c.run(h, l, v); arrival.Pending() {
			c.answerLater(l, v, out, arrival)
		} else {
			done = v
		}
	}
}

// next takes the first visit that is to run out of a line, nil if there is none.
func (c *cell) next(l *line) *visit {
	for l.queue.len() > 0 && c.phase != ended {
		v := l.queue.pop()
		if !c.unqueue(v) {
			l.gone--
			continue
		}
		if v.chore == nil {
			v.began = true
			l.running++
		}
		return v
	}
	return nil
}

// run runs one visit. Its answer has to wait for the arrival.
func (c *cell) run(h *hand, l *line, v *visit) (objstore.Outcome, *objstore.Arrival) {
	if !v.method.fn.IsValid() {
		return objstore.Outcome{Err: fmt.Errorf("class %s has no method %s that can be called from elsewhere", c.class.name, v.method.name)}, nil
	}
	returned := false
	defer func() {
		if !returned {
			c.replace(l, v)
		}
	}()
	out, arrival := c.call(h, l, v)
	returned = true
	v.returned()
	c.ran(c.group.Context())
	return out, arrival
}

// call calls the method of a visit.
func (c *cell) call(h *hand, l *line, v *visit) (objstore.Outcome, *objstore.Arrival) {
	if c.class.idleAfter > 0 {
		release, err := c.wake(c.group.Context())
		if err != nil {
			return objstore.Outcome{Err: err}, nil
		}
		defer release()
	}
	if l.concurrency == 1 && c.snapshots() {
		if err := c.state.Acquire(c.group.Context(), 1); err != nil {
			return objstore.Outcome{Err: context.Cause(c.group.Context())}, nil
		}
		defer c.state.Release(1)
	}
	v.method.labels.Set()
	return h.call(v)
}

// replace answers a visit whose method has ended the goroutine that ran it, which so does no more work.
func (c *cell) replace(l *line, v *visit) {
	v.returned()
	c.ran(c.group.Context())
	c.answerLate(l, v, objstore.Outcome{Err: call.Exited(v.method.name, c.host.node.ID, int(v.entry.Attempt))})
	c.mu.Lock()
	defer c.mu.Unlock()
	l.workers--
	c.employ(l)
	c.rest()
}

// answerLater answers a visit once what its arguments name is registered; the next one does not wait for that.
func (c *cell) answerLater(l *line, v *visit, out objstore.Outcome, a *objstore.Arrival) {
	out.Value = out.Value.Clone()
	if !c.host.group.Go(func(ctx context.Context) {
		select {
		case <-a.Done():
		case <-ctx.Done():
		}
		c.answerLate(l, v, out)
	}) {
		c.answerLate(l, v, out)
	}
}

// answerLate answers a visit that none follows.
func (c *cell) answerLate(l *line, v *visit, out objstore.Outcome) {
	_ = c.host.fence.await(c.group.Context()) // if that ends, the cell has, and the visit is answered
	c.mu.Lock()
	defer c.unlock()
	c.answer(l, v, &out)
	c.flush()
}

// answer replies to a visit, unless it was answered already. What it returned may lie in the memory of the goroutine that ran it.
func (c *cell) answer(l *line, v *visit, out *objstore.Outcome) {
	l.running--
	c.counts.note(out.Err)
	if v.answered {
		objstore.StoreOf(c.host.node).Discard(v.id(), *out)
		return
	}
	if v.local == nil { // else the value itself goes there, with what keeps its refs
		objstore.StoreOf(c.host.node).Lend(out, v.visitor.owner)
	}
	c.reply(v, out)
}
