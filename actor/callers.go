package actor

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/logs"
	"manta/internal/member"
	"manta/objstore"
	"manta/task"
)

// callers is the calling half of a node: how it stands with the actors that it has calls to.
type callers struct {
	node      *member.Node
	text      string // the node's id
	host      *host  // whose cells are called without NATS; nil on a node that only calls
	directory *directory
	group     *member.Group
	replies   *bus.Subscription
	asked     *bus.Subscription
	watches   *call.Watches
	some      chan struct{} // holds one: there are dirty lanes
	leaving   turns         // of actors that are let go
	deaf      func()        // ends what OnReconnect began

	underway member.Tally // the calls without an outcome
	seeking  atomic.Int64 // the actors that are looked for

	mu       sync.Mutex
	closed   bool
	waiting  map[uint64]*caller // those that await something, by number
	counts   member.Named[Calls]
	lazy     []*caller
	dirty    []outlet      // lanes that the sender looks at
	tick     int64         // of tend's clock
	frame    []byte        // the memory of a message, used again
	finished call.Finished // outcomes to hand out once unlocked
}

func startCallers(ctx context.Context, node *member.Node, h *host, d *directory) (*callers, error) {
	cs := &callers{
		text: node.ID.String(),
		node: node, host: h, directory: d, group: member.NewGroup(ctx),
		waiting: make(map[uint64]*caller), watches: call.NewWatches(node.Closing), some: make(chan struct{}, 1), leaving: make(turns, mostAsked),
	}
	var err error
	if cs.replies, err = node.Conn.Subscribe(node.Conn.Inbox("actor.*.*"), "", cs.replied); err != nil {
		return nil, err
	}
	if cs.asked, err = node.Conn.Subscribe(node.Conn.NodeActors(node.ID.String()), "", cs.inquired); err != nil {
		return nil, err
	}
	node.Members.Watch(member.Watcher{Joined: func(member.Info) {}, Left: cs.left})
	cs.deaf = node.Conn.OnReconnect(cs.reconnected)
	cs.group.Go(cs.sendDirty)
	cs.group.Go(cs.tend)
	return cs, nil
}

// inbox is where words of one kind about one actor are sent.
func (cs *callers) inbox(number uint64, kind string) string {
	return cs.node.Conn.Inbox("actor." + strconv.FormatUint(number, 10) + "." + kind)
}

// submit makes a call of an actor's method.
func (cs *callers) submit(ctx context.Context, h *handle, m *method, t *call.Target, args call.Args, plain bool) *objstore.Object {
	if h.err != nil {
		return objstore.FailedObject(h.err)
	}
	return cs.launch(ctx, h, m, t, args, plain).Object
}

// launch is submit through a handle without an error.
func (cs *callers) launch(ctx context.Context, h *handle, m *method, t *call.Target, args call.Args, plain bool) *outgoing {
	if cs.node.Tracer != nil {
		args.Begin(ctx, cs.node, t)
	}
	out := &outgoing{caller: h.at(cs), method: m}
	out.Init(objstore.StoreOf(cs.node), t, args)
	out.Plain = plain
	out.TellOf(ctx, cs.node.Events, cs.text)
	out.Object.PromisedBy(out)
	cs.underway.Add()
	cs.watches.Bind(ctx, out) // before others know the call, and could end it
	cs.enter(out)
	if !out.Ready() {
		out.WhenReady(func(err error) {
			if err != nil {
				cs.cancel(out, err)
			} else {
				cs.makeReady(out)
			}
		})
	}
	return out
}

// enter notes a call, or ends one that cannot be made.
func (cs *callers) enter(out *outgoing) {
	cs.mu.Lock()
	defer cs.unlock()
	c := out.caller
	cs.countsOf(c).Made++
	switch {
	case out.ended: // its ctx has
		return
	case cs.closed:
		cs.refuse(out, bus.ErrClosed)
		return
	case c.state == dead:
		cs.refuse(out, c.err)
		return
	case c.class.pending > 0 && c.calls >= c.class.pending:
		cs.refuse(out, fmt.Errorf("%w: %d calls of actor %s have no result yet", task.ErrOverload, c.calls, c.id))
		return
	}
	if c.calls++; c.calls == 1 {
		cs.waiting[c.number] = c
	}
	out.entered, out.ready = true, out.Ready()
	if l := out.lane(); l.ordered || out.ready { // its place is where it was made; without an order it is where it became ready
		l.push(out)
	} else {
		l.setAside(out)
	}
	cs.find(c)
	if out.ready {
		cs.pumpOrWait(out)
	}
}

// refuse ends a call that was not sent.
func (cs *callers) refuse(out *outgoing, err error) {
	cs.end(out, objstore.Outcome{Err: fmt.Errorf("%s: %w", out.Target.Name, err)})
}

// makeReady notes that a call's arguments have values.
func (cs *callers) makeReady(out *outgoing) {
	cs.mu.Lock()
	defer cs.unlock()
	if out.ended {
		return
	}
	out.ready = true
	out.TellQueued(cs.node.Events, cs.text)
	if l := out.lane(); !out.queued {
		delete(l.unready, out)
		l.push(out)
	}
	cs.pumpOrWait(out)
}

// pumpOrWait sends a call that has become ready, unless it is to travel with others.
func (cs *callers) pumpOrWait(out *outgoing) {
	if c, l := out.caller, out.lane(); c.cell == nil && l.unanswered() >= promptCalls {
		cs.pumpSoon(c, l)
	} else {
		cs.pump(c, l)
	}
}

// end gives a call its outcome once callers is unlocked: whoever waits for it may call again.
func (cs *callers) end(out *outgoing, o objstore.Outcome) { cs.endWith(out, &o) }

// endWith is end with an outcome that nobody changes any more.
func (cs *callers) endWith(out *outgoing, o *objstore.Outcome) {
	if out.ended || o.Err != nil && cs.tryAgain(out, o.Err) {
		return
	}
	out.ended = true
	if out.patience != nil {
		out.patience.Stop()
	}
	if o.Err != nil && out.cancelled != nil {
		o.Err = out.cancelled
	}
	cs.countsOf(out.caller).end(o.Err)
	out.TellOver(cs.node.Events, cs.text, call.StateOf(o), o.Err)
	if out.entered {
		out.caller.calls--
		out.lane().forget(out)
	}
	cs.rest(out.caller)
	cs.underway.Done()
	cs.finished.Add(&out.Call, o)
}

// rest lets go of a caller that awaits nothing.
func (cs *callers) rest(c *caller) {
	if !c.awaits() {
		delete(cs.waiting, c.number)
	}
}

func (cs *callers) unlock() { cs.finished.Unlock(&cs.mu) }

// cancel ends a call with an error. One that was not sent never runs. One that was sent ends when its cell has confirmed that
// it will not begin any more, or that its ctx has ended, or has the result.
func (cs *callers) cancel(out *outgoing, err error) {
	cs.mu.Lock()
	defer cs.unlock()
	if out.ended || out.cancelled != nil {
		return
	}
	if out.visit != nil {
		if out.visit.withdraw(call.ErrCancelled) {
			cs.end(out, objstore.Outcome{Err: err})
		} else {
			out.cancelled = err // its outcome is about to be here
		}
		return
	}
	if out.sent && cs.sayCancelled(out) {
		out.cancelled = err
		out.patience = time.AfterFunc(controlTimeout, func() {
			cs.mu.Lock()
			defer cs.unlock()
			cs.end(out, objstore.Outcome{Err: err})
		})
		return
	}
	cs.end(out, objstore.Outcome{Err: err})
	cs.pump(out.caller, out.lane())
}

// overdue ends a call whose actor has been nowhere for so long.
func (cs *callers) overdue(out *outgoing, after time.Duration) {
	cs.mu.Lock()
	defer cs.unlock()
	if out.ended || out.sent || !out.ready || out.caller.state == alive {
		return
	}
	cs.end(out, objstore.Outcome{Err: fmt.Errorf("actor %s: %w: no node has had it in %v, and the call did not run: try later, or say with the header Manta-Deadline how long to wait",
		out.caller.id, call.ErrOverload, after)})
}

// sayCancelled tells the cell.
func (cs *callers) sayCancelled(out *outgoing) bool {
	frame := appendCancel(nil, sender{cs.node.ID, out.caller.number}, out.method.group, out.place)
	err := cs.node.Conn.Publish(cs.node.Conn.Actor(out.caller.id, controlCancel), "", frame)
	if err != nil {
		cs.node.Log.Info("a cancellation was not sent", logs.Class(out.caller.class.name), logs.Actor(out.caller.id), logs.Method(out.method.word), zap.Error(err))
	}
	return err == nil
}

// drain waits until every call has its outcome.
func (cs *callers) drain(ctx context.Context) error {
	if err := cs.underway.Await(ctx); err != nil {
		return fmt.Errorf("%d actor calls have no result yet: %w", cs.underway.Left(), err)
	}
	return nil
}

// close fails what has no outcome.
func (cs *callers) close() {
	_ = cs.replies.Unsubscribe() // its one error is that the connection is closed
	_ = cs.asked.Unsubscribe()
	cs.deaf()
	cs.group.Stop(bus.ErrClosed)
	cs.group.Wait()
	cs.mu.Lock()
	defer cs.unlock()
	cs.closed = true
	for _, c := range cs.waiting {
		c.each(func(out *outgoing) { cs.refuse(out, bus.ErrClosed) })
	}
}
