package task

import (
	"context"
	"errors"
	"fmt"
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
)

// windowLimit bounds the window of tasks that need nothing.
const windowLimit = 1024

// host is the serving half of a node: it runs a task if the resources that it needs are free, else says busy at once.
type host struct {
	node       *member.Node
	owner      *owner // takes on what plain clients ask for
	group      *member.Group
	doors      []*bus.Subscription // queue groups for frames, left when the node drains
	plainDoors []*bus.Subscription // queue groups for plain clients
	own        *bus.Subscription   // this node's own subject

	ran, refused atomic.Int64
	underway     member.Tally // the running ones, until their results are sent

	mu       sync.Mutex
	draining bool
	running  map[runKey]*running
	lanes    map[hostLane]int // how many run, by owner and function
	line     waitingLine      // lanes that were refused
}

type runKey struct {
	owner  member.ID
	number uint64
}

type hostLane struct {
	owner    member.ID
	function string
}

func startHost(ctx context.Context, node *member.Node, o *owner) (*host, error) {
	h := &host{
		node: node, owner: o, group: member.NewGroup(ctx),
		running: make(map[runKey]*running), lanes: make(map[hostLane]int),
	}
	var err error
	if h.own, err = node.Conn.Subscribe(node.Conn.NodeTasks(node.ID.String()), "", h.asked); err != nil {
		return nil, err
	}
	for _, name := range registered.names() {
		door, err := node.Conn.Subscribe(node.Conn.Work(name), bus.Workers, h.knocked)
		if err != nil {
			return nil, errors.Join(err, h.close())
		}
		h.doors = append(h.doors, door)
		if door, err = node.Conn.Subscribe(node.Conn.Task(name), bus.Workers, h.askedPlainly); err != nil {
			return nil, errors.Join(err, h.close())
		}
		h.plainDoors = append(h.plainDoors, door)
	}
	return h, nil
}

// asked handles a frame on the node's own subject.
func (h *host) asked(msg *bus.Msg) {
	if c, ok := call.ReadCancel(msg.Data); ok {
		h.cancel(c)
		return
	}
	h.admit(msg, false)
}

// knocked handles a frame that came through a function's queue group.
func (h *host) knocked(msg *bus.Msg) { h.admit(msg, true) }

// admit runs a task if there is room for it, and says busy if not. A task that knocked has an owner who does not know where
// it is: it is told at once.
func (h *host) admit(msg *bus.Msg, door bool) {
	q, err := call.ReadRequest(msg.Data)
	if err != nil {
		h.node.Log.Warn("a malformed task", zap.String("subject", msg.Subject), zap.Error(err))
		return
	}
	name := bus.LastToken(msg.Subject)
	f, ok := registered.lookup(name)
	if !ok {
		h.reply(msg.Reply, name, q, call.Refused, objstore.Outcome{Err: fmt.Errorf("task %q: %w by node %s", name, ErrNotRegistered, h.node.ID)})
		return
	}
	r := h.begin(q, name, msg.Reply)
	if r == nil {
		h.refused.Add(1)
		h.reply(msg.Reply, name, q, call.Busy, objstore.Outcome{})
		return
	}
	if door {
		h.reply(msg.Reply, name, q, call.Accepted, objstore.Outcome{})
	}
	if !h.group.Go(func(ctx context.Context) { h.run(ctx, r, f.handler, msg.Reply) }) {
		h.end(r)
		h.underway.Done()
	}
}

// begin takes what the task needs and enters it, or returns nil. Who is refused for want of room stands in line for it.
func (h *host) begin(q call.Request, function, reply string) *running {
	h.mu.Lock()
	defer h.mu.Unlock()
	key, lane := runKey{q.Owner, q.Number}, hostLane{q.Owner, function}
	switch {
	case h.draining || h.running[key] != nil:
		return nil
	case !h.line.redeem(lane, q.Need, h.node.Capacity.Free, time.Now()) || !h.node.Capacity.Take(q.Need):
		if h.node.Capacity.Total().Covers(q.Need) {
			h.line.join(wish{lane, q, reply})
		}
		return nil
	}
	h.line.leave(lane)
	r := &running{host: h, request: q, function: function}
	h.running[key] = r
	h.underway.Add()
	h.lanes[lane]++
	return r
}

// run runs a task and replies with its outcome.
func (h *host) run(ctx context.Context, r *running, handler call.Handler, reply string) {
	defer h.underway.Done()
	ctx, cancel := r.context(ctx)
	out := call.Run(ctx, h.node, r.function, handler, r.request, func() { h.end(r) })
	cancel(call.ErrReturned)
	h.ran.Add(1)
	if out.Err != nil && h.group.Context().Err() != nil {
		return // Close cancelled it: that is no outcome, its owner sends it elsewhere
	}
	h.reply(reply, r.function, r.request, call.Done, out)
}

// end gives back what a task took. Its result may still be on the way.
func (h *host) end(r *running) {
	r.release()
	lane := r.lane()
	h.mu.Lock()
	delete(h.running, runKey{r.request.Owner, r.request.Number})
	if h.lanes[lane]--; h.lanes[lane] == 0 {
		delete(h.lanes, lane)
	}
	h.mu.Unlock()
	h.offer(lane)
}

// offer tells the lane that has waited longest of room that another lane has freed.
func (h *host) offer(freedBy hostLane) {
	h.mu.Lock()
	w, ok := h.line.offer(freedBy, h.node.Capacity.Free, time.Now())
	h.mu.Unlock()
	if ok {
		h.reply(w.reply, w.lane.function, w.refused, call.Room, objstore.Outcome{})
	}
}

func (h *host) reply(subject, function string, q call.Request, status call.Status, out objstore.Outcome) {
	p := call.Reply{
		Host: h.node.ID, Number: q.Number, Attempt: q.Attempt, Window: h.window(q, function), Status: status, Outcome: out,
	}
	frame := p.AppendTo(nil)
	if err := h.node.Conn.Publish(subject, "", frame); err != nil {
		h.node.Log.Warn("a reply was not sent", zap.String("task", function), zap.Error(err))
	}
}

// window says how many tasks of the request's lane its owner may have outstanding here.
func (h *host) window(q call.Request, function string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	window := h.lanes[hostLane{q.Owner, function}]
	if !h.draining {
		window += h.node.Capacity.Slots(q.Need, windowLimit)
	}
	return window
}

// cancel ends the ctx of a task that runs here.
func (h *host) cancel(c call.Cancel) {
	h.mu.Lock()
	r := h.running[runKey{c.Owner, c.Number}]
	h.mu.Unlock()
	if r != nil {
		r.cancel(call.ErrCancelled)
	}
}

// drain leaves the queue groups and waits for what runs.
func (h *host) drain(ctx context.Context) error {
	if err := leave(h.doors); err != nil {
		return err
	}
	h.mu.Lock()
	h.draining = true
	h.mu.Unlock()
	if err := h.underway.Await(ctx); err != nil {
		return fmt.Errorf("still running: %s: %w", h.names(), err)
	}
	return nil
}

// leave leaves queue groups when what has come through them was handled.
func leave(doors []*bus.Subscription) error {
	for _, sub := range doors {
		if err := sub.Drain(); err != nil {
			return fmt.Errorf("leaving the queue group of %s: %w", sub.Subject, err)
		}
	}
	return nil
}

// names lists the functions that run here.
func (h *host) names() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var names []string
	for lane, n := range h.lanes {
		names = append(names, fmt.Sprintf("%d × %s", n, lane.function))
	}
	return strings.Join(names, ", ")
}

// close cancels what runs and waits for it; the error names what does not end.
func (h *host) close() error {
	h.mu.Lock()
	h.draining = true
	h.mu.Unlock()
	for _, sub := range append(slices.Concat(h.doors, h.plainDoors), h.own) {
		_ = sub.Unsubscribe() // its one error is that the connection is closed, or the subscription drained
	}
	h.group.Stop(bus.ErrClosed)
	if !h.group.WaitFor(member.UserGrace) {
		return fmt.Errorf("still running although their ctx has ended: %s", h.names())
	}
	return nil
}
