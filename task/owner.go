package task

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

const (
	// firstWindow bounds what a node is taken to have room for before it has said so.
	firstWindow = 1024
	// infeasibleAfter is how long a need that no node could ever meet waits for one to join.
	infeasibleAfter = 10 * time.Second
	// doorOpensWithin is how long a task knocks at a door where nobody is, while a node that serves it is known: NATS spreads
	// interest a moment after a node has joined.
	doorOpensWithin = 3 * time.Second
	// knockTimeout is how long a node may take to say that it has a task that knocked.
	knockTimeout = 3 * time.Second
	// probeFirst and probeLast bound the pause between two looks for room that no reply has told of.
	probeFirst = 10 * time.Millisecond
	probeLast  = 160 * time.Millisecond
	// tendInterval is how often lanes with a backlog or a knock are looked after.
	tendInterval = 10 * time.Millisecond
)

// owner is the submitting half of a node: it keeps the tasks that this process submitted until they have an outcome.
type owner struct {
	node    *member.Node
	group   *member.Group
	replies *bus.Subscription
	wake    chan struct{} // holds one token when lanes are to be tended

	submitted atomic.Int64
	underway  member.Tally // the pending ones

	mu       sync.Mutex
	closed   bool
	lanes    map[laneKey]*tendedLane
	numbers  []*tendedLane          // lanes by the number in their door's reply subject
	nodes    map[member.ID]server   // that are there
	pending  map[uint64]*submission // without an outcome, by number
	finished call.Finished          // outcomes to hand out once unlocked
}

// server is a node that is there, as its record says.
type server struct {
	id        member.ID
	functions []string
	total     member.Amounts
}

type laneKey struct{ function, need string }

// tendedLane is a lane with what needs a clock.
type tendedLane struct {
	*lane
	function string
	number   int
	pause    time.Duration // between probes
	probeAt  time.Time
	stuck    time.Time // since when there is a backlog that no known node could ever run; zero if there is none
}

// submission is a task that has no outcome yet.
type submission struct {
	call      *call.Call
	lane      *tendedLane // nil while arguments are awaited
	at        member.ID   // the node that has it, zero if none is known to
	sent      time.Time
	first     time.Time // when it first knocked
	cancelled bool      // finished here; where it runs it is still to end
}

func startOwner(ctx context.Context, node *member.Node) (*owner, error) {
	o := &owner{
		node: node, group: member.NewGroup(ctx), wake: make(chan struct{}, 1),
		lanes: make(map[laneKey]*tendedLane), nodes: make(map[member.ID]server), pending: make(map[uint64]*submission),
	}
	var err error
	if o.replies, err = node.Conn.Subscribe(node.Conn.Inbox("task.>"), "", o.replied); err != nil {
		return nil, err
	}
	o.group.Go(o.serve)
	node.Members.Watch(member.Watcher{Joined: o.joined, Left: o.left})
	return o, nil
}

// submit is the Submit of every function's target.
func submit(ctx context.Context, t *call.Target, args []call.Arg) *objstore.Object {
	scope, err := member.FromContext(ctx)
	if err != nil {
		return objstore.FailedObject(fmt.Errorf("%s: %w", t.Name, err))
	}
	return part.Of(scope.Node).owner.submit(ctx, call.New(scope.Node, t, args))
}

func (o *owner) submit(ctx context.Context, c *call.Call) *objstore.Object {
	s := &submission{call: c}
	c.Attempt = 1
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		c.Fail(fmt.Errorf("%s: %w", c.Target.Name, bus.ErrClosed))
		return c.Object
	}
	o.pending[c.Number()] = s
	o.underway.Add()
	o.mu.Unlock()
	o.submitted.Add(1)
	c.Bind(ctx, func(err error) { o.cancel(s, err) })
	c.WhenReady(func(err error) {
		if err != nil {
			o.cancel(s, err)
			return
		}
		o.enqueue(s)
	})
	return c.Object
}

// enqueue puts a task whose arguments are ready at the end of its lane.
func (o *owner) enqueue(s *submission) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s.cancelled {
		return
	}
	s.lane = o.laneOf(s.call.Target)
	s.lane.backlog.push(s)
	o.pump(s.lane)
}

func (o *owner) laneOf(t *call.Target) *tendedLane {
	key := laneKey{t.Name, t.Options.NeedKey}
	l := o.lanes[key]
	if l == nil {
		l = &tendedLane{lane: newLane(t.Options.Need), function: t.Name, number: len(o.numbers), pause: probeFirst}
		o.lanes[key] = l
		o.numbers = append(o.numbers, l)
		o.introduceAll(l)
	}
	return l
}

// pump sends what there is room for.
func (o *owner) pump(l *tendedLane) {
	for {
		s, node, ok := l.next()
		if !ok {
			break
		}
		if err := o.send(l, s, node); err != nil { // the connection is away: tend tries again
			o.node.Log.Info("a task was not sent", zap.String("task", l.function), zap.Error(err))
			if s.at != (member.ID{}) {
				l.done(s.at, 0)
				s.at = member.ID{}
			} else {
				l.unanswered()
			}
			l.refused = true
			l.backlog.pushFront(s)
			break
		}
	}
	o.rouse(l)
}

func (o *owner) send(l *tendedLane, s *submission, node member.ID) error {
	s.at, s.sent = node, time.Now()
	q := s.call.Request()
	frame := q.AppendTo(nil)
	if node == (member.ID{}) {
		if s.first.IsZero() {
			s.first = s.sent
		}
		return o.node.Conn.Publish(o.node.Conn.Work(l.function), o.doorReply(l), frame)
	}
	return o.node.Conn.Publish(o.node.Conn.NodeTask(node.String(), l.function), o.node.Conn.Inbox("task.node"), frame)
}

// end gives a task its outcome, once the owner is unlocked: whoever waits for it may call the owner.
func (o *owner) end(s *submission, out objstore.Outcome) {
	s.cancelled = true
	o.forget(s)
	o.finished.Add(s.call, out)
}

// unlock unlocks the owner and hands out the outcomes that came up meanwhile.
func (o *owner) unlock() { o.finished.Unlock(&o.mu) }

// under says whether the task is at a node or on its way there.
func (s *submission) under() bool { return s.at != (member.ID{}) || s.lane != nil && s.lane.door == s }

// forget drops a task that has its outcome and is nowhere under way.
func (o *owner) forget(s *submission) {
	if number := s.call.Number(); o.pending[number] == s {
		delete(o.pending, number)
		o.underway.Done()
	}
}

// cancel ends a task with an error wherever it is: one that waits will never run, one that runs is told to stop.
func (o *owner) cancel(s *submission, err error) {
	o.mu.Lock()
	defer o.unlock()
	s.cancelled = true
	o.finished.Add(s.call, objstore.Outcome{Err: err})
	if s.at != (member.ID{}) {
		o.tellCancelled(s)
	}
	if !s.under() {
		o.forget(s)
	}
}

func (o *owner) tellCancelled(s *submission) {
	frame := call.Cancel{Owner: o.node.ID, Number: s.call.Number()}.AppendTo(nil)
	if err := o.node.Conn.Publish(o.node.Conn.NodeTask(s.at.String(), s.lane.function), "", frame); err != nil {
		o.node.Log.Info("a cancellation was not sent", zap.String("task", s.lane.function), zap.Error(err))
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
	o.mu.Lock()
	o.closed = true
	pending := o.pending
	o.pending = make(map[uint64]*submission)
	o.mu.Unlock()
	_ = o.replies.Unsubscribe() // its one error is that the connection is closed
	o.group.Stop(bus.ErrClosed)
	o.group.Wait()
	for _, s := range pending {
		s.call.Fail(fmt.Errorf("%s: %w", s.call.Target.Name, bus.ErrClosed))
	}
}
