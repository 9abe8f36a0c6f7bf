package bus

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// publishWindow is how many messages of a publisher may be under way: a tenth of what JetStream queues for a stream that is slow.
	publishWindow = 2048
	// publishAgain is how long an acknowledgement may take before the message is sent again.
	publishAgain = 5 * time.Second
)

// repeatedHeader marks a message that was sent more than once.
const repeatedHeader = "Manta-Repeated"

// Publisher stores messages in streams, many under way at a time. What is not acknowledged is sent again, after a reconnect and after a while, so
// each must be one that the stream refuses the second time, or does no harm twice.
//
//	queued ─► under way ⇄ sent again ─► acknowledged or refused
type Publisher struct {
	conn  *Conn
	inbox string
	sub   *Subscription
	woken chan struct{} // holds one: there is something to send

	mu     sync.Mutex
	last   uint64
	queue  []*outgoing // not sent yet, from head
	batch  []*outgoing // room for those that are being sent; Serve's alone
	head   int
	sent   map[uint64]*outgoing
	again  bool // all under way are to be sent again
	closed bool
}

// outgoing is one message.
type outgoing struct {
	msg     *Msg
	wanted  func() error // nil, or says why it is not to be sent any more
	done    func(stored error, again bool)
	sentAt  time.Time
	repeats int
}

// NewPublisher makes a publisher, whose acknowledgements come beneath a reply subject of this connection. Serve must run as long as it is used.
func (c *Conn) NewPublisher(token string) (*Publisher, error) {
	p := &Publisher{conn: c, inbox: c.Inbox(token) + ".", woken: make(chan struct{}, 1), sent: make(map[uint64]*outgoing)}
	var err error
	p.sub, err = c.Subscribe(p.inbox+"*", "", p.heard)
	return p, err
}

// Publish sends a message as soon as there is room, and calls done once: with nil when it is stored, else with what was wrong. again says that it
// was sent more than once. wanted, if not nil, is asked right before it is first sent. It never blocks; neither must done, which may call Publish.
func (p *Publisher) Publish(msg *Msg, wanted func() error, done func(stored error, again bool)) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		done(ErrClosed, false)
		return
	}
	p.queue = append(p.queue, &outgoing{msg: msg, wanted: wanted, done: done})
	p.mu.Unlock()
	p.wake()
}

// Store is Publish for who waits.
func (p *Publisher) Store(ctx context.Context, msg *Msg) error {
	stored := make(chan error, 1)
	p.Publish(msg, nil, func(err error, _ bool) { stored <- err })
	select {
	case err := <-stored:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *Publisher) wake() {
	select {
	case p.woken <- struct{}{}:
	default:
	}
}

// Serve sends what is queued until ctx ends, and fails what is left then.
func (p *Publisher) Serve(ctx context.Context) {
	defer p.close()
	stop := p.conn.OnReconnect(func() {
		p.mu.Lock()
		p.again = true
		p.mu.Unlock()
		p.wake()
	})
	defer stop()
	tick := time.NewTicker(publishAgain / 5)
	defer tick.Stop()
	for {
		clock := tick.C
		if p.idle() {
			clock = nil
		}
		select {
		case <-ctx.Done():
			return
		case <-p.woken:
			p.pump()
		case <-clock:
			p.repeat(publishAgain)
		}
	}
}

// sendAtOnce is how many messages are sent without a look at what is wanted any more.
const sendAtOnce = 256

// pump sends what there is room for. Like repeat it is Serve's alone, so messages keep their order, and nobody who publishes waits for the network.
func (p *Publisher) pump() {
	p.mu.Lock()
	again := p.again
	p.again = false
	p.mu.Unlock()
	if again {
		p.repeat(0)
	}
	for p.sendSome() {
	}
}

// sendSome sends some of the queue, and says whether there is more to send.
func (p *Publisher) sendSome() bool {
	p.mu.Lock()
	n := min(len(p.queue)-p.head, publishWindow-len(p.sent), sendAtOnce)
	if n <= 0 {
		p.mu.Unlock()
		return false
	}
	some := append(p.batch[:0], p.queue[p.head:p.head+n]...)
	p.batch = some
	clear(p.queue[p.head : p.head+n])
	if p.head += n; p.head == len(p.queue) {
		p.queue, p.head = p.queue[:0], 0
	}
	p.mu.Unlock()
	for i, out := range some { // whoever is asked may publish
		if out.wanted != nil {
			if err := out.wanted(); err != nil {
				some[i] = nil
				out.done(err, false)
			}
		}
	}
	p.mu.Lock()
	now := time.Now()
	for _, out := range some {
		if out != nil {
			p.last++
			p.sent[p.last] = out
			out.sentAt, out.msg.Reply = now, p.inbox+strconv.FormatUint(p.last, 10)
		}
	}
	p.mu.Unlock()
	for i, out := range some {
		if out != nil {
			_ = p.conn.PublishMsg(out.msg) // that the connection is away is found by repeat
		}
		some[i] = nil
	}
	return true
}

// repeat sends again what has been under way for a while.
func (p *Publisher) repeat(after time.Duration) {
	now := time.Now()
	var late []*outgoing
	p.mu.Lock()
	for _, out := range p.sent {
		if now.Sub(out.sentAt) >= after {
			out.sentAt = now
			out.repeats++
			late = append(late, out)
		}
	}
	p.mu.Unlock()
	for _, out := range late {
		if out.msg.Header == nil {
			out.msg.Header = make(nats.Header)
		}
		out.msg.Header.Set(repeatedHeader, "1")
		_ = p.conn.PublishMsg(out.msg)
	}
}

// heard takes in an acknowledgement.
func (p *Publisher) heard(msg *Msg) {
	number, err := strconv.ParseUint(msg.Subject[len(p.inbox):], 10, 64)
	if err != nil {
		return
	}
	_, refused := readAck(msg)
	p.mu.Lock()
	out := p.sent[number]
	if out == nil || notNow(refused) && out.repeats < 3 { // repeat has it sent again
		p.mu.Unlock()
		return
	}
	delete(p.sent, number)
	waits, again := p.head < len(p.queue), out.repeats > 0
	p.mu.Unlock()
	if waits {
		p.wake()
	}
	out.done(refused, again)
}

// idle says whether nothing is under way.
func (p *Publisher) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.sent) == 0
}

// Left is how many messages have no acknowledgement yet.
func (p *Publisher) Left() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.sent) + len(p.queue) - p.head
}

// close fails what is left.
func (p *Publisher) close() {
	_ = p.sub.Unsubscribe() // its one error is that the connection is closed
	p.mu.Lock()
	left := p.queue[p.head:]
	for _, out := range p.sent {
		left = append(left, out)
	}
	p.closed, p.queue, p.head, p.sent = true, nil, 0, map[uint64]*outgoing{}
	p.mu.Unlock()
	for _, out := range left {
		out.done(ErrClosed, out.repeats > 0)
	}
}
