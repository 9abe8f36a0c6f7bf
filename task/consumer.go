package task

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// streamToken is what stands before a stream's number in the subject of its items.
const streamToken = "stream."

// consumers is the streams that a process reads.
type consumers struct {
	owner *owner
	items *bus.Subscription

	mu   sync.Mutex
	last uint64
	open map[uint64]*consumer
}

func startConsumers(o *owner) (*consumers, error) {
	cs := &consumers{owner: o, open: make(map[uint64]*consumer)}
	var err error
	cs.items, err = o.node.Conn.Subscribe(o.node.Conn.Inbox(streamToken+"*"), "", cs.heard)
	return cs, err
}

// close hears of no more items. Whoever reads a stream hears of the node's end by the task's outcome.
func (cs *consumers) close() {
	_ = cs.items.Unsubscribe() // its one error is that the connection is closed
}

// consumer is one stream where it is read.
type consumer struct {
	streams  *consumers
	function string
	task     *submission // nil if it could not be made
	number   uint64
	stop     context.CancelFunc // of the task
	ready    chan struct{}      // holds one token when an item has come, or the outcome

	mu     sync.Mutex
	in     intake
	over   bool // the task has its outcome, and nothing more comes
	err    error
	closed bool      // nobody reads any more
	spoke  time.Time // when the plain client that reads it last did
}

// openStream submits a call of a streaming function. The stream is its reader's to close.
func openStream(ctx context.Context, t *call.Target, arg call.Arg, plain bool) (*consumer, *member.Scope, error) {
	scope, err := member.Unconfined(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", t.Name, err)
	}
	if t.Options.Durable {
		return nil, nil, fmt.Errorf("%s: a streaming task cannot be durable: its items go to a reader that is there", t.Name)
	}
	cs := part.Of(scope.Node).owner.streams
	c := &consumer{streams: cs, function: t.Name, ready: make(chan struct{}, 1)}
	c.in.window = windowOf(&t.Options)
	cs.mu.Lock()
	cs.last++
	c.number = cs.last
	cs.open[c.number] = c
	cs.mu.Unlock()
	d := descriptor{c.in.window, c.number, cs.owner.node.Conn.Inbox(streamToken + strconv.FormatUint(c.number, 10))}
	target := *t
	target.Streams = true
	target.Submit = func(ctx context.Context, t *call.Target, args call.Args) *objstore.Object {
		c.task = cs.owner.submission(ctx, t, args, plain)
		cs.owner.launch(ctx, c.task)
		return c.task.Object
	}
	ctx, c.stop = context.WithCancel(ctx)
	cs.owner.store.When(call.Submit(ctx, &target, arg, call.Encoded(d.value())), c.ended)
	return c, scope, nil
}

func windowOf(o *call.Options) window {
	w := window{o.Ahead, o.AheadBytes}
	if w.ahead == 0 {
		w.ahead = defaultAhead
	}
	if w.bytes == 0 {
		w.bytes = defaultAheadBytes
	}
	return w
}

// close stops the task, if it has no outcome yet, and forgets the stream.
func (c *consumer) close() {
	c.streams.mu.Lock()
	delete(c.streams.open, c.number)
	c.streams.mu.Unlock()
	c.stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.in.rest() {
		c.streams.owner.store.Discard(p.item.id, p.item.outcome)
	}
	c.closed = true
}

// ended takes in the task's outcome: all its items have come.
func (c *consumer) ended(out objstore.Outcome) {
	c.mu.Lock()
	c.over, c.err = true, out.Err
	c.mu.Unlock()
	c.rouse()
}

func (c *consumer) rouse() {
	select {
	case c.ready <- struct{}{}:
	default:
	}
}

// next waits for an item. ok is false once there are no more, for the reason that err gives, if any.
func (c *consumer) next(ctx context.Context, scope *member.Scope) (v bus.Value, ok bool, err error) {
	for {
		if ctx.Err() != nil {
			return v, false, fmt.Errorf("%s: %w", c.function, call.Ending(ctx))
		}
		i, over, err := c.poll()
		switch {
		case i != nil:
			c.took(i.seq)
			v, err = c.open(ctx, i)
			return v, err == nil, err
		case over:
			return v, false, err
		}
		if scope.Await(ctx, c.ready) != nil {
			return v, false, fmt.Errorf("%s: %w", c.function, call.Ending(ctx))
		}
	}
}

// poll hands out an item if one is there; over says that no more come, and err why.
func (c *consumer) poll() (i *item, over bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i = c.in.next(); i != nil {
		return i, false, nil
	}
	return nil, c.over, c.err
}

// open returns the value of an item.
func (c *consumer) open(ctx context.Context, i *item) (bus.Value, error) {
	if i.outcome.Blob == nil {
		return i.outcome.Value, i.outcome.Err
	}
	return c.streams.owner.store.Take(ctx, i.id, i.outcome)
}

// took notes that the items up to a number are used, and gives the producer credit for more.
func (c *consumer) took(seq uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.in.take(seq) && !c.over && !c.closed {
		c.tell(c.in.credit(false))
	}
}

// tell sends a word to the producer; the consumer is locked. One that is lost is asked for.
func (c *consumer) tell(word credit) {
	key := producerKey{c.streams.owner.node.ID, c.number, c.in.attempt}
	c.streams.publish(c.streams.owner.node.Conn.NodeTask(c.in.host.String(), c.function), word, key)
}

func (cs *consumers) publish(subject string, word credit, key producerKey) {
	if err := cs.owner.node.Conn.Publish(subject, "", word.appendTo(nil, key)); err != nil {
		cs.owner.node.Log.Debug("a credit was not sent", zap.Error(err))
	}
}

// heard takes in what a producer says.
func (cs *consumers) heard(msg *bus.Msg) {
	m, err := readProducerMessage(msg.Data)
	if err != nil {
		cs.owner.node.Reject(msg, err)
		return
	}
	number, _ := strconv.ParseUint(bus.LastToken(msg.Subject), 10, 64) // 0 is no stream's
	cs.mu.Lock()
	c := cs.open[number]
	cs.mu.Unlock()
	if c != nil && c.heard(&m) {
		return
	}
	cs.owner.store.Decline(m.item.outcome.Refs())
	if m.kind == questionFrame {
		if _, _, ok := cs.owner.node.Conn.ParseNodeTask(msg.Reply); !ok {
			cs.owner.node.Reject(msg, bus.ErrNoReply)
			return
		}
		cs.publish(msg.Reply, credit{stop: true}, producerKey{cs.owner.node.ID, number, m.attempt})
	}
}

// heard takes in what a producer says. It returns false for one whose items nobody wants any more.
func (c *consumer) heard(m *producerMessage) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.in.late(m.streamHeader) {
		return false
	}
	c.in.heed(m.streamHeader)
	if m.kind == questionFrame {
		c.tell(c.in.asked(m.sent))
		return true
	}
	before := c.in.received
	if c.in.came(m.item) {
		c.tell(c.in.credit(true))
	}
	if c.in.received > before {
		c.streams.owner.store.Arrive(m.item.outcome.Refs())
	}
	c.rouse()
	return true
}
