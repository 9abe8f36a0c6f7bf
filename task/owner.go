package task

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/logs"
	"manta/internal/member"
	"manta/objstore"
)

const (
	// firstWindow bounds what a node is taken to have room for before it has said so.
	firstWindow = 1024
	// promptly is how many tasks of a lane may be under way for the next one to be sent by whoever submits it; beyond that a goroutine
	// of the owner's sends, so that what is submitted meanwhile travels together.
	promptly = 16
	// lookEvery is how often lanes with tasks under way or queued are looked after.
	lookEvery = 50 * time.Millisecond
)

// owner is the submitting half of a node: it keeps the tasks that this process submitted until they have an outcome.
type owner struct {
	node     *member.Node
	store    *objstore.Store
	group    *member.Group
	watches  *call.Watches
	replies  *bus.Subscription
	asked    *bus.Subscription // why a task has no outcome yet
	streams  *consumers
	workers  *workers
	lineages *lineages
	origin   time.Time
	maxBatch int
	text     string // the node's id

	infeasibleAfter time.Duration // negative: for ever

	wake    chan struct{} // holds one token when lanes are to be pumped
	looking chan struct{} // holds one token when lanes are to be looked after
	alarm   *time.Timer   // runs while tasks pause, until the next one is due

	results []result // room for those of one reply: replies are heard one at a time

	underway member.Tally // tasks without an outcome

	mu          sync.Mutex
	closed      bool
	counts      member.Named[Submissions]
	lanes       map[laneKey]*lane
	numbered    []*lane           // nil for one that is forgotten
	bounds      map[string]*bound // the placement groups to which lanes are bound
	latest      *call.Target      // and its lane: most tasks are of the function of the one before
	latestLane  *lane
	toPump      []*lane
	watched     bool // serve looks after the lanes
	servers     map[member.ID]server
	departed    map[member.ID]bool        // nodes that were there
	lostAt      map[*submission]member.ID // of tasks that were lost and tried again: the node of the last loss
	finished    call.Finished             // outcomes to hand out once unlocked
	waiting     map[*submission]struct{}  // for arguments
	pauses      pauses                    // of tasks that failed, until they are tried again
	reconnected moment
	frame       []byte
}

// What stands before a lane's number in its reply subjects. "Nobody is there" says no more than the subject of a message and this: whose
// it was, and whether it was a frame to a node, a ping, or a knock.
const (
	nodeToken = "task."
	pingToken = "task.ping."
	doorToken = "task.door."
)

type laneKey struct{ function, need, place string }

func startOwner(ctx context.Context, node *member.Node, cfg Config) (*owner, error) {
	o := &owner{
		node: node, store: objstore.StoreOf(node), group: member.NewGroup(ctx), watches: call.NewWatches(node.Closing),
		origin: time.Now(), maxBatch: cfg.MaxBatch, text: node.ID.String(), infeasibleAfter: cmp.Or(cfg.InfeasibleAfter, infeasibleAfter),
		wake: make(chan struct{}, 1), looking: make(chan struct{}, 1), alarm: time.NewTimer(0),
		lanes: make(map[laneKey]*lane), bounds: make(map[string]*bound), servers: make(map[member.ID]server), waiting: make(map[*submission]struct{}),
		departed: make(map[member.ID]bool), lostAt: make(map[*submission]member.ID),
	}
	o.alarm.Stop()
	o.lineages = newLineages(o, cfg.LineageBudget)
	o.store.SetLineage(o.lineages)
	var err error
	if o.replies, err = node.Conn.Subscribe(node.Conn.Inbox("task.>"), "", o.heard); err != nil {
		return nil, err
	}
	if o.asked, err = node.Conn.Subscribe(node.Conn.NodeWhy(node.ID.String()), "", o.answerWhy); err != nil {
		return nil, err
	}
	if o.streams, err = startConsumers(o); err != nil {
		return nil, err
	}
	if o.workers, err = startWorkers(o); err != nil {
		return nil, err
	}
	o.group.Go(o.serve)
	o.group.Go(o.look)
	node.Members.Watch(member.Watcher{Joined: o.joined, Left: o.left})
	node.Conn.OnReconnect(o.back)
	return o, nil
}

func (o *owner) now() moment { return time.Since(o.origin) }

// ownerOf returns the owner of a submission.
func ownerOf(s *submission) *owner { return part.Of(s.Object.Store().Node()).owner }

// submit is the Submit of every function's target.
func submit(ctx context.Context, t *call.Target, args call.Args) *objstore.Object {
	scope, err := member.FromContext(ctx)
	if err != nil {
		return objstore.FailedObject(fmt.Errorf("%s: %w", t.Name, err))
	}
	if asker := part.Of(scope.Node).asker; asker != nil {
		return asker.submit(ctx, t, args)
	}
	if t.Options.Durable {
		return part.Of(scope.Node).durables.submit(ctx, t, args)
	}
	return part.Of(scope.Node).owner.submit(ctx, t, args, false)
}

func (o *owner) submit(ctx context.Context, t *call.Target, args call.Args, plain bool) *objstore.Object {
	s := o.submission(ctx, t, args, plain)
	o.launch(ctx, s)
	return s.Object
}

// submission makes a task that is still to be launched.
func (o *owner) submission(ctx context.Context, t *call.Target, args call.Args, plain bool) *submission {
	if o.node.Tracer != nil {
		args.Begin(ctx, o.node, t)
	}
	s := &submission{}
	s.Init(o.store, t, args)
	s.Plain = plain
	s.Object.PromisedBy(s)
	return s
}

// launch has a task run as soon as its arguments have values, unless ctx ends before.
func (o *owner) launch(ctx context.Context, s *submission) {
	s.TellOf(ctx, o.node.Events, o.text)
	o.watches.Bind(ctx, s)
	if s.Ready() {
		o.enqueue(s)
		return
	}
	if !o.await(s) {
		return
	}
	s.WhenReady(func(err error) {
		if err != nil {
			o.cancel(s, err)
			return
		}
		o.enqueue(s)
	})
}

// await notes a task that waits for arguments, unless it has ended already: its ctx may have, and the owner may be closed.
func (o *owner) await(s *submission) bool {
	o.mu.Lock()
	defer o.unlock()
	if o.closed {
		o.end(s, &objstore.Outcome{Err: fmt.Errorf("%s: %w", s.Target.Name, bus.ErrClosed)})
	}
	if s.ended {
		return false
	}
	counts := o.counts.Of(s.Target.Name)
	o.count(s, counts)
	o.waiting[s] = struct{}{}
	counts.Waiting++
	return true
}

// enqueue puts a task whose arguments are ready at the end of its lane.
func (o *owner) enqueue(s *submission) {
	o.mu.Lock()
	defer o.unlock()
	if !s.Ready() {
		o.endWait(s)
	}
	switch {
	case s.ended:
		return
	case o.closed:
		o.end(s, &objstore.Outcome{Err: fmt.Errorf("%s: %w", s.Target.Name, bus.ErrClosed)})
		return
	}
	l := o.laneOf(s.Target)
	s.lane = l
	o.count(s, l.counts)
	o.tellQueued(s)
	switch {
	case l.bound != nil && l.bound.denies(l) != nil:
		o.end(s, &objstore.Outcome{Err: l.bound.denies(l)})
	case !l.add(s):
	case l.inflight < promptly:
		o.pump(l)
	default:
		o.pumpSoon(l)
	}
}

// count enters a task among those without an outcome.
func (o *owner) count(s *submission, counts *Submissions) {
	if !s.counted {
		s.counted = true
		counts.enter(s.again)
		o.underway.Add()
	}
}

// endWait takes a task out of those that wait for arguments, if it is one.
func (o *owner) endWait(s *submission) {
	if _, waits := o.waiting[s]; waits {
		delete(o.waiting, s)
		o.counts.Of(s.Target.Name).Waiting--
	}
}

func (o *owner) laneOf(t *call.Target) *lane {
	if t == o.latest {
		return o.latestLane
	}
	key := laneKey{t.Name, t.Options.NeedKey, t.Options.PlaceKey}
	l := o.lanes[key]
	if l == nil {
		l = newLane(t.Name, uint64(len(o.numbered)), needOf(&t.Options), o, o.maxBatch)
		l.placing, l.streams, l.counts = t.Options.Placing, t.Streams, o.counts.Of(t.Name)
		number := strconv.FormatUint(l.number, 10)
		l.nodeReply, l.pingReply = o.node.Conn.Inbox(nodeToken+number), o.node.Conn.Inbox(pingToken+number)
		l.doorSubject, l.doorReply = o.node.Conn.Work(t.Name), o.node.Conn.Inbox(doorToken+number)
		o.lanes[key] = l
		o.numbered = append(o.numbered, l)
		o.bind(l, key, &t.Options)
		for _, n := range o.servers {
			o.introduce(l, n)
		}
		o.workers.introduce(l)
	}
	o.latest, o.latestLane = t, l
	return l
}

// pump sends what there is room for.
func (o *owner) pump(l *lane) {
	l.pump(o.now())
	o.watch(l)
}

// watch makes serve look after a lane that waits for something.
func (o *owner) watch(l *lane) {
	if !o.watched && l.restless() {
		o.watched = true
		o.looking <- struct{}{} // there is room: it holds one token at most while watched
	}
}

// pumpSoon has the lane pumped by the owner's goroutine.
func (o *owner) pumpSoon(l *lane) {
	if l.queued {
		return
	}
	l.queued = true
	o.toPump = append(o.toPump, l)
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// serve pumps lanes to which much is submitted, and has tasks tried again that have paused.
func (o *owner) serve(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.alarm.C:
			o.resume()
			continue
		case <-o.wake:
		}
		o.mu.Lock()
		for _, l := range o.toPump {
			l.queued = false
			o.pump(l)
		}
		o.toPump = o.toPump[:0]
		o.unlock()
	}
}

// end gives a task its outcome, once the owner is unlocked: whoever waits for it may call the owner.
func (o *owner) end(s *submission, out *objstore.Outcome) {
	if s.ended {
		return
	}
	s.ended = true
	if s.Attempt > 1 {
		delete(o.lostAt, s)
	}
	if s.again && out.Err != nil {
		out = &objstore.Outcome{Err: o.lineages.failedAgain(s, out.Err)}
	}
	if s.counted {
		o.countsOf(s).end(out.Err, s.again)
		o.underway.Done()
	}
	o.tellOver(s, call.StateOf(out), out.Err)
	o.finished.Add(&s.Call, out)
}

// unlock unlocks the owner and hands out the outcomes that came up meanwhile.
func (o *owner) unlock() { o.finished.Unlock(&o.mu) }

// cancel ends a task with an error wherever it is: one that waits will never run, one that runs is told to stop.
func (o *owner) cancel(s *submission, err error) {
	o.mu.Lock()
	defer o.unlock()
	o.drop(s, err)
}

// drop is cancel with the owner locked.
func (o *owner) drop(s *submission, err error) {
	o.endWait(s)
	if s.ended {
		return
	}
	if p := o.pauses.drop(s); p != nil {
		s.lane.counts.Pausing--
		o.end(s, &objstore.Outcome{Err: p.cut(err)})
		return
	}
	o.end(s, &objstore.Outcome{Err: err})
	if s.lane != nil {
		s.lane.cancel(s)
	}
}

// drain waits until every task has an outcome.
func (o *owner) drain(ctx context.Context) error {
	if err := o.underway.Await(ctx); err != nil {
		return fmt.Errorf("%d submitted tasks have no result yet: %w", o.underway.Left(), err)
	}
	return nil
}

// close fails what has no outcome.
func (o *owner) close() {
	_ = o.replies.Unsubscribe() // its one error is that the connection is closed
	_ = o.asked.Unsubscribe()
	o.streams.close()
	o.workers.close()
	o.group.Stop(bus.ErrClosed)
	o.group.Wait()
	o.mu.Lock()
	defer o.unlock()
	o.closed = true
	fail := func(s *submission) {
		o.end(s, &objstore.Outcome{Err: fmt.Errorf("%s: %w", s.Target.Name, bus.ErrClosed)})
	}
	for s := range o.waiting {
		fail(s)
	}
	for s := range o.pauses.of {
		fail(s)
	}
	o.pauses = pauses{}
	for _, l := range o.lanes {
		l.each(fail)
	}
}

// logUnsent notes that the connection is away: pings find out what did not arrive.
func (o *owner) logUnsent(l *lane, err error) {
	o.node.Log.Debug("a frame was not sent", logs.Task(l.function), zap.Error(err))
}
