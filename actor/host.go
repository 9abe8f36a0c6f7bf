package actor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
	"manta/task"
)

const (
	// mailRoom is how many messages may wait for the goroutine that moves them to their cells. NATS drops what finds it
	// full; that goroutine never blocks, so it takes a stall of the whole process to fill it.
	mailRoom = 1 << 16
	// releaseTimeout bounds how long an ended actor's name takes to free.
	releaseTimeout = 5 * time.Second
	// mailBudget bounds the bytes of the calls that wait in all cells of a node. What comes beyond fails as overload.
	mailBudget = 1 << 30
)

// The tokens that stand for a method in a mailbox subject and are words to the cell; methods start with a capital letter.
const (
	controlStop   = "stop"
	controlKill   = "kill"
	controlCancel = "cancel"
	controlPing   = "ping"
	wordOfMail    = "calls" // of one caller, in order
)

// host is the serving half of a node: the cells that live here. All mailboxes share one channel, so an idle actor costs no
// goroutine.
type host struct {
	node      *member.Node
	directory *directory
	classes   *task.Registry // of the actors that can live here
	group     *member.Group
	workers   *workers
	doors     []*bus.Subscription // queue groups of the classes
	mail      chan *bus.Msg
	living    member.Tally // the cells
	leaving   member.Tally // those that have ended, and whose mailboxes may still get mail
	fence     *fence
	depart    func(id string, rec record) // has an actor made again elsewhere
	scope     *member.Scope
	budget    int64        // of waiting
	waiting   atomic.Int64 // bytes of the calls that wait in the cells

	mu       sync.Mutex
	draining bool
	cells    map[*bus.Subscription]*cell // by mailbox: for a moment, a name can have two
	local    map[string]*cell            // by id, for callers on this node: the latest of a name, until it has ended

	generations map[member.ID]uint64 // of the callers' connections

	flushes flushes
}

// newHost makes a host that begins to take mail with serve.
func newHost(ctx context.Context, node *member.Node, d *directory, classes *task.Registry) *host {
	fence, group := newFence(node), member.NewGroup(ctx)
	return &host{
		node: node, directory: d, classes: classes, group: group, workers: newWorkers(group),
		mail: make(chan *bus.Msg, mailRoom), cells: make(map[*bus.Subscription]*cell), local: make(map[string]*cell),
		fence: fence, scope: &member.Scope{Node: node}, budget: mailBudget, generations: make(map[member.ID]uint64),
		flushes: flushes{fence: fence, some: make(chan struct{}, 1)},
	}
}

// serve begins to take mail.
func (h *host) serve() {
	h.group.Go(h.deliver)
	h.group.Go(h.flushes.serve)
	h.node.Members.Watch(member.Watcher{Joined: func(member.Info) {}, Left: h.left})
}

// left forgets the callers on a node that is gone, and stops the actors that end with it.
func (h *host) left(id member.ID) {
	h.mu.Lock()
	delete(h.generations, id)
	h.mu.Unlock()
	for _, cl := range h.residents() {
		cl.abandon(id)
		if id != h.node.ID && cl.creation.Owner == id && !cl.detached {
			cl.stop(nil)
		}
	}
}

// late says whether calls were sent on a connection that their caller has lost since.
func (h *host) late(owner member.ID, generation uint64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	known := h.generations[owner]
	if generation > known {
		h.generations[owner] = generation
	}
	return generation < known
}

// openDoors joins the queue groups. It is for a node that has joined.
func (h *host) openDoors() error {
	h.fence.open(h.node.Members.Lease().Tenure(time.Now()))
	h.group.Go(func(ctx context.Context) { h.fence.serve(ctx, h.confirm) })
	for _, name := range classNames(h.classes) {
		sub, err := h.node.Conn.Subscribe(h.node.Conn.Create(name), bus.Workers, h.asked)
		if err != nil {
			return err
		}
		h.doors = append(h.doors, sub)
	}
	return nil
}

// deliver moves mail to the cells. It never blocks: what comes while the fence is closed is kept.
func (h *host) deliver(ctx context.Context) {
	var kept []*bus.Msg
	for {
		var opened, renewed <-chan struct{}
		if len(kept) > 0 {
			opened, renewed = h.fence.signals()
			if h.fence.isOpen() {
				for _, msg := range kept {
					h.sort(msg)
				}
				kept = nil
			}
		}
		select {
		case msg := <-h.mail:
			if len(kept) > 0 || !h.fence.isOpen() {
				kept = append(kept, msg)
			} else {
				h.sort(msg)
			}
		case <-opened:
		case <-renewed:
		case <-ctx.Done():
			return
		}
	}
}

// sort gives a message to its cell.
func (h *host) sort(msg *bus.Msg) {
	h.mu.Lock()
	c := h.cells[msg.Sub]
	if msg.Subject == "" { // the last one of this mailbox: see leave
		delete(h.cells, msg.Sub)
		c = nil
		h.leaving.Done()
	}
	h.mu.Unlock()
	if c != nil {
		c.deliver(msg, bus.LastToken(msg.Subject))
	}
}

// asked handles a request to create an actor, on a goroutine of its own: it talks to the directory.
func (h *host) asked(msg *bus.Msg) {
	q, err := call.ReadRequest(msg.Data)
	if err != nil {
		h.node.Log.Warn("a malformed request for an actor", zap.String("subject", msg.Subject), zap.Error(err))
		return
	}
	h.group.Go(func(ctx context.Context) {
		status, err := h.create(ctx, bus.LastToken(msg.Subject), q, msg.Data)
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
	if status, err := h.enter(ctx, cl, &ask, frame); status != call.Accepted {
		h.node.Capacity.Give(q.Need)
		return status, err
	}
	cl.begin()
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
	if a.id, err = bus.Decode[string](args[argName].Value); err != nil {
		return err
	}
	if a.named = a.id != ""; !a.named {
		a.id = objstore.NewID(q.Owner, q.Number).String()
	}
	if err := bus.CheckName("actor name", a.id); err != nil {
		return err
	}
	if a.inbox, err = bus.Decode[string](args[argInbox].Value); err != nil {
		return err
	}
	a.life, err = bus.Decode[life](args[argLife].Value)
	return err
}

// recorded says whether an actor stands in the directory before it lives.
func (a *asked) recorded(c *class) bool {
	return a.named || a.life.Detached || c.restarts != 0 || c.idleAfter > 0
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

// enter gives a cell its record and its mailbox. What hinders that may pass, so one that is made again is never refused for it.
func (h *host) enter(ctx context.Context, cl *cell, ask *asked, frame []byte) (call.Status, error) {
	again := ask.life.Revision != 0
	if ask.recorded(cl.class) {
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
	status, err := h.open(cl)
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
func (h *host) open(cl *cell) (call.Status, error) {
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
	return call.Accepted, nil
}

// free frees an actor's name, and has its record say why it ended.
func (h *host) free(cl *cell, cause string) error {
	ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
	defer cancel()
	return cl.registration.end(ctx, cause)
}

// leave removes a cell that has ended, and its name unless the actor goes on elsewhere. It goes on refusing mail until the server knows that
// it has left: what is sent to it meanwhile would get no answer from anybody.
func (h *host) leave(cl *cell, cause error) {
	h.leaving.Add()
	cl.mailbox.SetClosedHandler(func(string) {
		select {
		case h.mail <- &bus.Msg{Sub: cl.mailbox}:
		default: // full: the cell stays in the table, which costs no more than its memory
			h.leaving.Done()
		}
	})
	_ = cl.mailbox.Drain() // its one error is that the connection is closed
	h.mu.Lock()
	if h.local[cl.id] == cl {
		delete(h.local, cl.id)
	}
	h.mu.Unlock()
	if !cl.moved {
		if err := h.free(cl, cause.Error()); err != nil {
			h.node.Log.Warn("an actor's name stays taken", zap.String("actor", cl.id), zap.Error(err))
		}
	}
	h.node.Capacity.Give(cl.creation.Need)
	h.living.Done()
}

// drain takes no more actors, hands over those that go on elsewhere and stops the others.
func (h *host) drain(ctx context.Context) error {
	for _, sub := range h.doors {
		_ = sub.Unsubscribe() // its one error is that the connection is closed
	}
	h.mu.Lock()
	h.draining = true
	h.mu.Unlock()
	for _, cl := range h.residents() {
		if cl.handsOver() {
			cl.handOver()
		} else {
			cl.stop(nil)
		}
	}
	if err := h.living.Await(ctx); err != nil {
		return fmt.Errorf("actors still live here: %s: %w", h.census(), err)
	}
	if err := h.leaving.Await(ctx); err != nil { // who called them is still to be told that they have gone
		return fmt.Errorf("%d actors' mailboxes are not empty: %w", h.leaving.Left(), err)
	}
	return nil
}

// census lists the classes of the actors that live here, and how many of each do.
func (h *host) census() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	count := make(map[string]int)
	for _, cl := range h.cells {
		count[cl.class.name]++
	}
	var classes []string
	for _, name := range slices.Sorted(maps.Keys(count)) {
		classes = append(classes, fmt.Sprintf("%d × %s", count[name], name))
	}
	return strings.Join(classes, ", ")
}

// close kills the cells and waits for what runs in them; the error names what does not end.
func (h *host) close() error {
	h.mu.Lock()
	h.draining = true
	h.mu.Unlock()
	for _, sub := range h.doors {
		_ = sub.Unsubscribe() // its one error is that the connection is closed
	}
	for _, cl := range h.residents() {
		if cl.lasting() { // the others make it again
			cl.vacate()
		} else {
			cl.kill(nil, fmt.Errorf("actor %s: %w: its node closed", cl.id, ErrDead))
		}
	}
	h.group.Stop(bus.ErrClosed)
	if !h.group.WaitFor(member.UserGrace) {
		return errors.New("an actor's method is still running although its ctx has ended")
	}
	return nil
}
