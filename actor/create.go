package actor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

const (
	createTimeout = 10 * time.Second // for one host's answer; it comes before Start runs
	createFirst   = 5 * time.Millisecond
	createLast    = 200 * time.Millisecond
	// classAppears is how long nobody may serve a class that a known node has.
	classAppears = 3 * time.Second
)

// The arguments of a request for an actor.
const (
	argName  = iota // empty for none
	argStart        // the start value
	argInbox        // of the creator
	argCount
)

// creation is an actor that is asked for.
type creation struct {
	start  bus.Value
	name   string // empty: none
	shared bool   // an actor that has the name already will do
}

// create asks for an actor and returns its handle at once.
func (e *Engine) create(c *class, cr *creation) *handle {
	number := objstore.StoreOf(e.node).NextID()
	h := &handle{id: cr.name, class: c}
	if h.id == "" {
		h.id = number.String()
		h.enter()
	}
	cs := e.callers
	created := &caller{id: h.id, class: c.name, number: number.Number(), ordered: c.concurrency == 1, unpending: make(chan struct{})}
	h.set(cs, created)
	cs.mu.Lock()
	cs.created[created.number] = created
	cs.mu.Unlock()
	started := cs.group.Go(func(ctx context.Context) {
		host, err := e.place(ctx, c, cr, number)
		cs.placed(created, host, err)
		if err == nil {
			h.enter()
		}
	})
	if !started {
		h.err = fmt.Errorf("actor of class %s: %w", c.name, bus.ErrClosed)
	}
	return h
}

// place finds a node with room for the actor: the class's queue group picks one, which says yes, busy, or why it never will.
func (e *Engine) place(ctx context.Context, c *class, cr *creation, number objstore.ID) (member.ID, error) {
	q := call.Request{
		Owner: e.node.ID, Number: number.Number(), Attempt: 1, Need: c.need,
		Args: []call.WireArg{argName: text(cr.name), argStart: {Value: cr.start}, argInbox: text(e.node.Conn.Inbox("actor"))},
	}
	frame := q.AppendTo(nil)
	if limit := e.node.Conn.MaxPayload(); int64(len(frame)) > limit {
		return member.ID{}, fmt.Errorf("its start value takes a message of %d bytes, the server takes %d: Put what is large and pass the ref", len(frame), limit)
	}
	begun := time.Now()
	for wait := createFirst; ; wait = min(2*wait, createLast) {
		p, err := e.ask(ctx, c, frame)
		switch {
		case errors.Is(err, bus.ErrNoResponders):
			if !e.served(c) || time.Since(begun) > classAppears {
				return member.ID{}, fmt.Errorf("%w: Define it in the program of a node, before that node starts", ErrNotRegistered)
			}
		case err != nil:
			return member.ID{}, err
		case p.Status == call.Accepted:
			return p.Host, nil
		case p.Status != call.Busy:
			return e.existing(ctx, c, cr, p.Outcome.Err)
		}
		member.Pause(ctx, wait)
		if ctx.Err() != nil {
			return member.ID{}, context.Cause(ctx)
		}
	}
}

func (e *Engine) ask(ctx context.Context, c *class, frame []byte) (p call.Reply, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, createTimeout, errors.New("no node answered"))
	defer cancel()
	msg, err := e.node.Conn.Request(ctx, e.node.Conn.Create(c.name), frame)
	if err != nil {
		return p, err
	}
	return call.ReadReply(msg.Data)
}

// existing turns the refusal of a name that is taken into its holder, if that will do.
func (e *Engine) existing(ctx context.Context, c *class, cr *creation, refusal error) (member.ID, error) {
	if !cr.shared || !errors.Is(refusal, ErrExists) {
		return member.ID{}, refusal
	}
	rec, err := e.directory.lookup(ctx, cr.name)
	if err != nil {
		return member.ID{}, err
	}
	if rec.Class != c.name {
		return member.ID{}, refusal
	}
	return rec.Node, nil
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
