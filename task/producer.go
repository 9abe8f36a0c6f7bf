package task

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/logs"
	"manta/internal/member"
	"manta/objstore"
)

// errUnread is what a streaming function gets, and ends with, whose consumer is gone without a word.
var errUnread = errors.New("the consumer of the stream is gone")

// errOver is what yield returns once its function has returned.
var errOver = errors.New("yield was called after the streaming function had returned")

// lookAtStreams is how often a host that has streams looks at the clock for them.
const lookAtStreams = 10 * time.Millisecond

// producers is the streams that a node's tasks produce.
type producers struct {
	host  *host
	begun chan struct{} // holds one token when serve is to look at the clock

	mu   sync.Mutex
	live map[producerKey]*producer
}

// producerKey names one attempt of a stream.
type producerKey struct {
	owner   member.ID
	stream  uint64
	attempt int
}

func newProducers(h *host) *producers {
	return &producers{host: h, begun: make(chan struct{}, 1), live: make(map[producerKey]*producer)}
}

// producer is one stream where its function runs.
type producer struct {
	producerKey
	host    *host
	job     *job
	scope   *member.Scope
	subject string        // the consumer's
	reply   string        // this node's, where NATS says if nobody is there
	wake    chan struct{} // holds one token when the consumer has spoken, or the stream has ended

	turn sync.Mutex // a yield at a time

	mu    sync.Mutex
	out   emission
	ended error // why nothing can be sent any more
}

// produce begins the stream of the task that runs in ctx.
func produce(ctx context.Context, described bus.Value) (*producer, error) {
	d, err := readDescriptor(described)
	if err != nil {
		return nil, err
	}
	scope, err := member.FromContext(ctx)
	if err != nil {
		return nil, err
	}
	j, ok := scope.Work.(*job)
	if !ok {
		return nil, errors.New("a streaming function runs as a task alone")
	}
	attempt := int(j.entry.Attempt)
	p := &producer{
		producerKey: producerKey{j.guest.owner, d.stream, attempt},
		host:        j.host, job: j, scope: scope, subject: d.subject,
		reply: j.host.node.Conn.NodeTask(j.host.node.ID.String(), j.guest.function),
		wake:  make(chan struct{}, 1), out: newEmission(d.window, attempt, j.host.now()),
	}
	j.host.streams.add(p)
	if attempt > 1 {
		p.mu.Lock()
		p.ask()
		p.mu.Unlock()
	}
	return p, nil
}

// emit sends an item once there is credit for it.
func (p *producer) emit(ctx context.Context, v bus.Value) error {
	p.turn.Lock()
	defer p.turn.Unlock()
	pass, err := p.admit(ctx, len(v.Data))
	if pass || err != nil {
		return err
	}
	i := item{outcome: objstore.Outcome{Value: v}}
	if len(v.Data) > objstore.InlineLimit {
		if v.Format != bus.Msgpack && v.Format != bus.JSON {
			v.Data = bytes.Clone(v.Data) // a view of what the function may change after yield
		}
		i.id = p.host.store.NextID()
		if i.outcome = p.host.store.Seal(ctx, i.id, v); i.outcome.Err != nil {
			return fmt.Errorf("storing an item of %d bytes: %w", len(v.Data), i.outcome.Err)
		}
	}
	p.host.store.Lend(&i.outcome, p.owner)
	p.mu.Lock()
	defer p.mu.Unlock()
	i.seq = p.out.sent + 1
	frame := i.appendTo(p.header(itemFrame, i.size()))
	p.out.add(parcel{frame, i, len(v.Data)}, p.host.now())
	p.publish(frame, "")
	return nil
}

// admit waits for credit for an item of that size. pass says that the consumer has the item, from an earlier attempt.
func (p *producer) admit(ctx context.Context, size int) (pass bool, err error) {
	err = p.until(ctx, func() bool { return p.out.started })
	if err != nil {
		return false, err
	}
	p.mu.Lock()
	pass = p.out.pass()
	p.mu.Unlock()
	if pass {
		return true, nil
	}
	return false, p.until(ctx, func() bool { return p.out.room(size) })
}

// until waits for the consumer to make something true. The task lends its CPUs meanwhile: its consumer may need them to go on.
func (p *producer) until(ctx context.Context, ready func() bool) error {
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		p.mu.Lock()
		err, there := p.ended, ready()
		if over := err != nil || there; over {
			p.out.waiting = false
			p.mu.Unlock()
			return err
		}
		p.out.wait(p.host.now())
		p.mu.Unlock()
		if err := p.scope.Await(ctx, p.wake); err != nil {
			return err
		}
	}
}

// finish waits until all that was sent has come, so that the outcome, which follows, is the last that the consumer hears.
func (p *producer) finish(ctx context.Context) error {
	p.turn.Lock()
	defer p.turn.Unlock()
	p.mu.Lock()
	if p.ended == nil && !p.out.complete() {
		p.ask()
	}
	p.mu.Unlock()
	err := p.until(ctx, p.out.complete)
	p.host.streams.remove(p)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended == nil {
		p.ended = errOver
	}
	for _, left := range p.out.kept {
		p.host.store.Discard(left.item.id, left.item.outcome)
	}
	return err
}

// header begins a frame that gets size bytes more, or so.
func (p *producer) header(kind byte, size int) []byte {
	if size > objstore.InlineLimit {
		size = 0
	}
	return streamHeader{p.host.node.ID, p.attempt}.appendTo(make([]byte, 0, 32+size), kind)
}

// ask asks the consumer what it has; the producer is locked.
func (p *producer) ask() {
	p.publish(bus.AppendUint(p.header(questionFrame, 8), p.out.sent), p.reply)
}

// publish sends a frame; the producer is locked, so that frames keep their order. One that is not sent is found missing by a later one.
func (p *producer) publish(frame []byte, reply string) {
	if err := p.host.node.Conn.Publish(p.subject, reply, frame); err != nil {
		p.host.node.Log.Debug("an item was not sent", logs.Task(p.job.guest.function), zap.Error(err))
	}
}

// heard takes in the consumer's word.
func (p *producer) heard(c credit) {
	if c.stop {
		p.end(call.ErrCancelled)
		return
	}
	p.mu.Lock()
	for _, lost := range p.out.credit(c, p.host.now()) {
		p.publish(lost.frame, "")
	}
	p.mu.Unlock()
	p.rouse()
}

// look does what the clock asks for.
func (p *producer) look(now moment) {
	p.mu.Lock()
	ask, gone := p.out.look(now)
	if ask {
		p.ask()
	}
	p.mu.Unlock()
	if gone {
		p.end(errUnread)
	}
}

// end ends the stream, and the task's ctx with it.
func (p *producer) end(cause error) {
	p.mu.Lock()
	if p.ended == nil {
		p.ended = cause
	}
	p.mu.Unlock()
	p.job.cancel(cause)
	p.rouse()
}

func (p *producer) rouse() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (ps *producers) add(p *producer) {
	ps.mu.Lock()
	ps.live[p.producerKey] = p
	first := len(ps.live) == 1
	ps.mu.Unlock()
	if first {
		select {
		case ps.begun <- struct{}{}:
		default:
		}
	}
}

func (ps *producers) remove(p *producer) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.live[p.producerKey] == p {
		delete(ps.live, p.producerKey)
	}
}

func (ps *producers) all() []*producer {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return slices.Collect(maps.Values(ps.live))
}

// heard takes in a message to this node that is for a stream, and says whether it is one.
func (ps *producers) heard(msg *bus.Msg) (ours bool, err error) {
	if subject, unserved := bus.Unserved(msg); unserved {
		ps.unserved(subject)
		return true, nil
	}
	if len(msg.Data) < 3 || msg.Data[0] != bus.FrameMark || msg.Data[2] != creditFrame {
		return false, nil
	}
	key, c, err := readCredit(msg.Data)
	if err != nil {
		return true, err
	}
	ps.mu.Lock()
	p := ps.live[key]
	ps.mu.Unlock()
	if p != nil {
		p.heard(c)
	}
	return true, nil
}

// unserved takes in NATS's word that nobody is at a consumer's subject.
func (ps *producers) unserved(subject string) {
	for _, p := range ps.all() {
		if p.subject == subject {
			p.mu.Lock()
			p.out.absent = true
			p.mu.Unlock()
		}
	}
}

// serve looks at the clock while there are streams.
func (ps *producers) serve(ctx context.Context) {
	tick := time.NewTicker(lookAtStreams)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ps.begun:
		}
		for live := ps.all(); len(live) > 0; live = ps.all() {
			for _, p := range live {
				p.look(ps.host.now())
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}
}
