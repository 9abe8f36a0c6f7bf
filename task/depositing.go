package task

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// pending is a durable task until it is stored.
//
//	arguments awaited ─► stream opened ─► under way ─► stored
//	       └──────────────────┴── withdrawn
type pending struct {
	id      objstore.ID
	target  *call.Target
	deposit deposit
	blobs   []bus.Blob  // of its large arguments
	plainly *bus.Msg    // what is stored in place of the deposit: the task is submitted as plain clients submit theirs
	ended   func(error) // ends its span; nil if it has none

	// Under durables.mu.
	withdrawn error
	sent      bool
	stop      func() bool   // of the watch over its ctx
	over      chan struct{} // closed when it is stored or refused; nil unless somebody waits for that
}

// sharing is a function whose consumer is being made, or is there.
type sharing struct {
	ready   bool
	waiting []*pending // for that
}

// submit is what Submit is for a durable target.
func (d *durables) submit(ctx context.Context, t *call.Target, args call.Args) *objstore.Object {
	o := d.store.PromiseDurable()
	p := &pending{id: o.ID(), target: t}
	if d.node.Tracer != nil {
		args.Begin(ctx, d.node, t)
		p.ended = args.Ending(p.id)
	}
	d.mu.Lock()
	err := d.prepare(p, args.Trace())
	if err == nil {
		d.pending[p.id] = p
		d.underway.Add()
	}
	d.mu.Unlock()
	if err != nil {
		if p.ended != nil {
			p.ended(err)
		}
		return objstore.FailedObject(err)
	}
	d.store.Expect(o)
	d.tell(ctx, p.id, t.Name)
	if t.Options.Timeout > 0 {
		d.results.expireAt(p.id, t, time.Unix(0, p.deposit.deadline))
	}
	wire, small := args.Small()
	if small {
		p.deposit.args = append(p.deposit.args, wire...)
		err := contextError(ctx, t.Name)
		list, _ := wire.List() // made here
		for i := 0; err == nil && i < len(list); i++ {
			err = outlives(t.Name, i, list[i].Value)
		}
		if err != nil {
			d.end(p, err)
			return o
		}
		d.deposit(p)
		return o
	}
	stop := context.AfterFunc(ctx, func() { d.withdraw(p, contextError(ctx, t.Name)) })
	d.mu.Lock()
	p.stop = stop
	d.mu.Unlock()
	args.WhenSettled(d.store, func() {
		if !d.group.Go(func(ctx context.Context) { d.persist(ctx, p, &args) }) {
			d.end(p, fmt.Errorf("%s: %w", t.Name, bus.ErrClosed))
		}
	})
	return o
}

// prepare writes what all tasks of a target have in common; durables is locked.
func (d *durables) prepare(p *pending, trace call.Trace) error {
	t := p.target
	if d.closed {
		return fmt.Errorf("%s: %w", t.Name, bus.ErrClosed)
	}
	if t != d.latest {
		policy, err := policyOf(&t.Options)
		if err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
		d.latest, d.policy, d.keep = t, policy.appendTo(nil), policy.keep
	}
	p.deposit.policy = d.policy
	p.deposit.args = make(call.WireArgs, 0, 64).AppendKeep(call.Keep{ID: p.id, For: d.keep}).AppendTrace(trace)
	if timeout := t.Options.Timeout; timeout > 0 {
		p.deposit.deadline = time.Now().Add(timeout).UnixNano()
	}
	return nil
}

// contextError is the outcome of a task whose submission ctx has ended, nil if it has not, or if that is no reason to end the task.
func contextError(ctx context.Context, function string) error {
	switch err := ctx.Err(); {
	case err == nil, errors.Is(context.Cause(ctx), call.ErrReturned):
		return nil
	case errors.Is(context.Cause(ctx), bus.ErrClosed):
		return fmt.Errorf("%s: %w", function, bus.ErrClosed)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", function, ErrDeadline)
	}
	return fmt.Errorf("%s: %w", function, ErrCancelled)
}

// outlives says what is wrong with an argument that holds a ref which is gone when its owner is.
func outlives(function string, i int, value bus.Value) error {
	if err := objstore.Mortal(value); err != nil {
		return fmt.Errorf("%s: argument %d of a durable task: %w, or give the ref to On, which stores its value", function, i+1, err)
	}
	return nil
}

// persist writes arguments that do not live anywhere else: small ones into the submission, large ones into the bucket.
func (d *durables) persist(ctx context.Context, p *pending, args *call.Args) {
	ctx = member.NewContext(ctx, &member.Scope{Node: d.node})
	values, err := args.Values(ctx, d.store)
	for i := 0; err == nil && i < len(values); i++ {
		if err = outlives(p.target.Name, i, values[i]); err != nil {
			break
		}
		arg := call.WireArg{Value: values[i]}
		if len(values[i].Data) > objstore.InlineLimit {
			if arg.Blob, err = d.store.KeepArgument(ctx, values[i]); err != nil {
				err = fmt.Errorf("%s: argument %d was not stored: %w", p.target.Name, i+1, err)
				break
			}
			arg.Value = bus.Value{}
			p.blobs = append(p.blobs, arg.Blob.Blob)
		}
		p.deposit.args = p.deposit.args.AppendArg(arg)
	}
	d.mu.Lock()
	p.stop()
	if err == nil {
		err = p.withdrawn
	}
	d.mu.Unlock()
	if err != nil {
		d.end(p, err)
		d.deleteBlobs(p.blobs)
		return
	}
	d.deposit(p)
}

// withdraw ends a task that is not stored yet and not on its way; false if it is.
func (d *durables) withdraw(p *pending, err error) bool {
	if err == nil {
		return false
	}
	d.mu.Lock()
	sent := p.sent
	if !sent && p.withdrawn == nil {
		p.withdrawn = err
	}
	d.mu.Unlock()
	if !sent {
		d.end(p, err)
	}
	return !sent
}

// deposit stores a task, as soon as its function has a consumer.
func (d *durables) deposit(p *pending) {
	name := p.target.Name
	d.mu.Lock()
	s := d.shared[name]
	if s != nil && s.ready {
		d.mu.Unlock()
		d.send(p)
		return
	}
	first := s == nil
	if first {
		s = &sharing{}
		d.shared[name] = s
	}
	s.waiting = append(s.waiting, p)
	d.mu.Unlock()
	if !first {
		return
	}
	if !d.group.Go(func(ctx context.Context) { d.shareAndSend(ctx, name, s) }) {
		d.sendAll(name, s, bus.ErrClosed)
	}
}

func (d *durables) shareAndSend(ctx context.Context, function string, s *sharing) {
	d.sendAll(function, s, d.share(ctx, function))
}

// sendAll sends what has waited for a function's consumer, or fails it.
func (d *durables) sendAll(function string, s *sharing, err error) {
	d.mu.Lock()
	waiting := s.waiting
	s.waiting, s.ready = nil, err == nil
	if err != nil {
		delete(d.shared, function)
	} else {
		for _, p := range waiting { // in order, before those that find it ready
			d.sendLocked(p)
		}
	}
	d.mu.Unlock()
	if err != nil {
		for _, p := range waiting {
			d.stored(p, err)
		}
	}
}

func (d *durables) send(p *pending) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sendLocked(p)
}

func (d *durables) sendLocked(p *pending) {
	msg := p.plainly
	if msg == nil {
		msg = &bus.Msg{Data: p.deposit.frame()}
	}
	msg.Subject = d.node.Conn.Durable(p.target.Name, keyOf(p.id))
	d.publisher.Publish(msg, func() error { return d.leaves(p) }, func(err error, _ bool) { d.stored(p, err) })
}

// leaves says that a task is about to be sent, or why it is not to be.
func (d *durables) leaves(p *pending) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	p.sent = p.withdrawn == nil
	return p.withdrawn
}

// stored takes in JetStream's word on a task.
func (d *durables) stored(p *pending, err error) {
	switch {
	case errors.Is(err, bus.ErrTaken): // sent again, and the first copy had come
		err = nil
	case errors.Is(err, bus.ErrNoStream): // its server has lost it
		d.reopen()
		err = fmt.Errorf("%s: the durable task was not stored and did not run: %w: the stream was deleted or lost; submit it again, and it is made anew", p.target.Name, err)
	case errors.Is(err, bus.ErrFull):
		err = fmt.Errorf("%s: the durable task was not stored and will not run: stream %s: %w: raise its limits, or serve its functions on more nodes",
			p.target.Name, d.node.Conn.DurableQueue(), err)
	case err != nil:
		err = fmt.Errorf("%s: the durable task was not stored: %w", p.target.Name, err)
	}
	d.end(p, err)
	if err != nil {
		d.deleteBlobs(p.blobs)
	}
}

// end takes a task out of those that are not stored: with nil it is, else the error is its outcome.
func (d *durables) end(p *pending, err error) {
	d.mu.Lock()
	_, known := d.pending[p.id]
	delete(d.pending, p.id)
	over := p.over
	d.mu.Unlock()
	if !known {
		return
	}
	if p.ended != nil {
		p.ended(err)
	}
	if err != nil {
		d.results.settle(p.id, &objstore.Outcome{Err: err})
	}
	if over != nil {
		close(over)
	}
	d.underway.Done()
}

// submitted waits until a task is stored or refused.
func (d *durables) submitted(ctx context.Context, o *objstore.Object) error {
	if !o.ID().Durable() {
		if out := d.store.Look(o); out != nil && out.Err != nil {
			return out.Err
		}
		return fmt.Errorf("%s is no durable task's: submit it with task.Durable()", o.ID())
	}
	d.mu.Lock()
	p := d.pending[o.ID()]
	if p != nil && p.over == nil {
		p.over = make(chan struct{})
	}
	d.mu.Unlock()
	if p != nil {
		select {
		case <-p.over:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if out := d.store.Look(o); out != nil && out.Err != nil {
		if _, ran := errors.AsType[*Error](out.Err); !ran && !errors.Is(out.Err, ErrWorkerLost) {
			return out.Err
		}
	}
	return nil
}

// deleteBlobs removes arguments that nobody will read again.
func (d *durables) deleteBlobs(blobs []bus.Blob) {
	if len(blobs) == 0 {
		return
	}
	d.group.Go(func(ctx context.Context) {
		for _, b := range blobs {
			if err := d.store.DropArgument(ctx, b); err != nil && ctx.Err() == nil {
				d.node.Log.Warn("a large argument of a durable task stays in the bucket", zap.String("blob", b.ID), zap.Error(err))
			}
		}
	})
}
