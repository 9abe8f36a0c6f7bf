package task

import (
	"fmt"

	"manta/internal/call"
	"manta/internal/event"
	"manta/objstore"
)

// What a lane has done for it: laneActions. The owner is locked.

// header begins a frame about a lane to one of its peers, nil for the door.
func (o *owner) header(l *lane, p *peer) laneHeader {
	h := laneHeader{owner: o.node.ID, generation: o.node.Conn.Generation(), lane: l.number}
	if p != nil {
		h.epoch, h.confirmed = p.receipts.epoch, p.receipts.confirmed()
		p.receipts.acked = h.confirmed
	}
	return h
}

func (o *owner) send(l *lane, p *peer, tasks []*submission, more bool) {
	o.tellSent(tasks, p)
	if p != nil && p.worker != nil {
		o.workers.send(l, p, tasks)
		return
	}
	b := appendTasks(o.frame[:0], o.header(l, p), more, l.needWire, len(tasks))
	for _, s := range tasks {
		b = s.AppendTo(b)
	}
	subject, reply := l.doorSubject, l.doorReply
	if p != nil {
		subject, reply = p.subject, l.nodeReply
		if p.vouched {
			reply = ""
		}
	}
	o.publish(l, subject, reply, b)
}

func (o *owner) ping(l *lane, p *peer, tick uint32) {
	if p.worker != nil {
		return
	}
	m := pingMessage{laneHeader: o.header(l, p), tick: uint64(tick), missing: p.receipts.missing}
	o.publish(l, p.subject, l.pingReply, m.append(o.frame[:0]))
}

func (o *owner) cancelled(p *peer, s *submission) {
	if p.worker != nil { // it has no ear for that
		return
	}
	o.publish(p.lane, p.subject, p.lane.nodeReply, appendCancel(o.frame[:0], o.header(p.lane, p), s.Number()))
}

// publish sends a frame made in o.frame. One that is not sent is found missing by the next ping that is.
func (o *owner) publish(l *lane, subject, reply string, frame []byte) {
	o.frame = frame
	if err := o.node.Conn.Publish(subject, reply, frame); err != nil {
		o.logUnsent(l, err)
	}
}

// finish gives a task its outcome, unless that is a failure after which it is tried again.
func (o *owner) finish(s *submission, out *objstore.Outcome) {
	if out.Err != nil && o.failed(s, out.Err) {
		return
	}
	if out.Blob != nil {
		o.lineages.keep(s, out.Blob)
	}
	o.end(s, out)
}

func (o *owner) stray(number uint64, out *objstore.Outcome) {
	if out != nil {
		o.store.Discard(objstore.NewID(o.node.ID, number), *out)
	}
}

// lost has a task whose node died tried again at once, or ends it.
func (o *owner) lost(s *submission, p *peer) (retry bool) {
	if _, retry := again(&s.Target.Options, int(s.Attempt), nil, 0); retry {
		o.tellOver(s, event.Lost, ErrWorkerLost)
		s.Retry(ErrWorkerLost)
		s.lane.counts.RetriedLost++
		o.tellQueued(s)
		o.noteLoss(s, p)
		return true
	}
	node := "the node that took it"
	if p != nil {
		node = p.String()
	}
	o.end(s, &objstore.Outcome{Err: fmt.Errorf("task %q, attempt %d, may have run: %w: %s", s.Target.Name, s.Attempt, ErrWorkerLost, node)})
	return false
}

// failAll fails what waits in a lane.
func (o *owner) failAll(l *lane, err error) {
	for _, s := range l.backlog.drain() {
		failed := err
		switch {
		case s.failed:
			failed = fmt.Errorf("task %q, attempt %d, ran before and failed, and then: %w", l.function, s.Attempt, err)
		case s.Attempt > 1 && !s.again:
			failed = fmt.Errorf("task %q, attempt %d, may have run before: %w, and then: %w", l.function, s.Attempt, ErrWorkerLost, err)
		}
		o.end(s, &objstore.Outcome{Err: failed})
	}
}

var _ laneActions = (*owner)(nil)

var _ call.Bound = (*submission)(nil)
