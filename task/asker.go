package task

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/logs"
	"manta/internal/member"
	"manta/internal/plain"
	"manta/objstore"
)

const (
	// askAtOnce is how many questions of one asker have no answer at a time; those behind them wait here.
	askAtOnce = 256
	// askerTick is how often it looks at the clock; askerSilence is how long a node may show no sign of life before it counts as lost.
	askerTick    = 250 * time.Millisecond
	askerSilence = 4 * plain.AliveEvery
)

// asker is the submitting half of a node that is confined. It asks for tasks as plain NATS clients do, so that it needs no right but to
// publish to the doors of the functions that it may call: the node that gets a request owns the task.
//
//	queued ─► asked ─► signs of life … ─► answered
//	  ▲         ├── overload, not sent ─► resting ─► queued
//	  └─────────┴── silence: asked again if retries are left, else lost
type asker struct {
	node     *member.Node
	store    *objstore.Store
	group    *member.Group
	watches  *call.Watches
	answers  *bus.Subscription
	underway member.Tally

	mu       sync.Mutex
	closed   bool
	counts   member.Named[Submissions]
	last     uint64 // number of the newest question
	waiting  map[*question]struct{}
	queue    []*question
	resting  []*question // that did not run, and are asked again at the next tick
	open     map[uint64]*question
	finished call.Finished // outcomes to hand out once unlocked
}

// question is one task that is asked for.
type question struct {
	call.Call
	asker *asker
	args  []bus.Value

	format  bus.Format // of its arguments as they are sent
	number  uint64     // of the newest time that it was asked
	heard   time.Time  // when it was last asked, or heard of
	control string     // where to answer signs of life; empty before the first
	ended   bool       // it has its outcome; who does it is still to hear of that
}

func startAsker(ctx context.Context, node *member.Node) (*asker, error) {
	a := &asker{
		node: node, store: objstore.StoreOf(node), group: member.NewGroup(ctx), watches: call.NewWatches(node.Closing),
		waiting: make(map[*question]struct{}), open: make(map[uint64]*question),
	}
	var err error
	if a.answers, err = node.Conn.Subscribe(node.Conn.Inbox("ask.*"), "", a.answered); err != nil {
		return nil, err
	}
	node.Conn.OnDenied(a.denied)
	a.group.Go(a.serve)
	return a, nil
}

func (a *asker) submit(ctx context.Context, t *call.Target, args call.Args) *objstore.Object {
	if t.Options.Durable {
		return objstore.FailedObject(fmt.Errorf("durable task %q: %w", t.Name, bus.ErrConfined))
	}
	if a.node.Tracer != nil {
		args.Begin(ctx, a.node, t)
	}
	q := &question{asker: a, format: bus.Msgpack}
	q.Init(a.store, t, args)
	q.Object.PromisedBy(q)
	a.mu.Lock()
	a.underway.Add()
	a.counts.Of(t.Name).enter(false)
	a.waiting[q] = struct{}{}
	a.mu.Unlock()
	a.watches.Bind(ctx, q)
	q.WhenReady(func(err error) {
		if err != nil {
			a.fail(q, err)
			return
		}
		a.enqueue(q)
	})
	return q.Object
}

// Ended implements call.Bound.
func (q *question) Ended(err error) { q.asker.fail(q, err) }

// Cancel implements objstore.Promiser.
func (q *question) Cancel() { q.Ended(q.Cancelled()) }

var _ objstore.Promiser = (*question)(nil)

func (a *asker) unlock() { a.finished.Unlock(&a.mu) }

// enqueue asks for a task whose arguments are ready, when its turn comes.
func (a *asker) enqueue(q *question) {
	args, err := call.WireArgs(q.Entry().Args).List()
	a.mu.Lock()
	defer a.unlock()
	delete(a.waiting, q)
	switch {
	case a.closed:
		err = bus.ErrClosed
	case err == nil:
		for _, arg := range args {
			q.args = append(q.args, arg.Value)
		}
		a.queue = append(a.queue, q)
		a.pump(time.Now())
		return
	}
	a.end(q, objstore.Outcome{Err: fmt.Errorf("%s: %w", q.Target.Name, err)})
}

// pump asks for those whose turn it is; the asker is locked.
func (a *asker) pump(now time.Time) {
	for len(a.queue) > 0 && len(a.open) < askAtOnce {
		q := a.queue[0]
		a.queue[0], a.queue = nil, a.queue[1:]
		if !q.ended {
			a.ask(q, now)
		}
	}
}

// ask asks once; the asker is locked.
func (a *asker) ask(q *question, now time.Time) {
	a.last++
	msg, err := plain.Ask(a.node.Conn.Task(q.Target.Name), a.node.Conn.Inbox("ask."+strconv.FormatUint(a.last, 10)), q.args, q.format)
	if err != nil {
		a.end(q, objstore.Outcome{Err: fmt.Errorf("%s: %w", q.Target.Name, err)})
		return
	}
	e := q.Entry()
	e.Trace().Put(msg)
	err = a.node.Conn.PublishMsg(msg)
	if errors.Is(err, bus.ErrClosed) || errors.Is(err, bus.ErrMessageSize) { // for good: the server takes the credentials no more, say
		a.end(q, objstore.Outcome{Err: fmt.Errorf("%s: %w", q.Target.Name, err)})
		return
	}
	if err != nil { // the connection is away
		a.node.Log.Debug("a request was not sent", logs.Task(q.Target.Name), zap.Error(err))
		a.resting = append(a.resting, q)
		return
	}
	q.number, q.heard, q.control = a.last, now, ""
	a.open[q.number] = q
}

// answered takes in answers, signs of life, and NATS's word that nobody is there.
func (a *asker) answered(msg *bus.Msg) {
	number, err := strconv.ParseUint(bus.LastToken(msg.Subject), 10, 64)
	if err != nil {
		return
	}
	a.mu.Lock()
	defer a.unlock()
	q := a.open[number]
	switch {
	case q == nil:
	case plain.Alive(msg):
		q.heard = time.Now()
		if a.node.Conn.Answerable(msg.Reply) {
			q.control = msg.Reply
		}
		if q.ended && q.control != "" {
			a.stop(q)
		}
	default:
		delete(a.open, number)
		a.conclude(q, msg)
		a.pump(time.Now())
	}
}

// conclude takes in the last answer to a question; the asker is locked.
func (a *asker) conclude(q *question, msg *bus.Msg) {
	if _, unserved := bus.Unserved(msg); unserved {
		a.end(q, objstore.Outcome{Err: fmt.Errorf("task %q: %w", q.Target.Name, ErrNotRegistered)})
		return
	}
	value, err := plain.Answered(msg, q.Target.Name, int(q.Attempt))
	switch {
	case q.ended:
	case errors.Is(err, ErrArgument) && q.format != bus.JSON && !plain.FromNode(msg): // a worker may read JSON alone
		q.format = bus.JSON
		a.queue = append(a.queue, q)
	case errors.Is(err, ErrOverload):
		a.resting = append(a.resting, q)
	case errors.Is(err, bus.ErrClosed):
		a.lost(q)
	default:
		a.end(q, objstore.Outcome{Value: value, Err: err})
	}
}

// lost has a task asked for again that may have run, or fails it; the asker is locked.
func (a *asker) lost(q *question) {
	if _, retry := again(&q.Target.Options, int(q.Attempt), nil, 0); retry && !q.ended {
		q.Retry(ErrWorkerLost)
		a.counts.Of(q.Target.Name).RetriedLost++
		a.queue = append(a.queue, q)
		return
	}
	a.end(q, objstore.Outcome{Err: fmt.Errorf("task %q, attempt %d, may have run: %w", q.Target.Name, q.Attempt, ErrWorkerLost)})
}

// stop tells whoever does a task that nobody wants it; the asker is locked.
func (a *asker) stop(q *question) {
	delete(a.open, q.number)
	if err := a.node.Conn.Publish(q.control, "", []byte(plain.StopWord)); err != nil { // the node finds the client gone
		a.node.Log.Debug("a task was not cancelled", logs.Task(q.Target.Name), zap.Error(err))
	}
}

// end gives a task its outcome, once the asker is unlocked.
func (a *asker) end(q *question, out objstore.Outcome) {
	if !q.ended {
		q.ended = true
		a.counts.Of(q.Target.Name).end(out.Err, false)
		a.underway.Done()
		a.finished.Add(&q.Call, &out)
	}
}

// fail ends a task, wherever it is.
func (a *asker) fail(q *question, err error) {
	a.mu.Lock()
	defer a.unlock()
	delete(a.waiting, q)
	a.end(q, objstore.Outcome{Err: err})
	if a.open[q.number] == q && q.control != "" {
		a.stop(q)
	}
}

// denied fails the tasks of a function that this user may not call. They reached nobody.
func (a *asker) denied(subject string, err error) {
	a.mu.Lock()
	defer a.unlock()
	for number, q := range a.open {
		if a.node.Conn.Task(q.Target.Name) == subject {
			delete(a.open, number)
			a.end(q, objstore.Outcome{Err: fmt.Errorf("task %q: %w", q.Target.Name, err)})
		}
	}
	a.pump(time.Now())
}

// serve looks at the clock until ctx ends.
func (a *asker) serve(ctx context.Context) {
	tick := time.NewTicker(askerTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			a.look(now)
		}
	}
}

// look takes silent nodes for lost, and asks again for what has rested.
func (a *asker) look(now time.Time) {
	a.mu.Lock()
	defer a.unlock()
	for number, q := range a.open {
		if now.Sub(q.heard) > askerSilence {
			delete(a.open, number)
			a.lost(q)
		}
	}
	a.queue, a.resting = append(a.queue, a.resting...), nil
	a.pump(now)
}

// why says in words why a task has no outcome yet.
func (a *asker) why(id objstore.ID) string {
	a.mu.Lock()
	defer a.unlock()
	for _, q := range a.open {
		if q.Object.ID() == id {
			return fmt.Sprintf("a node was asked for %q, and heard of %v ago", q.Target.Name, time.Since(q.heard).Round(time.Millisecond))
		}
	}
	return "it is not among the tasks that were asked for and not answered"
}

func (a *asker) drain(ctx context.Context) error {
	if err := a.underway.Await(ctx); err != nil {
		return fmt.Errorf("%d submitted tasks have no result yet: %w", a.underway.Left(), err)
	}
	return nil
}

// close fails what has no outcome, and has it cancelled.
func (a *asker) close() {
	a.group.Stop(bus.ErrClosed)
	a.group.Wait()
	_ = a.answers.Unsubscribe() // its one error is that the connection is closed
	a.mu.Lock()
	defer a.unlock()
	a.closed = true
	fail := func(q *question) {
		a.end(q, objstore.Outcome{Err: fmt.Errorf("%s: %w", q.Target.Name, bus.ErrClosed)})
	}
	for q := range a.waiting {
		fail(q)
	}
	for _, q := range append(a.queue, a.resting...) {
		fail(q)
	}
	for _, q := range a.open {
		if fail(q); q.control != "" {
			a.stop(q)
		}
	}
	a.queue, a.resting = nil, nil
}
