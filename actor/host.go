package actor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/event"
	"manta/internal/logs"
	"manta/internal/member"
	"manta/task"
)

const (
	// mailRoom is how many messages may wait for the goroutine that moves them to their cells. NATS drops what finds it
	// full; that goroutine never blocks, so it takes a stall of the whole process to fill it.
	mailRoom = 1 << 16
	// releaseTimeout bounds how long an ended actor's name takes to free.
	releaseTimeout = 5 * time.Second
	// mailBudget bounds the bytes of the calls that wait in all cells of a node. One cell has as much as it leaves free at the most. What comes beyond
	// fails as overload.
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
	questions *bus.Subscription   // about requests for actors
	mail      chan *bus.Msg
	living    member.Tally // the cells
	leaving   member.Tally // those that have ended, and whose mailboxes may still get mail
	fence     *fence
	depart    func(id string, rec record) // has an actor made again elsewhere
	scope     *member.Scope
	budget    int64        // of waiting
	waiting   atomic.Int64 // bytes of the calls that wait in the cells

	births *births

	mu       sync.Mutex
	draining bool
	cells    map[*bus.Subscription]*cell // by mailbox: for a moment, a name can have two
	local    map[string]*cell            // by id, for callers on this node: the latest of a name, until it has ended
	past     map[string]*Residents       // by class: what was counted of cells that are gone

	origin      time.Time
	generations *member.Generations // of the callers' connections

	flushes flushes
	plain   *plainDoor
}

// newHost makes a host that begins to take mail with serve.
func newHost(ctx context.Context, node *member.Node, d *directory, classes *task.Registry) *host {
	fence, group := newFence(node), member.NewGroup(ctx)
	h := &host{
		node: node, directory: d, classes: classes, group: group, workers: &workers{group: group},
		mail: make(chan *bus.Msg, mailRoom), cells: make(map[*bus.Subscription]*cell), local: make(map[string]*cell), past: make(map[string]*Residents),
		fence: fence, scope: &member.Scope{Node: node}, budget: mailBudget, origin: time.Now(),
		births: newBirths(), flushes: flushes{fence: fence, some: make(chan struct{}, 1)},
	}
	h.generations = member.NewGenerations(node, group, &h.mu)
	return h
}

// serve begins to take mail.
func (h *host) serve() {
	h.group.Go(h.deliver)
	h.group.Go(h.flushes.serve)
	h.group.Go(h.births.serve)
	h.group.Go(h.forgetStrangers)
	h.node.Members.Watch(member.Watcher{Joined: func(member.Info) {}, Left: h.left})
}

// left forgets the callers on a node that is gone, and stops the actors that end with it.
func (h *host) left(id member.ID) {
	h.mu.Lock()
	h.generations.Forget(id)
	h.mu.Unlock()
	for _, cl := range h.residents() {
		cl.abandon(id)
		if id != h.node.ID && cl.creation.Owner == id && !cl.detached {
			cl.stop(nil)
		}
	}
}

// late says whether calls were sent on a connection that their caller has lost since.
func (h *host) late(owner member.ID, generation uint64) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.generations.Late(owner, generation, time.Since(h.origin))
}

// openDoors joins the queue groups. It is for a node that has joined.
func (h *host) openDoors() error {
	var err error
	if h.questions, err = h.node.Conn.Subscribe(h.node.Conn.NodeBirths(h.node.ID.String()), "", h.inquired); err != nil {
		return err
	}
	h.fence.open(h.node.Members.Lease().Tenure(time.Now()))
	h.group.Go(func(ctx context.Context) { h.fence.serve(ctx, h.confirm) })
	for _, name := range h.plain.classes {
		for subject, handle := range map[string]func(*bus.Msg){
			h.node.Conn.Create(name): h.asked, h.node.Conn.Call(name, "*", "*"): h.plain.called,
		} {
			sub, err := h.node.Conn.Subscribe(subject, bus.Workers, handle)
			if err != nil {
				return err
			}
			h.doors = append(h.doors, sub)
		}
	}
	return nil
}

// shutDoors takes no more actors.
func (h *host) shutDoors() {
	h.mu.Lock()
	h.draining = true
	h.mu.Unlock()
	for _, sub := range h.doors {
		_ = sub.Unsubscribe() // its one error is that the connection is closed
	}
}

// deliver moves mail to the cells. It never blocks: what comes while the fence is closed is kept, as far as there is room.
func (h *host) deliver(ctx context.Context) {
	var kept []*bus.Msg
	for {
		var opened, renewed <-chan struct{}
		mail := h.mail
		if len(kept) > 0 {
			opened, renewed = h.fence.signals()
			if h.fence.isOpen() {
				for _, msg := range kept {
					h.sort(msg)
				}
				kept = nil
			}
		}
		if len(kept) == mailRoom {
			mail = nil
		}
		select {
		case msg := <-mail:
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
	h.mu.Unlock()
	if msg.Subject == "" { // the last one of this mailbox: see leave
		h.forget(c)
		h.leaving.Done()
	} else if c != nil {
		c.deliver(msg, bus.LastToken(msg.Subject))
	}
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
	cl.mu.Lock()
	failure := cl.failure
	cl.mu.Unlock()
	h.births.end(cl.attempt(), failure)
	h.mu.Lock()
	if h.local[cl.id] == cl {
		delete(h.local, cl.id)
	}
	h.mu.Unlock()
	if cl.moved {
		cl.report(event.Restarting, cause)
	} else {
		cl.report(event.Dead, cause)
		if err := h.free(cl, cause.Error()); err != nil {
			h.node.Log.Warn("an actor's name stays taken", logs.Class(cl.class.name), logs.Actor(cl.id), zap.Error(err))
		}
	}
	h.node.Capacity.Give(cl.creation.Need)
	h.living.Done()
}

// drain takes no more actors, hands over those that go on elsewhere and stops the others.
func (h *host) drain(ctx context.Context) error {
	h.shutDoors()
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
	h.shutDoors()
	for _, cl := range h.residents() {
		if cl.lasting() { // the others make it again
			cl.vacate()
		} else {
			cl.kill(nil, fmt.Errorf("actor %s: %w: its node closed", cl.id, ErrDead))
		}
	}
	if h.questions != nil {
		_ = h.questions.Unsubscribe() // its one error is that the connection is closed
	}
	h.group.Stop(bus.ErrClosed)
	h.workers.dismiss()
	if !h.group.WaitFor(member.UserGrace) {
		return errors.New("an actor's method is still running although its ctx has ended")
	}
	return nil
}
