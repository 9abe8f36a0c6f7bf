package actor

import (
	"context"
	"fmt"
	"reflect"
	"runtime/debug"
	"sync"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// cell is an actor where it lives: the instance, its mailbox, and at most as many goroutines as its concurrency, none when idle.
//
//	starting ─► serving ─► stopping (mail that came before the word still runs) ─► ended
//	    │          │                                  │                            ▲
//	    │          └─ moving (what runs ends) ────────│────────────────────────────┤
//	    └──── Start fails, kill, taken over ──────────┴────────────────────────────┘
type cell struct {
	host     *host
	id       string
	class    *class
	detached bool
	epoch    uint64 // 0: the actor lives once

	registration *registration // nil: it is not in the directory

	creation call.Request
	creator  string        // where to say that Start failed
	instance reflect.Value // pointer to the struct
	mailbox  *bus.Subscription
	group    *member.Group // whose ctx is the actor's life

	mu      sync.Mutex
	phase   phase
	queue   []*visit            // those to be run, in order, and some that were answered already
	visits  map[visitKey]*visit // queued or running, and not answered
	running int
	workers int  // goroutines that run visits
	left    bool // the host has let go of it
	moved   bool // when ended: the actor goes on elsewhere, in a later epoch

	saving   saving
	keeping  sync.Mutex // one snapshot at a time
	idle     *time.Timer
	awake    sync.RWMutex // held while a method runs, and by what takes the instance away or brings it back
	asleep   bool         // there is no instance; written under both locks
	deferred bool         // when starting: it is to move, or to end, once it has
	waiting  []*bus.Msg   // words to be answered then
}

type phase int

const (
	starting phase = iota
	serving
	stopping
	moving
	ended
)

type visitKey struct {
	owner  member.ID
	number uint64
}

// visit is a call in a cell.
type visit struct {
	request  call.Request
	method   string
	reply    string
	cancel   context.CancelCauseFunc // when it runs
	answered bool                    // what it returns is not wanted any more
	chore    func(context.Context)   // nil for a call: something of the cell's own that has its place in the queue
}

func (v *visit) key() visitKey { return visitKey{v.request.Owner, v.request.Number} }

// begin runs Start, then the mail that has come meanwhile.
func (c *cell) begin() {
	c.group.Go(func(ctx context.Context) {
		if c.host.fence.await(ctx) != nil {
			return
		}
		if err := c.begun(ctx); err != nil {
			err = fmt.Errorf("actor %s of class %s: %w: it did not start: %w", c.id, c.class.name, ErrDead, err)
			c.send(c.creator, call.Reply{
				Host: c.host.node.ID, Number: c.creation.Number, Attempt: int(c.creation.Attempt), Status: call.Refused, Outcome: objstore.Outcome{Err: err},
			})
			c.kill(nil, err)
			return
		}
		c.mu.Lock()
		if c.phase == starting {
			c.phase = serving
		}
		c.employ()
		c.rest()
		moves := c.deferred
		c.mu.Unlock()
		if c.group.Go(c.announce); moves {
			c.handOver()
		}
	})
}

func (c *cell) start(ctx context.Context) error {
	if !c.class.start {
		return nil
	}
	return c.protect(func() error { return c.instance.Interface().(interface{ Start(context.Context) error }).Start(ctx) })
}

// context makes the ctx that the instance's methods get: calls take no slot, so it carries no work.
func (c *cell) context(ctx context.Context) context.Context {
	return withEpoch(member.NewContext(ctx, &member.Scope{Node: c.host.node}), c.epoch)
}

// protect turns a panic of user code into an error.
func (c *cell) protect(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return f()
}

// deliver takes a message out of the mailbox. It never blocks.
func (c *cell) deliver(msg *bus.Msg, method string) {
	switch method {
	case controlStop, controlKill:
		c.obey(msg, method)
	case controlPing:
		c.pinged(msg)
	case controlCancel:
		if x, ok := call.ReadCancel(msg.Data); ok {
			c.cancel(visitKey{x.Owner, x.Number})
		}
	default:
		c.called(msg, method)
	}
}

// called puts a call into the queue.
func (c *cell) called(msg *bus.Msg, method string) {
	q, err := call.ReadRequest(msg.Data)
	if err != nil {
		c.host.node.Log.Warn("a malformed call", zap.String("subject", msg.Subject), zap.Error(err))
		return
	}
	v := &visit{request: q, method: method, reply: msg.Reply}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.overhears(q.Birth), c.moved && q.Epoch > c.epoch:
	case c.gone(), c.meant(q.Birth) && q.Epoch != 0 && q.Epoch != c.epoch:
		c.sendAway(v)
	case c.phase == stopping || c.phase == ended || !c.meant(q.Birth):
		c.refuse(v, fmt.Errorf("actor %s: %w", c.id, ErrDead))
	default:
		c.queue = append(c.queue, v)
		c.visits[v.key()] = v
		c.employ()
	}
}

// overhears says whether a message is for the next holder of the name: a cell that has ended gets mail until the server knows
// that it has left.
func (c *cell) overhears(birth objstore.ID) bool { return c.phase == ended && !c.meant(birth) }

// pinged tells who asks that the actor is here, and whether Start has run, or that it has left its name to another.
func (c *cell) pinged(msg *bus.Msg) {
	c.mu.Lock()
	defer c.mu.Unlock()
	birth := birthIn(msg)
	p := call.Reply{Host: c.host.node.ID, Epoch: c.epoch, Status: call.Accepted}
	switch {
	case c.overhears(birth):
		return
	case c.gone():
		p.Status = call.Moved
	case c.phase == ended || !c.meant(birth):
		p.Status, p.Outcome.Err = call.Refused, fmt.Errorf("actor %s: %w", c.id, ErrDead)
	case c.phase == starting:
		p.Status = call.Busy
	}
	c.send(msg.Reply, p)
}

// gone says whether the actor goes on elsewhere.
func (c *cell) gone() bool { return c.moved || c.phase == moving }

// birth tells the actor from others that have its name before or after it.
func (c *cell) birth() objstore.ID { return objstore.NewID(c.creation.Owner, c.creation.Number) }

// meant says whether a message is for this actor; who does not know its birth means whoever has the name.
func (c *cell) meant(birth objstore.ID) bool { return birth == (objstore.ID{}) || birth == c.birth() }

// birthIn reads a word to the cell, which is the birth of the actor that is meant.
func birthIn(msg *bus.Msg) (birth objstore.ID) {
	copy(birth[:], msg.Data)
	return birth
}

// obey handles a stop or kill. An actor that is meant and has left its name to this one is dead: the word is obeyed.
func (c *cell) obey(msg *bus.Msg, word string) {
	birth := birthIn(msg)
	c.mu.Lock()
	overhears := c.overhears(birth) || c.gone()
	c.mu.Unlock()
	switch {
	case overhears:
	case !c.meant(birth):
		c.say([]*bus.Msg{msg})
	case word == controlStop:
		c.stop(msg)
	default: // on its own goroutine: freeing the name takes a while
		c.host.group.Go(func(context.Context) { c.kill(msg, fmt.Errorf("actor %s: %w: it was killed", c.id, ErrDead)) })
	}
}

// employ starts as many goroutines as there is mail for and the concurrency allows, and finishes when all is done.
func (c *cell) employ() {
	if c.phase == starting || c.phase == ended {
		return
	}
	for c.workers < min(c.class.concurrency, c.running+len(c.queue)) {
		if !c.group.Go(c.work) {
			return
		}
		c.workers++
	}
	if c.workers > 0 {
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

// work runs visits until none is left.
func (c *cell) work(ctx context.Context) {
	for {
		_ = c.host.fence.await(ctx) // if ctx ends, the cell has
		c.mu.Lock()
		if len(c.queue) == 0 || c.phase == ended {
			c.workers--
			c.employ()
			c.rest()
			c.mu.Unlock()
			return
		}
		v := c.queue[0]
		c.queue[0] = nil
		c.queue = c.queue[1:]
		if v.answered || v.chore != nil {
			c.mu.Unlock()
			if v.chore != nil {
				v.chore(ctx)
			}
			continue
		}
		running, cancel := context.WithCancelCause(c.context(ctx))
		v.cancel = cancel
		c.running++
		c.mu.Unlock()
		c.run(running, v)
	}
}

// run runs one visit and answers it.
func (c *cell) run(ctx context.Context, v *visit) {
	name := c.class.name + "." + v.method
	m, ok := c.class.methods[v.method]
	if !ok {
		v.cancel(call.ErrReturned)
		c.answer(v, call.Refused, objstore.Outcome{Err: fmt.Errorf("class %s has no method %s that can be called from elsewhere", c.class.name, v.method)})
		return
	}
	if deadline, ok := v.request.Until(); ok {
		var stop context.CancelFunc
		ctx, stop = context.WithDeadline(ctx, deadline)
		defer stop()
	}
	release, err := c.wake(c.group.Context())
	if err != nil {
		v.cancel(call.ErrReturned)
		c.answer(v, call.Refused, objstore.Outcome{Err: err})
		return
	}
	out, arrival := call.Run(ctx, c.host.node, name, m.handler(c.instance), v.request)
	release()
	v.cancel(call.ErrReturned) // before stop: the calls that it made go on
	c.ran(c.group.Context())
	if !arrival.Pending() {
		c.answer(v, call.Done, out)
		return
	}
	if !c.host.group.Go(func(ctx context.Context) { // the next call does not wait for that
		select {
		case <-arrival.Done():
		case <-ctx.Done():
		}
		c.answer(v, call.Done, out)
	}) {
		c.answer(v, call.Done, out)
	}
}

// answer replies to a visit, unless it was answered already.
func (c *cell) answer(v *visit, status call.Status, out objstore.Outcome) {
	_ = c.host.fence.await(c.group.Context()) // if that ends, the cell has, and the visit is answered
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
	if v.answered {
		objstore.StoreOf(c.host.node).Discard(objstore.NewID(v.request.Owner, v.request.Number), out)
		return
	}
	objstore.StoreOf(c.host.node).Lend(&out, v.request.Owner)
	c.reply(v, status, out)
}

func (c *cell) refuse(v *visit, err error) { c.reply(v, call.Refused, objstore.Outcome{Err: err}) }

func (c *cell) reply(v *visit, status call.Status, out objstore.Outcome) {
	v.answered = true
	delete(c.visits, v.key())
	p := call.Reply{Host: c.host.node.ID, Number: v.request.Number, Attempt: int(v.request.Attempt), Epoch: c.epoch, Status: status, Outcome: out}
	c.send(v.reply, p)
}

func (c *cell) send(subject string, p call.Reply) {
	if err := c.host.node.Conn.Publish(subject, "", p.AppendTo(nil)); err != nil {
		c.host.node.Log.Warn("a reply was not sent", zap.String("actor", c.id), zap.Error(err))
	}
}

// cancel confirms that a call which waits will not run, and that the ctx of one that runs has ended.
func (c *cell) cancel(key visitKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v := c.visits[key]; v != nil {
		c.drop(v, call.ErrCancelled)
	}
}

// drop refuses a call that waits, and ends the ctx of one that runs.
func (c *cell) drop(v *visit, cause error) {
	c.refuse(v, cause)
	if v.cancel != nil {
		v.cancel(cause)
	}
}

// stop ends the cell once the mail that has come so far has run. word, if not nil, is answered then.
func (c *cell) stop(word *bus.Msg) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case word == nil:
	case c.left:
		c.say([]*bus.Msg{word})
	default:
		c.waiting = append(c.waiting, word)
	}
	switch c.phase {
	case starting: // Start first: begin goes on from here
		c.phase = stopping
	case serving:
		c.phase = stopping
		c.employ()
	}
}

// finish runs Close and leaves.
func (c *cell) finish() {
	c.close()
	c.leave(ErrDead)
}

// close runs Close, unless that ran when the actor became idle.
func (c *cell) close() {
	if c.class.close && !c.asleep {
		if err := c.protect(c.instance.Interface().(interface{ Close() error }).Close); err != nil {
			c.host.node.Log.Warn("an actor's Close failed", zap.String("actor", c.id), zap.String("class", c.class.name), zap.Error(err))
		}
	}
}

// leave ends the actor's ctx and its place on the host, which waits for what still runs, and answers those who wait for that.
func (c *cell) leave(cause error) {
	c.mu.Lock()
	if c.idle != nil {
		c.idle.Stop()
	}
	c.mu.Unlock()
	c.group.Stop(cause)
	c.host.group.Go(func(context.Context) { c.group.Wait() })
	c.host.leave(c, cause)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = true
	c.say(c.waiting)
	c.waiting = nil
}

// kill ends the cell at once: all its calls fail with cause, Close does not run. word, if not nil, is answered when it has ended.
func (c *cell) kill(word *bus.Msg, cause error) {
	c.mu.Lock()
	if c.phase == ended {
		c.mu.Unlock()
		c.stop(word)
		return
	}
	c.phase = ended
	for _, v := range c.visits {
		c.drop(v, cause)
	}
	c.queue = nil
	if word != nil {
		c.waiting = append(c.waiting, word)
	}
	c.mu.Unlock()
	c.leave(cause)
}

// say answers words that were obeyed.
func (c *cell) say(words []*bus.Msg) {
	for _, word := range words {
		if word.Reply == "" {
			continue
		}
		if err := c.host.node.Conn.Publish(word.Reply, "", nil); err != nil {
			c.host.node.Log.Warn("a stop was not confirmed", zap.String("actor", c.id), zap.Error(err))
		}
	}
}
