package actor

import (
	"context"
	"fmt"
	"sync"

	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// visit is a call in a cell.
type visit struct {
	entry   call.Entry
	owner   member.ID
	method  *method
	unknown string // what the caller calls a method that the class does not have

	visitor *visitor
	place   uint64    // in its lane
	local   *outgoing // the call itself, if its caller is on this node
	cell    *cell

	began    bool // it runs, or has run
	answered bool // what it returns is not wanted any more

	chore func(context.Context) // nil for a call: something of the cell's own that has its place in the line

	mu    sync.Mutex
	ctx   context.Context // the rest of the visit's ctx; nil until somebody asks: it is kept because it is part of one
	stop  context.CancelCauseFunc
	cause error // why it was stopped
}

// name says which method is called.
func (v *visit) name(c *class, method []byte) {
	if v.method = c.methods[string(method)]; v.method == nil {
		v.unknown = string(method)
	}
}

// size is about how many bytes a call takes while it waits.
func (v *visit) size() int64 { return int64(len(v.entry.Args)) + 256 }

// line is the calls of a group of methods: those that wait, and the goroutines that run them, none when idle.
type line struct {
	concurrency int
	queue       []*visit // in order, and some that were answered already
	running     int
	workers     int // goroutines
}

func (c *cell) lineOf(v *visit) *line {
	if v.method == nil {
		return &c.lines[0]
	}
	return &c.lines[v.method.group]
}

// enqueue puts a chore into a line.
func (c *cell) enqueue(v *visit) {
	c.host.waiting.Add(v.size())
	l := c.lineOf(v)
	l.queue = append(l.queue, v)
	c.employ(l)
}

// busy says whether there is something to run.
func (l line) busy() bool { return l.workers > 0 || len(l.queue) > 0 }

// discard lets go of all that wait in a line.
func (c *cell) discard(l *line) {
	for _, v := range l.queue {
		c.host.waiting.Add(-v.size())
	}
	l.queue = nil
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
	for l.workers < min(l.concurrency, l.running+len(l.queue)) {
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

// work runs visits until none is left.
func (c *cell) work(l *line) {
	ctx := c.group.Context()
	for {
		_ = c.host.fence.await(ctx) // if ctx ends, the cell has
		c.mu.Lock()
		if len(l.queue) == 0 || c.phase == ended {
			c.flush()
			l.workers--
			c.employ(l)
			c.rest()
			c.mu.Unlock()
			return
		}
		v := l.queue[0]
		c.host.waiting.Add(-v.size())
		l.queue[0] = nil
		l.queue = l.queue[1:]
		if v.answered {
			c.mu.Unlock()
			continue
		}
		c.flushSoon() // not by this goroutine: nobody knows how long the method takes
		if v.chore != nil {
			c.mu.Unlock()
			v.chore(ctx)
			continue
		}
		v.began = true
		l.running++
		c.mu.Unlock()
		c.run(l, v)
	}
}

// run runs one visit and answers it.
func (c *cell) run(l *line, v *visit) {
	if v.method == nil {
		c.answer(l, v, objstore.Outcome{Err: fmt.Errorf("class %s has no method %s that can be called from elsewhere", c.class.name, v.unknown)})
		return
	}
	returned := false
	defer func() {
		if !returned {
			c.replace(l, v)
		}
	}()
	out, arrival := c.call(l, v)
	returned = true
	v.returned()
	c.ran(c.group.Context())
	if !arrival.Pending() {
		c.answer(l, v, out)
		return
	}
	if !c.host.group.Go(func(ctx context.Context) { // the next call does not wait for that
		select {
		case <-arrival.Done():
		case <-ctx.Done():
		}
		c.answer(l, v, out)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.flush()
	}) {
		c.answer(l, v, out)
	}
}

// call calls the method of a visit.
func (c *cell) call(l *line, v *visit) (objstore.Outcome, *objstore.Arrival) {
	if c.class.idleAfter > 0 {
		release, err := c.wake(c.group.Context())
		if err != nil {
			return objstore.Outcome{Err: err}, nil
		}
		defer release()
	}
	if l.concurrency == 1 && c.snapshots() {
		c.state.RLock()
		defer c.state.RUnlock()
	}
	v.method.labels.Set()
	return call.Run(v, c.host.node, v.method.name, v.method.handler(c.instance), call.Request{Owner: v.owner, Entry: v.entry})
}

// replace answers a visit whose method has ended the goroutine that ran it, which so does no more work.
func (c *cell) replace(l *line, v *visit) {
	v.returned()
	c.ran(c.group.Context())
	c.answer(l, v, objstore.Outcome{Err: call.Exited(v.method.name, c.host.node.ID, int(v.entry.Attempt))})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flush()
	l.workers--
	c.employ(l)
	c.rest()
}

// answer replies to a visit, unless it was answered already.
func (c *cell) answer(l *line, v *visit, out objstore.Outcome) {
	_ = c.host.fence.await(c.group.Context()) // if that ends, the cell has, and the visit is answered
	c.mu.Lock()
	defer c.unlock()
	l.running--
	c.counts.note(out.Err)
	if v.answered {
		objstore.StoreOf(c.host.node).Discard(objstore.NewID(v.owner, v.entry.Number), out)
		return
	}
	if v.local == nil { // else the value itself goes there, with what keeps its refs
		objstore.StoreOf(c.host.node).Lend(&out, v.owner)
	}
	c.reply(v, &out)
}
