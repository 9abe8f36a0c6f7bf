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
	crew      *crew
	doors     []*bus.Subscription // queue groups of the classes
	mail      chan *bus.Msg
	living    member.Tally // the cells
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

// newHost makes a host that begins to serve with deliver.
func newHost(ctx context.Context, node *member.Node, d *directory, classes *task.Registry) *host {
	group := member.NewGroup(ctx)
	return &host{
		node: node, directory: d, classes: classes, group: group, crew: newCrew(group),
		mail: make(chan *bus.Msg, mailRoom), cells: make(map[*bus.Subscription]*cell), local: make(map[string]*cell),
		scope: &member.Scope{Node: node}, budget: mailBudget, generations: make(map[member.ID]uint64), flushes: flushes{some: make(chan struct{}, 1)},
	}
}

// serve begins to take mail.
func (h *host) serve() {
	h.group.Go(h.deliver)
	h.group.Go(h.flushes.serve)
	h.node.Members.Watch(member.Watcher{Joined: func(member.Info) {}, Left: h.left})
}

// left forgets the callers on a node that is gone.
func (h *host) left(id member.ID) {
	h.mu.Lock()
	delete(h.generations, id)
	cells := slices.Collect(maps.Values(h.cells))
	h.mu.Unlock()
	for _, cl := range cells {
		cl.abandon(id)
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

// openDoors joins the queue groups.
func (h *host) openDoors() error {
	for _, name := range classNames(h.classes) {
		sub, err := h.node.Conn.Subscribe(h.node.Conn.Create(name), bus.Workers, h.asked)
		if err != nil {
			return err
		}
		h.doors = append(h.doors, sub)
	}
	return nil
}

// deliver moves mail to the cells. It never blocks.
func (h *host) deliver(ctx context.Context) {
	for {
		select {
		case msg := <-h.mail:
			h.mu.Lock()
			c := h.cells[msg.Sub]
			if msg.Subject == "" { // the last one of this mailbox: see leave
				delete(h.cells, msg.Sub)
				c = nil
			}
			h.mu.Unlock()
			if c != nil {
				c.deliver(msg, bus.LastToken(msg.Subject))
			}
		case <-ctx.Done():
			return
		}
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
		status, err := h.create(ctx, bus.LastToken(msg.Subject), q)
		p := call.Reply{Host: h.node.ID, Number: q.Number, Attempt: int(q.Attempt), Status: status, Outcome: objstore.Outcome{Err: err}}
		if err := h.node.Conn.Publish(msg.Reply, "", p.AppendTo(nil)); err != nil {
			h.node.Log.Warn("an answer to a request for an actor was not sent", zap.Error(err))
		}
	})
}

// create makes a cell, if there is room for it and its name is free.
func (h *host) create(ctx context.Context, className string, q call.Request) (call.Status, error) {
	c, ok := lookupClass(h.classes, className)
	if !ok {
		return call.Refused, ErrNotRegistered
	}
	var ask asked
	if err := ask.read(q); err != nil {
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
	if !h.node.Capacity.Take(q.Need) {
		return call.Busy, nil
	}
	q.Args = nil // the message is not kept for them
	cl := &cell{
		host: h, id: ask.id, named: ask.named, class: c, creation: q, creator: ask.inbox, instance: instance,
		group: member.NewGroup(ctx), lines: c.lines(),
	}
	if status, err := h.enter(ctx, cl); status != call.Accepted {
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
	a.inbox, err = bus.Decode[string](args[argInbox].Value)
	return err
}

// enter gives a cell its name and its mailbox.
func (h *host) enter(ctx context.Context, cl *cell) (call.Status, error) {
	if cl.named {
		var err error
		if cl.claim, err = h.directory.claim(ctx, cl.id, record{Class: cl.class.name, Node: h.node.ID, Birth: cl.birth()}); err != nil {
			return call.Refused, err
		}
	}
	status, err := h.open(cl)
	if status != call.Accepted {
		err = errors.Join(err, h.free(cl))
	}
	return status, err
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

// free frees an actor's name.
func (h *host) free(cl *cell) error {
	if !cl.named {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
	defer cancel()
	return h.directory.release(ctx, cl.id, cl.claim)
}

// leave removes a cell that has ended. It goes on refusing mail until the server knows that it has left: what is sent to it
// meanwhile would get no answer from anybody.
func (h *host) leave(cl *cell) {
	cl.mailbox.SetClosedHandler(func(string) {
		select {
		case h.mail <- &bus.Msg{Sub: cl.mailbox}:
		default: // full: the cell stays in the table, which costs no more than its memory
		}
	})
	_ = cl.mailbox.Drain() // its one error is that the connection is closed
	h.mu.Lock()
	if h.local[cl.id] == cl {
		delete(h.local, cl.id)
	}
	h.mu.Unlock()
	if err := h.free(cl); err != nil {
		h.node.Log.Warn("an actor's name stays taken", zap.String("actor", cl.id), zap.Error(err))
	}
	h.node.Capacity.Give(cl.creation.Need)
	h.living.Done()
}

// drain takes no more actors and stops those that live here.
func (h *host) drain(ctx context.Context) error {
	for _, sub := range h.doors {
		_ = sub.Unsubscribe() // its one error is that the connection is closed
	}
	h.mu.Lock()
	h.draining = true
	cells := slices.Collect(maps.Values(h.cells))
	h.mu.Unlock()
	for _, cl := range cells {
		cl.stop(nil)
	}
	if err := h.living.Await(ctx); err != nil {
		return fmt.Errorf("actors still live here: %s: %w", h.residents(), err)
	}
	return nil
}

// residents lists the classes of the actors that live here, and how many of each do.
func (h *host) residents() string {
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
	cells := slices.Collect(maps.Values(h.cells))
	h.mu.Unlock()
	for _, sub := range h.doors {
		_ = sub.Unsubscribe() // its one error is that the connection is closed
	}
	for _, cl := range cells {
		cl.kill(nil, fmt.Errorf("actor %s: %w: its node closed", cl.id, ErrDead))
	}
	h.group.Stop(bus.ErrClosed)
	if !h.group.WaitFor(member.UserGrace) {
		return errors.New("an actor's method is still running although its ctx has ended")
	}
	return nil
}
