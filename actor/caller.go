package actor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

const (
	// interestSpreads is how long after an actor came to life nobody may be behind its mailbox subject: NATS carries
	// interest to other servers a moment later.
	interestSpreads = 3 * time.Second
	// knockAgain is the pause before calls that found nobody are sent again meanwhile.
	knockAgain = 20 * time.Millisecond
	// controlTimeout is how long a stop or kill may go unanswered before it is said again.
	controlTimeout = 2 * time.Second
)

// callers is the calling half of a node: the calls that this process made and that have no outcome yet.
type callers struct {
	node    *member.Node
	group   *member.Group
	replies *bus.Subscription

	mu      sync.Mutex
	closed  bool
	there   map[member.ID]bool   // the nodes of the cluster
	byID    map[string]*caller   // with calls in flight, by mailbox
	pending map[uint64]*outgoing // by number
	created map[uint64]*caller   // not dead, by the number of the creation
	ended   []ending             // outcomes to hand out once unlocked
	emptied chan struct{}        // closed when nothing is pending, if somebody waits for that
}

// caller is how this process stands with one actor.
//
//	pending (being created) ─► alive ─► dead
//	      └───────────────────────────►
type caller struct {
	id      string
	class   string
	number  uint64 // of its creation, if this process asked for it
	ordered bool   // calls are sent in the order they were made

	state     state
	err       error         // when dead: why
	node      member.ID     // where it lives, zero if that is not known
	since     time.Time     // when it came to life, if this process created it
	heard     bool          // it has answered
	queue     []*outgoing   // not sent yet, in order
	inflight  int           // sent, without an outcome
	unpending chan struct{} // closed when state is no longer pending
}

type state int

const (
	pending state = iota
	alive
	dead
)

// outgoing is a call without an outcome.
type outgoing struct {
	call   *call.Call
	caller *caller
	method string
	ready  bool // its arguments have values
	sent   bool
}

type ending struct {
	call    *call.Call
	outcome objstore.Outcome
}

func startCallers(ctx context.Context, node *member.Node) (*callers, error) {
	cs := &callers{
		node: node, group: member.NewGroup(ctx), there: make(map[member.ID]bool),
		byID: make(map[string]*caller), pending: make(map[uint64]*outgoing), created: make(map[uint64]*caller),
	}
	var err error
	cs.replies, err = node.Conn.Subscribe(node.Conn.Inbox("actor"), "", cs.replied)
	if err != nil {
		return nil, err
	}
	node.Members.Watch(member.Watcher{Joined: cs.joined, Left: cs.left})
	return cs, nil
}

// submit makes a call of an actor's method.
func (cs *callers) submit(ctx context.Context, h *handle, method string, c *call.Call) *objstore.Object {
	if h.err != nil {
		return objstore.FailedObject(h.err)
	}
	c.Attempt = 1
	out := &outgoing{call: c, caller: h.at(cs, member.ID{}), method: method}
	if err := cs.enter(out); err != nil {
		c.Fail(fmt.Errorf("%s: %w", c.Target.Name, err))
		return c.Object
	}
	c.Bind(ctx, func(err error) { cs.cancel(out, err) })
	c.WhenReady(func(err error) {
		if err != nil {
			cs.cancel(out, err)
			return
		}
		cs.mu.Lock()
		defer cs.unlock()
		out.ready = true
		cs.pump(out.caller)
	})
	return c.Object
}

// enter puts a call at the end of its actor's queue, or says why it cannot be made.
func (cs *callers) enter(out *outgoing) error {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	switch {
	case cs.closed:
		return bus.ErrClosed
	case out.caller.state == dead:
		return out.caller.err
	}
	cs.pending[out.call.Number()] = out
	out.caller.queue = append(out.caller.queue, out)
	return nil
}

// pump sends what may be sent: of an ordered actor what stands before the first call that still awaits an argument.
func (cs *callers) pump(c *caller) {
	if c.state != alive {
		return
	}
	kept := c.queue[:0]
	for i, out := range c.queue {
		if !out.ready {
			if c.ordered {
				kept = append(kept, c.queue[i:]...)
				break
			}
			kept = append(kept, out)
			continue
		}
		cs.send(out)
	}
	clear(c.queue[len(kept):])
	c.queue = kept
}

func (cs *callers) send(out *outgoing) {
	q := out.call.Request()
	if err := cs.node.Conn.Publish(cs.node.Conn.Actor(out.caller.id, out.method), cs.node.Conn.Inbox("actor"), q.AppendTo(nil)); err != nil {
		cs.end(out, objstore.Outcome{Err: fmt.Errorf("%s: %w: it was not sent: %w", out.call.Target.Name, ErrUnavailable, err)})
		return
	}
	out.sent = true
	out.caller.inflight++
	cs.byID[out.caller.id] = out.caller
}

// end gives a call its outcome once callers is unlocked: whoever waits for it may call again.
func (cs *callers) end(out *outgoing, o objstore.Outcome) {
	if out.sent {
		out.sent = false
		if out.caller.inflight--; out.caller.inflight == 0 {
			delete(cs.byID, out.caller.id)
		}
	}
	delete(cs.pending, out.call.Number())
	cs.ended = append(cs.ended, ending{out.call, o})
	if len(cs.pending) == 0 && cs.emptied != nil {
		close(cs.emptied)
		cs.emptied = nil
	}
}

func (cs *callers) unlock() {
	ended := cs.ended
	cs.ended = nil
	cs.mu.Unlock()
	for _, e := range ended {
		e.call.Finish(e.outcome)
	}
}

// cancel ends a call with an error: one that was not sent never runs, one that was is told to stop.
func (cs *callers) cancel(out *outgoing, err error) {
	cs.mu.Lock()
	defer cs.unlock()
	if cs.pending[out.call.Number()] != out {
		return
	}
	c := out.caller
	if out.sent {
		frame := call.Cancel{Owner: cs.node.ID, Number: out.call.Number()}.AppendTo(nil)
		if err := cs.node.Conn.Publish(cs.node.Conn.Actor(c.id, controlCancel), "", frame); err != nil {
			cs.node.Log.Info("a cancellation was not sent", zap.String("call", out.call.Target.Name), zap.Error(err))
		}
	}
	cs.end(out, objstore.Outcome{Err: err})
	if i := slices.Index(c.queue, out); i >= 0 {
		c.queue = slices.Delete(c.queue, i, i+1)
		cs.pump(c)
	}
}

// replied handles every message to the callers' reply subject.
func (cs *callers) replied(msg *bus.Msg) {
	if subject, unserved := bus.Unserved(msg); unserved {
		cs.unserved(subject)
		return
	}
	p, err := call.ReadReply(msg.Data)
	if err != nil {
		cs.node.Log.Warn("a malformed reply", zap.String("subject", msg.Subject), zap.Error(err))
		return
	}
	cs.mu.Lock()
	defer cs.unlock()
	if c := cs.created[p.Number]; c != nil { // its Start failed
		cs.bury(c, p.Outcome.Err, p.Outcome.Err)
		return
	}
	out := cs.pending[p.Number]
	if out == nil {
		objstore.StoreOf(cs.node).Discard(objstore.NewID(cs.node.ID, p.Number), p.Outcome)
		return
	}
	out.caller.heard, out.caller.node = true, p.Host
	cs.end(out, p.Outcome)
}

// unserved handles the server's word that nobody is behind a mailbox: right after a creation its calls are sent again, else the
// actor is dead.
func (cs *callers) unserved(subject string) {
	cs.mu.Lock()
	defer cs.unlock()
	id := bus.LastToken(strings.TrimSuffix(subject, "."+bus.LastToken(subject)))
	c := cs.byID[id]
	if c == nil {
		return
	}
	if !c.heard && time.Since(c.since) < interestSpreads {
		cs.sendAgain(c)
		return
	}
	// A host that stops an actor answers what it had: what is left found nobody. A node that crashed answers nothing.
	died := fmt.Errorf("actor %s: %w", id, ErrDead)
	if !cs.there[c.node] && c.inflight > 1 {
		cs.bury(c, died, fmt.Errorf("actor %s: %w: the call may have run", id, ErrUnavailable))
		return
	}
	cs.bury(c, died, died)
}

// placed notes where an actor lives that this process asked for, or why there is none.
func (cs *callers) placed(c *caller, host member.ID, err error) {
	cs.mu.Lock()
	defer cs.unlock()
	switch {
	case c.state == dead: // its Start failed before the word of its creation was here
	case err != nil:
		err = fmt.Errorf("actor of class %s: %w", c.class, err)
		cs.bury(c, err, err)
	default:
		c.node, c.since = host, time.Now()
		c.become(alive)
		cs.pump(c)
	}
}

// bury ends an actor for this process: queued calls, and all later ones, fail with died, those in flight with inflight.
func (cs *callers) bury(c *caller, died, inflight error) {
	c.become(dead)
	c.err = died
	delete(cs.created, c.number)
	for _, out := range cs.pending {
		if out.caller != c {
			continue
		}
		if out.sent {
			cs.end(out, objstore.Outcome{Err: inflight})
		} else {
			cs.end(out, objstore.Outcome{Err: died})
		}
	}
	c.queue = nil
}

// sendAgain puts the calls in flight back into the queue, in order, and sends them after a pause.
func (cs *callers) sendAgain(c *caller) {
	var back []*outgoing
	for _, out := range cs.pending {
		if out.caller == c && out.sent {
			out.sent = false
			back = append(back, out)
		}
	}
	slices.SortFunc(back, func(a, b *outgoing) int { return cmp.Compare(a.call.Number(), b.call.Number()) })
	c.queue = append(back, c.queue...)
	c.inflight = 0
	delete(cs.byID, c.id)
	cs.group.Go(func(ctx context.Context) {
		member.Pause(ctx, knockAgain)
		cs.mu.Lock()
		defer cs.unlock()
		cs.pump(c)
	})
}

func (c *caller) become(s state) {
	if c.state == pending && s != pending && c.unpending != nil {
		close(c.unpending)
	}
	c.state = s
}

// joined notes a node that is there.
func (cs *callers) joined(info member.Info) {
	cs.mu.Lock()
	defer cs.unlock()
	cs.there[info.ID] = true
}

// left buries the actors of a node that is gone, as far as calls to them are under way; others are noticed by their next call.
func (cs *callers) left(id member.ID) {
	cs.mu.Lock()
	defer cs.unlock()
	delete(cs.there, id)
	for _, c := range cs.byID {
		if c.node == id {
			cs.bury(c, fmt.Errorf("actor %s: %w: its node %s is gone", c.id, ErrDead, id),
				fmt.Errorf("actor %s: %w: its node %s is gone, the call may have run", c.id, ErrUnavailable, id))
		}
	}
}

// control sends a word to an actor's cell and waits until it has been obeyed.
func (cs *callers) control(ctx context.Context, h *handle, word string) error {
	if h.err != nil {
		return h.err
	}
	c := h.at(cs, member.ID{})
	if err := cs.awaitAlive(ctx, c); err != nil {
		return err
	}
	for {
		err := cs.controlOnce(ctx, c.id, word)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, bus.ErrNoResponders):
			return fmt.Errorf("actor %s: %w", c.id, ErrDead)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !errors.Is(err, context.DeadlineExceeded):
			return err
		}
	}
}

// controlOnce asks with a bound of its own, so that a cell that is gone is noticed; a word can be said twice.
func (cs *callers) controlOnce(ctx context.Context, id, word string) error {
	ctx, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	_, err := cs.node.Conn.Request(ctx, cs.node.Conn.Actor(id, word), nil)
	return err
}

func (cs *callers) awaitAlive(ctx context.Context, c *caller) error {
	cs.mu.Lock()
	unpending := c.unpending
	cs.mu.Unlock()
	if unpending != nil {
		select {
		case <-unpending:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return c.err
}

// drain waits until every call has its outcome.
func (cs *callers) drain(ctx context.Context) error {
	cs.mu.Lock()
	if len(cs.pending) == 0 {
		cs.mu.Unlock()
		return nil
	}
	if cs.emptied == nil {
		cs.emptied = make(chan struct{})
	}
	emptied, left := cs.emptied, len(cs.pending)
	cs.mu.Unlock()
	select {
	case <-emptied:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%d actor calls have no result yet: %w", left, context.Cause(ctx))
	}
}

// close fails what has no outcome.
func (cs *callers) close() {
	_ = cs.replies.Unsubscribe() // its one error is that the connection is closed
	cs.group.Stop(bus.ErrClosed)
	cs.group.Wait()
	cs.mu.Lock()
	defer cs.unlock()
	cs.closed = true
	for _, out := range cs.pending {
		cs.end(out, objstore.Outcome{Err: fmt.Errorf("%s: %w", out.call.Target.Name, bus.ErrClosed)})
	}
}
