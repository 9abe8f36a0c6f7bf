package actor

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
	"manta/task"
)

const (
	// createAnswer is how long a host may take to answer, which it does before Start runs; then it is asked what has become of the request. A node
	// that is lost is noticed no sooner.
	createAnswer = 2 * time.Second
	createFirst  = 5 * time.Millisecond
	createLast   = 200 * time.Millisecond
	// classAppears is how long nobody may serve a class that a known node has.
	classAppears = 3 * time.Second
)

// The arguments of a request for an actor.
const (
	argName  = iota // empty for none
	argStart        // the start value
	argInbox        // of the creator
	argLife         // how long it lives
	argCount
)

// creation is an actor that is asked for.
type creation struct {
	start  bus.Value
	name   string // empty: none
	shared bool   // an actor that has the name already will do
	life   life
}

// create asks for an actor and returns its handle at once.
func (e *Engine) create(c *class, cr *creation) *handle {
	number := objstore.StoreOf(e.node).NextID()
	h := &handle{id: cr.name, class: c}
	if h.id == "" {
		h.id = number.String()
	}
	o := &origin{}
	if !cr.shared {
		h.birth, h.life = number, e.bear(h, cr, number, o)
		h.enter()
	}
	cs := e.callers
	created := newCaller(e.callers, number.Number(), h.id, c, h.birth)
	created.made, created.starting, created.origin = make(chan struct{}), true, o
	h.add(created)
	cs.mu.Lock()
	cs.waiting[created.number] = created
	cs.mu.Unlock()
	started := cs.group.Go(func(ctx context.Context) {
		rec, err := e.place(ctx, c, cr, created)
		runtime.KeepAlive(cr) // and what its start value names: the host has registered that
		if err == nil && cr.shared {
			err = e.share(ctx, h, cr, number, rec, o)
		}
		cs.placed(created, rec, err)
	})
	if !started {
		h.err = fmt.Errorf("actor of class %s: %w", c.name, bus.ErrClosed)
	}
	return h
}

// share makes a handle that of the actor which has the name: the one that was asked for, or another that had it before.
func (e *Engine) share(ctx context.Context, h *handle, cr *creation, number objstore.ID, rec record, o *origin) (err error) {
	if rec.Birth == number {
		h.identify(number, e.bear(h, cr, number, o))
	} else {
		h.identify(rec.Birth, lifeOf(rec.Birth, rec.Detached))
		err = h.hold(ctx, e.node)
	}
	h.enter()
	return err
}

// place finds a node with room for the actor: the class's queue group picks one, which says yes, busy, or why it never will.
func (e *Engine) place(ctx context.Context, c *class, cr *creation, created *caller) (record, error) {
	lives, err := bus.Encode(cr.life)
	if err != nil {
		return record{}, err
	}
	q := call.Request{
		Owner: e.node.ID, Need: c.need,
		Entry: call.Entry{
			Number: created.number, Attempt: 1,
			Args: call.WireArgs{}.AppendArg(text(cr.name)).AppendArg(call.WireArg{Value: cr.start}).
				AppendArg(text(e.callers.inbox(created.number, wordOfBirth))).AppendArg(call.WireArg{Value: lives}),
		},
	}
	frame := q.AppendTo(nil)
	if limit := e.node.Conn.MaxPayload(); int64(len(frame)) > limit {
		return record{}, fmt.Errorf("its start value takes a message of %d bytes, the server takes %d: Put what is large and pass the ref", len(frame), limit)
	}
	birth := objstore.NewID(e.node.ID, created.number)
	begun := time.Now()
	hopeful := begun // when a node was last there that could have it
	for wait := createFirst; ; wait = min(2*wait, createLast) {
		p, err := e.ask(ctx, c.name, frame, createAnswer)
		if errors.Is(err, errNoAnswer) {
			if p, err = e.inquire(ctx, c, &inquiry{attempt{birth, q.Attempt}, created.id}); err == nil && p.Status == call.Busy {
				q.Attempt++
				frame = q.AppendTo(nil)
			}
		}
		switch {
		case errors.Is(err, bus.ErrNoResponders):
			if !e.served(c) || time.Since(begun) > classAppears {
				return record{}, fmt.Errorf("%w: Define it in the program and the registry of a node, before that node starts", ErrNotRegistered)
			}
		case err != nil:
			return record{}, err
		case p.Status == call.Accepted:
			rec := record{Class: c.name, Node: p.Host, Birth: birth, Detached: cr.life.Detached}
			if c.records(cr.name != "", cr.life) {
				rec.State = recordPending
			}
			return rec, nil
		case p.Status != call.Busy:
			rec, err := e.existing(ctx, c, cr, birth, p.Outcome.Err)
			if !errors.Is(err, ErrNotFound) { // else it ended meanwhile, and the name is free
				return rec, err
			}
		}
		switch now := time.Now(); {
		case e.feasible(c):
			hopeful = now
		case e.infeasibleAfter >= 0 && now.Sub(hopeful) >= e.infeasibleAfter:
			return record{}, fmt.Errorf("it needs %s: %w", c.need, task.ErrInfeasible)
		}
		if !e.callers.wants(created) {
			return record{}, errUnwanted
		}
		if member.Pause(ctx, wait); ctx.Err() != nil {
			return record{}, context.Cause(ctx)
		}
	}
}

// errUnwanted is the error of an actor that was killed before there was room for it.
var errUnwanted = fmt.Errorf("%w: it was killed", ErrDead)

// wants says whether an actor that is being made was not killed meanwhile.
func (cs *callers) wants(c *caller) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return !c.unwanted
}

// errNoAnswer says that a request got no answer: it, or the answer, was lost, or the node that got it. Another must not be asked at once: the actor
// could live twice.
var errNoAnswer = errors.New("no node has answered")

// mostAsked is how many actors a node asks for at a time, and how many it lets go. Thousands of requests at once would wait for each other at the lock of
// the connection, and have the node's lease wait behind them.
const mostAsked = 256

// ask asks the class's queue group for an actor, when its turn has come.
func (e *Engine) ask(ctx context.Context, class string, frame []byte, patience time.Duration) (p call.Reply, err error) {
	end, err := e.asking.take(ctx)
	if err != nil {
		return p, err
	}
	defer end()
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errNoAnswer)
	defer cancel()
	msg, err := e.node.Conn.Request(ctx, e.node.Conn.Create(class), frame)
	switch {
	case ctx.Err() != nil:
		return p, context.Cause(ctx)
	case err != nil:
		return p, err
	}
	return call.ReadReply(msg.Data)
}

// existing turns the refusal of an id that is taken into its holder, if that will do. It may be the actor itself: made by an earlier request, whose
// node was lost, and made again.
func (e *Engine) existing(ctx context.Context, c *class, cr *creation, birth objstore.ID, refusal error) (record, error) {
	if !errors.Is(refusal, ErrExists) {
		return record{}, refusal
	}
	id := cr.name
	if id == "" {
		id = birth.String()
	}
	rec, err := e.directory.lookup(ctx, id)
	switch {
	case errors.Is(err, ErrNotFound), err == nil && rec.Birth == birth:
		return rec, err
	case !cr.shared || err == nil && rec.Class != c.name:
		return rec, refusal
	}
	return rec, err
}

// feasible says whether a node that is there could ever have an actor of the class.
func (e *Engine) feasible(c *class) bool {
	return slices.ContainsFunc(e.node.Members.All(), func(info member.Info) bool {
		total, err := member.NewAmounts(info.Resources)
		return err == nil && slices.Contains(info.Classes, c.name) && total.Covers(c.need)
	})
}

// served says whether a node that is there hosts the class.
func (e *Engine) served(c *class) bool {
	return slices.ContainsFunc(e.node.Members.All(), func(info member.Info) bool {
		return slices.Contains(info.Classes, c.name)
	})
}

func text(s string) call.WireArg {
	return call.WireArg{Value: bus.Value{Format: bus.Text, Data: []byte(s)}}
}
