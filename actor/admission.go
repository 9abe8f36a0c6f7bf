package actor

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// asked handles a request to create an actor, on a goroutine of its own: it talks to the directory.
func (h *host) asked(msg *bus.Msg) {
	class := bus.LastToken(msg.Subject)
	if !bus.IsFrame(msg.Data) {
		h.plain.create(msg, class)
		return
	}
	q, err := call.ReadRequest(msg.Data)
	if err == nil && msg.Reply == "" {
		err = bus.ErrNoReply
	}
	if err != nil {
		h.node.Reject(msg, err)
		return
	}
	h.group.Go(func(ctx context.Context) {
		status, err := h.create(ctx, class, q, msg.Data)
		p := call.Reply{Host: h.node.ID, Number: q.Number, Attempt: int(q.Attempt), Status: status, Outcome: objstore.Outcome{Err: err}}
		if err := h.node.Conn.Publish(msg.Reply, "", p.AppendTo(nil)); err != nil {
			h.node.Log.Warn("an answer to a request for an actor was not sent", zap.Error(err))
		}
	})
}

// create makes a cell, if there is room for it and its name is free.
func (h *host) create(ctx context.Context, className string, q call.Request, frame []byte) (call.Status, error) {
	c, ok := lookupClass(h.classes, className)
	if !ok {
		return call.Refused, ErrNotRegistered
	}
	var ask asked
	if err := ask.read(q); err != nil {
		return call.Refused, err
	}
	if ask.inbox != "" && !h.node.Conn.Answerable(ask.inbox) {
		return call.Refused, fmt.Errorf("%w: the creator's", bus.ErrNoReply)
	}
	if ask.life.Revision == 0 { // of one that is made again the record decides
		a := attempt{objstore.NewID(q.Owner, q.Number), q.Attempt}
		if !h.births.begin(a) {
			return call.Refused, errForgone
		}
		defer h.births.answered(a)
	}
	if err := h.orphan(ctx, q.Owner, ask.life); err != nil {
		return call.Refused, err
	}
	arrival := objstore.StoreOf(h.node).Arrive(ask.start.Refs)
	defer func() { // its creator keeps what the start value names until it has the answer
		select {
		case <-arrival.Done():
		case <-ctx.Done():
		}
	}()
	instance := reflect.New(c.typ)
	if err := bus.DecodeTo(ask.start, instance); err != nil {
		return call.Refused, err
	}
	if !h.fence.isOpen() || !h.node.Capacity.Take(q.Need) {
		return call.Busy, nil
	}
	if c.idleAfter == 0 {
		q.Args = nil // the message is not kept for them
	}
	cl := &cell{
		host: h, id: ask.id, class: c, creation: q, creator: ask.inbox, instance: instance, detached: ask.life.Detached, saving: c.saving,
		group: member.NewGroup(ctx), lines: c.lines(),
	}
	if c.snapshots {
		cl.state = semaphore.NewWeighted(wholeState)
	}
	if status, err := h.enter(ctx, cl, &ask, frame); status != call.Accepted {
		h.node.Capacity.Give(q.Need)
		return status, err
	}
	cl.begin()
	if !cl.detached && !h.node.Members.Alive(q.Owner) {
		h.group.Go(func(ctx context.Context) { h.awaitCreator(ctx, cl) })
	}
	return call.Accepted, nil
}

// asked is what a request for an actor says beside the start value.
type asked struct {
	id    string
	named bool
	start bus.Value
	inbox string // of the creator, to be told if Start fails
	life  life
}

// life is what a request for an actor says of how long it lives.
type life struct {
	Detached bool
	Revision uint64 `msgpack:",omitempty"` // of the record of one that is made again
}

func (a *asked) read(q call.Request) (err error) {
	args, err := q.Args.List()
	if err != nil || len(args) != argCount {
		return fmt.Errorf("a request for an actor has %d arguments: want %d", len(args), argCount)
	}
	a.start = args[argStart].Value
	if a.id, err = keptText(args[argName]); err != nil {
		return err
	}
	if a.named = a.id != ""; !a.named {
		a.id = objstore.NewID(q.Owner, q.Number).String()
	}
	if err := bus.CheckName("actor name", a.id); err != nil {
		return err
	}
	if a.inbox, err = keptText(args[argInbox]); err != nil {
		return err
	}
	a.life, err = bus.Decode[life](args[argLife].Value)
	return err
}

// keptText reads a text that outlives the message it is in, and does not keep that.
func keptText(arg call.WireArg) (string, error) {
	s, err := bus.Decode[string](arg.Value)
	return strings.Clone(s), err
}

// records says whether an actor stands in the directory before it lives.
func (c *class) records(named bool, l life) bool {
	return named || l.Detached || c.restarts != 0 || c.idleAfter > 0
}

// orphan is the error of an actor whose creator is gone, with which it ends; nil if that is not known.
func (h *host) orphan(ctx context.Context, creator member.ID, l life) error {
	if l.Detached {
		return nil
	}
	if there, err := h.node.Members.There(ctx, creator); there || err != nil {
		return nil
	}
	return fmt.Errorf("%w: its creator, node %s, is gone", ErrDead, creator)
}

// creatorAppears is the pause between looks for a creator that membership does not know.
const creatorAppears = 250 * time.Millisecond

// awaitCreator stops an actor whose creator has left while it was made: of that nobody will hear any more. One that has just joined is known
// soon, and then its end will be.
func (h *host) awaitCreator(ctx context.Context, cl *cell) {
	for creator := cl.creation.Owner; ctx.Err() == nil && !h.node.Members.Alive(creator); member.Pause(ctx, creatorAppears) {
		if there, err := h.node.Members.There(ctx, creator); err == nil && !there {
			cl.stop(nil)
			return
		}
	}
}

// enter gives a cell its record and its mailbox. What hinders that may pass, so one that is made again is never refused for it.
func (h *host) enter(ctx context.Context, cl *cell, ask *asked, frame []byte) (call.Status, error) {
	again := ask.life.Revision != 0
	if cl.class.records(ask.named, ask.life) {
		err := h.register(ctx, cl, ask, frame)
		switch {
		case errors.Is(err, errTaken):
			return call.Moved, nil
		case again && err != nil:
			return call.Busy, nil
		case err != nil:
			return call.Refused, err
		}
	}
	status, err := h.open(cl, again)
	switch {
	case status == call.Accepted:
		return status, nil
	case again: // the heir takes the record back
		return call.Busy, nil
	}
	return status, errors.Join(err, h.free(cl, ""))
}

// register gives a cell its record: a fresh one, or that of the actor before its node was lost.
func (h *host) register(ctx context.Context, cl *cell, ask *asked, frame []byte) (err error) {
	rec := record{
		Class: cl.class.name, State: recordPending, Node: h.node.ID, Birth: cl.birth(), Detached: ask.life.Detached,
		lifespan: lifespan{Limit: cl.class.restarts},
	}
	if ask.life.Revision != 0 {
		if rec, err = h.directory.look(ctx, cl.id); err != nil {
			return err
		}
		if rec.revision != ask.life.Revision {
			return errTaken
		}
		rec.State, rec.Node = recordPending, h.node.ID
	}
	if rec.Limit == 0 {
		frame = nil
	}
	if cl.registration, err = h.directory.register(ctx, cl.id, rec, ask.life.Revision, frame); errors.Is(err, bus.ErrChanged) {
		err = errTaken
	}
	if err == nil {
		cl.epoch = cl.registration.epoch()
	}
	return err
}

// open gives a cell its mailbox, unless the node drains.
func (h *host) open(cl *cell, again bool) (call.Status, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.draining {
		return call.Busy, nil
	}
	sub, err := h.node.Conn.SubscribeChan(h.node.Conn.ActorMailbox(cl.id), "", h.mail)
	if err != nil {
		return call.Refused, err
	}
	cl.mailbox = sub
	h.cells[sub] = cl
	h.local[cl.id] = cl
	h.living.Add()
	t := h.pastOf(cl.class)
	if t.Started++; again {
		t.Restarted++
	}
	return call.Accepted, nil
}
