package actor

import (
	"context"
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"sync"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// cell is an actor where it lives: the instance, its mailbox, and at most as many goroutines as its concurrency, none when idle.
//
//	starting ─► serving ─► stopping (mail that came before the word still runs) ─► ended
//	    └──── Start fails, kill ──────────┴────────────────────────────────────────►
type cell struct {
	host     *host
	id       string
	named    bool
	class    *class
	creation call.Request
	creator  string        // where to say that Start failed
	instance reflect.Value // pointer to the struct
	mailbox  *bus.Subscription
	group    *member.Group // whose ctx is the actor's life

	mu      sync.Mutex
	phase   phase
	queue   []*visit
	running map[visitKey]*visit
	workers int        // goroutines that run visits
	waiting []*bus.Msg // words to be answered when the cell has ended
}

type phase int

const (
	starting phase = iota
	serving
	stopping
	ended
)

type visitKey struct {
	owner  member.ID
	number uint64
}

// visit is a call in a cell.
type visit struct {
	request call.Request
	method  string
	reply   string
	cancel  context.CancelCauseFunc // when it runs
	dropped bool                    // answered already: what it returns is not
}

func (v *visit) key() visitKey { return visitKey{v.request.Owner, v.request.Number} }

// begin runs Start, then the mail that has come meanwhile.
func (c *cell) begin() {
	c.group.Go(func(ctx context.Context) {
		if err := c.start(c.context(ctx)); err != nil {
			err = fmt.Errorf("actor %s of class %s did not start: %w", c.id, c.class.name, err)
			c.refuse(&visit{request: c.creation, reply: c.creator}, err)
			c.kill(nil, err)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.phase == starting {
			c.phase = serving
		}
		c.employ()
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
	return member.NewContext(ctx, &member.Scope{Node: c.host.node})
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
	case controlStop:
		c.stop(msg)
		return
	case controlKill:
		c.host.group.Go(func(context.Context) { c.kill(msg, fmt.Errorf("actor %s: %w: it was killed", c.id, ErrDead)) })
		return
	case controlCancel:
		if x, ok := call.ReadCancel(msg.Data); ok {
			c.cancel(visitKey{x.Owner, x.Number})
		}
		return
	}
	q, err := call.ReadRequest(msg.Data)
	if err != nil {
		c.host.node.Log.Warn("a malformed call", zap.String("subject", msg.Subject), zap.Error(err))
		return
	}
	v := &visit{request: q, method: method, reply: msg.Reply}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == stopping || c.phase == ended {
		c.refuse(v, fmt.Errorf("actor %s: %w", c.id, ErrDead))
		return
	}
	c.queue = append(c.queue, v)
	c.employ()
}

// employ starts as many goroutines as there is mail for and the concurrency allows, and finishes when all is done.
func (c *cell) employ() {
	if c.phase == starting || c.phase == ended {
		return
	}
	for c.workers < min(c.class.concurrency, len(c.running)+len(c.queue)) {
		if !c.group.Go(c.work) {
			return
		}
		c.workers++
	}
	if c.phase == stopping && c.workers == 0 {
		c.phase = ended
		c.group.Go(func(context.Context) { c.finish() })
	}
}

// work runs visits until none is left.
func (c *cell) work(ctx context.Context) {
	for {
		c.mu.Lock()
		if len(c.queue) == 0 || c.phase == ended {
			c.workers--
			c.employ()
			c.mu.Unlock()
			return
		}
		v := c.queue[0]
		c.queue[0] = nil
		c.queue = c.queue[1:]
		running, cancel := context.WithCancelCause(c.context(ctx))
		v.cancel = cancel
		c.running[v.key()] = v
		c.mu.Unlock()
		c.run(running, v)
		cancel(call.ErrReturned)
	}
}

// run runs one visit and answers it.
func (c *cell) run(ctx context.Context, v *visit) {
	name := c.class.name + "." + v.method
	m, ok := c.class.methods[v.method]
	if !ok {
		c.answer(v, call.Refused, objstore.Outcome{Err: fmt.Errorf("class %s has no method %s that can be called from elsewhere", c.class.name, v.method)})
		return
	}
	if !v.request.Deadline.IsZero() {
		var stop context.CancelFunc
		ctx, stop = context.WithDeadline(ctx, v.request.Deadline)
		defer stop()
	}
	out := call.Run(ctx, c.host.node, name, m.handler(c.instance), v.request, func() {})
	c.answer(v, call.Done, out)
}

// answer replies to a visit, unless it was answered already.
func (c *cell) answer(v *visit, status call.Status, out objstore.Outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.running, v.key())
	if !v.dropped {
		c.reply(v, status, out)
	}
}

func (c *cell) refuse(v *visit, err error) { c.reply(v, call.Refused, objstore.Outcome{Err: err}) }

func (c *cell) reply(v *visit, status call.Status, out objstore.Outcome) {
	v.dropped = true
	p := call.Reply{Host: c.host.node.ID, Number: v.request.Number, Attempt: v.request.Attempt, Status: status, Outcome: out}
	if err := c.host.node.Conn.Publish(v.reply, "", p.AppendTo(nil)); err != nil {
		c.host.node.Log.Warn("a reply was not sent", zap.String("actor", c.id), zap.Error(err))
	}
}

// cancel takes a call that waits out of the queue, and ends the ctx of one that runs. Its caller awaits no answer.
func (c *cell) cancel(key visitKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v := c.running[key]; v != nil {
		v.cancel(call.ErrCancelled)
	}
	c.queue = slices.DeleteFunc(c.queue, func(v *visit) bool { return v.key() == key })
}

// stop ends the cell once the mail that has come so far has run. word, if not nil, is answered then.
func (c *cell) stop(word *bus.Msg) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if word != nil {
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
	if c.class.close {
		if err := c.protect(c.instance.Interface().(interface{ Close() error }).Close); err != nil {
			c.host.node.Log.Warn("an actor's Close failed", zap.String("actor", c.id), zap.String("class", c.class.name), zap.Error(err))
		}
	}
	c.leave(ErrDead)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.say(c.waiting)
	c.waiting = nil
}

// leave ends the actor's ctx and its place on the host, which waits for what still runs.
func (c *cell) leave(cause error) {
	c.group.Stop(cause)
	c.host.group.Go(func(context.Context) { c.group.Wait() })
	c.host.leave(c)
}

// kill ends the cell at once: all its calls fail with cause, Close does not run.
func (c *cell) kill(word *bus.Msg, cause error) {
	c.mu.Lock()
	if c.phase == ended {
		c.mu.Unlock()
		if word != nil {
			c.say([]*bus.Msg{word})
		}
		return
	}
	c.phase = ended
	for _, v := range c.queue {
		c.refuse(v, cause)
	}
	for _, v := range c.running {
		c.refuse(v, cause)
		v.cancel(cause)
	}
	c.queue = nil
	if word != nil {
		c.waiting = append(c.waiting, word)
	}
	waiting := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	c.leave(cause)
	c.say(waiting)
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
