package bus

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// pullFor is how long JetStream keeps a request for messages; one that it lost, since a leader changed, is missed after that and a little.
const (
	pullFor   = 5 * time.Second
	pullGrace = time.Second
	pullPause = 100 * time.Millisecond // after "nobody is there"
)

// Fetch takes messages of a queue's consumer, as many as it asks for.
type Fetch struct {
	queue   *Queue
	subject string // where requests go
	inbox   string
	sub     *Subscription
	deliver func(Delivery)
	empty   func() // credit has come to an end without messages

	mu    sync.Mutex
	last  uint64
	asked map[uint64]*credit
	until time.Time // ask for nothing before
}

// credit is what is left of one request.
type credit struct {
	left  int
	until time.Time
}

// Fetch begins to take messages: deliver is called with each, in order, and must not block; empty when a request has ended by itself.
func (q *Queue) Pull(consumer string, deliver func(Delivery), empty func()) (*Fetch, error) {
	p := &Fetch{
		queue: q, subject: "$JS.API.CONSUMER.MSG.NEXT." + q.name + "." + consumer, inbox: q.conn.nextInbox(), deliver: deliver, empty: empty,
		asked: make(map[uint64]*credit),
	}
	var err error
	p.sub, err = q.conn.Subscribe(p.inbox+"*", "", p.heard)
	return p, err
}

// nextInbox returns the root of reply subjects that nobody else uses.
func (c *Conn) nextInbox() string {
	return c.Inbox("pull." + strconv.FormatInt(c.inboxes.Add(1), 10) + ".")
}

// Asked is how many messages were asked for and have not come. What JetStream has not answered in time it has forgotten.
func (p *Fetch) Asked() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for number, c := range p.asked {
		if now.After(c.until) {
			delete(p.asked, number)
			continue
		}
		n += c.left
	}
	return n
}

// Ask asks for n more messages. It does nothing for a moment after nobody was there to be asked.
func (p *Fetch) Ask(n int) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Before(p.until) {
		return
	}
	p.last++
	request := fmt.Appendf(nil, `{"batch":%d,"expires":%d}`, n, pullFor.Nanoseconds())
	if err := p.queue.conn.Publish(p.subject, p.inbox+strconv.FormatUint(p.last, 10), request); err == nil {
		p.asked[p.last] = &credit{left: n, until: now.Add(pullFor + pullGrace)}
	}
}

// Reset forgets what was asked for: the connection was away, and JetStream may have been.
func (p *Fetch) Reset() {
	p.mu.Lock()
	clear(p.asked)
	p.until = time.Time{}
	p.mu.Unlock()
}

// heard takes in a message, or JetStream's word on a request. A message has the subject on which it was published, so that does not say which
// request it answers: the oldest one, as JetStream has it.
func (p *Fetch) heard(msg *Msg) {
	number, aboutRequest := strings.CutPrefix(msg.Subject, p.inbox)
	if !aboutRequest {
		d, err := p.queue.conn.deliveryOf(msg)
		p.spend()
		if err == nil {
			p.deliver(d)
		}
		return
	}
	p.mu.Lock()
	if n, err := strconv.ParseUint(number, 10, 64); err == nil {
		delete(p.asked, n)
	}
	if msg.Header.Get("Status") != "408" { // its time is over; anything else is worth a pause
		p.until = time.Now().Add(pullPause)
	}
	p.mu.Unlock()
	p.empty()
}

// spend takes one message off the oldest request that has any left.
func (p *Fetch) spend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	oldest := uint64(0)
	for number := range p.asked {
		if oldest == 0 || number < oldest {
			oldest = number
		}
	}
	c := p.asked[oldest]
	if c == nil {
		return
	}
	if c.left--; c.left == 0 {
		delete(p.asked, oldest)
	}
}

// Drain asks for nothing more, and returns when all that was on its way has been handed over.
func (p *Fetch) Drain(ctx context.Context) error {
	ended := make(chan struct{})
	var once sync.Once
	p.sub.SetClosedHandler(func(string) { once.Do(func() { close(ended) }) })
	if err := p.sub.Drain(); err != nil {
		return fmt.Errorf("leaving %s: %w", p.subject, err)
	}
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close leaves at once: what is on its way is lost, and delivered again.
func (p *Fetch) Close() { _ = p.sub.Unsubscribe() } // its one error is that it has left, or the connection is closed
