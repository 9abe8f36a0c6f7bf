package actor

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/event"
	"manta/internal/logs"
	"manta/internal/member"
	"manta/objstore"
)

// cell is an actor where it lives: the instance, its mailbox, and at most as many goroutines of the node's workers as its concurrency, none when idle.
//
//	starting ─► serving ─► stopping (mail that came before the word still runs) ─► ended
//	    │          │                                  │                            ▲
//	    │          └─ moving (what runs ends) ────────│────────────────────────────┤
//	    └──── Start fails, kill, taken over ──────────┴────────────────────────────┘
type cell struct {
	host  *host
	id    string
	class *class
	epoch uint64 // 0: the actor lives once

	registration *registration // nil: it is not in the directory

	creation call.Request
	creator  string        // where to say that Start failed
	instance reflect.Value // pointer to the struct
	mailbox  *bus.Subscription
	group    *member.Group // whose ctx is the actor's life
	detached bool

	mu      sync.Mutex
	phase   phase
	lines   []line     // a group of methods each
	mail    int64      // bytes of what waits in them
	failure error      // why Start failed
	waiting []*bus.Msg // words to be answered once the host has let go of it
	left    bool       // it has
	met     bool       // its creator knows that it lives here
	moved   bool       // when ended: the actor goes on elsewhere, in a later epoch

	saving   saving
	keeping  sync.Mutex          // one snapshot at a time
	state    *semaphore.Weighted // of one that snapshots: a method has a share of it while it runs, if none runs beside a snapshot, and a snapshot all
	idle     *time.Timer
	awake    sync.RWMutex // held while a method runs, and by what takes the instance away or brings it back
	began    event.Time   // when it was told that it lives
	asleep   bool         // there is no instance; written under mu, awake and state
	deferred bool         // when starting: it is to move once it has
	flushing bool         // the host will send the answers of those that are dirty

	visitors visitors
	dirty    []*visitor // they have answers that are not sent

	returned homecoming // to callers on this node, once mu is unlocked
	counts   counts
}

type phase int

const (
	starting phase = iota
	serving
	stopping
	moving
	ended
)

// begin runs Start, then the mail that has come meanwhile.
func (c *cell) begin() {
	c.group.Go(func(ctx context.Context) {
		if c.host.fence.await(ctx) != nil {
			return
		}
		if err := c.begun(ctx); err != nil {
			err = fmt.Errorf("actor %s of class %s: %w: it did not start: %w", c.id, c.class.name, ErrDead, err)
			p := call.Reply{
				Host: c.host.node.ID, Number: c.creation.Number, Attempt: int(c.creation.Attempt), Status: call.Refused, Outcome: objstore.Outcome{Err: err},
			}
			c.mu.Lock()
			c.failure = err
			c.send(c.creator, p.AppendTo(nil))
			c.mu.Unlock()
			c.kill(nil, err)
			return
		}
		c.report(event.Alive, nil)
		c.mu.Lock()
		if c.phase == starting {
			c.phase = serving
		}
		c.employAll()
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
	c.class.starting.Set()
	return c.protect(func() error { return c.instance.Interface().(interface{ Start(context.Context) error }).Start(ctx) })
}

// context makes the ctx that Start gets, and what keeps the actor's state.
func (c *cell) context(ctx context.Context) context.Context {
	return context.WithValue(withEpoch(call.WithRunner(member.NewContext(ctx, c.host.scope), c), c.epoch), selfKey{}, c)
}

// protect turns a panic of user code into an error, and the end of its goroutine, which is its own.
func (c *cell) protect(f func() error) (err error) {
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		err = errors.New("it ended its goroutine (runtime.Goexit)")
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
			}
		}()
		err = f()
	}()
	<-returned
	return err
}

// overhears says whether a message is for the next holder of the name: a cell that has ended gets mail until the server knows
// that it has left.
func (c *cell) overhears(birth objstore.ID) bool { return c.phase == ended && !c.meant(birth) }

// gone says whether the actor goes on elsewhere.
func (c *cell) gone() bool { return c.moved || c.phase == moving }

// birth tells the actor from others that have its name before or after it.
func (c *cell) birth() objstore.ID { return objstore.NewID(c.creation.Owner, c.creation.Number) }

// attempt is the request that has made the cell.
func (c *cell) attempt() attempt { return attempt{c.birth(), c.creation.Attempt} }

// meant says whether a message is for this actor; who does not know its birth means whoever has the name.
func (c *cell) meant(birth objstore.ID) bool { return birth == (objstore.ID{}) || birth == c.birth() }

// send publishes what a cell says.
func (c *cell) send(subject string, frame []byte) {
	if err := c.host.node.Conn.Publish(subject, "", frame); err != nil {
		c.host.node.Log.Info("a word to a caller was not sent", logs.Class(c.class.name), logs.Actor(c.id), zap.Error(err))
	}
}

// birthIn reads a word to the cell, which is the birth of the actor that is meant.
func birthIn(msg *bus.Msg) (birth objstore.ID) {
	copy(birth[:], msg.Data)
	return birth
}

// obey handles a stop or kill. An actor that is meant and has left its name to this one is dead: the word is obeyed.
func (c *cell) obey(msg *bus.Msg, word string) {
	birth := birthIn(msg)
	if len(msg.Data) != 0 && len(msg.Data) != len(birth) {
		if r := c.host.plain.desk.Take(msg, c.host.plain.calls[c.class]); r != nil {
			r.Refuse(fmt.Errorf("actor %s: %s: %w: a payload of %d bytes was sent, it takes none", c.id, word, call.ErrArgument, len(msg.Data)))
		}
		return
	}
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
		c.employAll()
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
			c.host.node.Log.Warn("an actor's Close failed", logs.Class(c.class.name), logs.Actor(c.id), zap.Error(err))
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
	for w := range c.visitors.all {
		for _, v := range slices.Clone(w.visits.all()) {
			if !v.answered {
				c.drop(v, cause)
			}
		}
	}
	for i := range c.lines {
		c.discard(&c.lines[i])
	}
	c.flush()
	if word != nil {
		c.waiting = append(c.waiting, word)
	}
	c.unlock()
	c.leave(cause)
}

// say answers words that were obeyed.
func (c *cell) say(words []*bus.Msg) {
	for _, word := range words {
		if word.Reply == "" {
			continue
		}
		if err := c.host.node.Conn.Publish(word.Reply, "", nil); err != nil {
			c.host.node.Log.Warn("a stop was not confirmed", logs.Class(c.class.name), logs.Actor(c.id), zap.Error(err))
		}
	}
}
