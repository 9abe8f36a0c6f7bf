package task

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// doorReply is where answers to a lane's knock go: a subject of its own, because "nobody serves this" says no more than that.
func (o *owner) doorReply(l *tendedLane) string {
	return o.node.Conn.Inbox("task.door." + strconv.Itoa(l.number))
}

// replied handles every message to the owner's reply subjects.
func (o *owner) replied(msg *bus.Msg) {
	if subject, unserved := bus.Unserved(msg); unserved {
		o.unserved(msg.Subject, subject)
		return
	}
	p, err := call.ReadReply(msg.Data)
	if err != nil {
		o.node.Log.Warn("a malformed reply", zap.String("subject", msg.Subject), zap.Error(err))
		return
	}
	o.apply(p)
}

// apply brings the task and its lane up to date.
func (o *owner) apply(p call.Reply) {
	o.mu.Lock()
	defer o.unlock()
	s := o.pending[p.Number]
	if p.Status == call.Room {
		if s != nil && s.lane != nil && !s.lane.backlog.empty() {
			s.lane.offer(p.Host)
			o.pump(s.lane)
		}
		return
	}
	if s == nil || s.lane == nil || s.call.Attempt != p.Attempt || s.at != p.Host && s.lane.door != s {
		// Its task was sent again meanwhile, or has its outcome: a late word changes nothing.
		objstore.StoreOf(o.node).Discard(objstore.NewID(o.node.ID, p.Number), p.Outcome)
		return
	}
	l, knocking := s.lane, s.lane.door == s
	defer o.pump(l)
	switch p.Status {
	case call.Accepted:
		if knocking {
			l.accepted(p.Host, p.Window)
			s.at = p.Host
			if s.cancelled {
				o.tellCancelled(s)
			}
		}
		return
	case call.Busy:
		s.at = member.ID{}
		l.busy(s, p.Host, p.Window, knocking)
		l.pause = min(2*l.pause, probeLast)
		if s.cancelled {
			o.forget(s)
		}
		return
	}
	if knocking {
		l.accepted(p.Host, p.Window)
	}
	l.done(p.Host, p.Window)
	l.pause = probeFirst
	s.at = member.ID{}
	o.end(s, p.Outcome)
}

// unserved handles the server's word that a message reached nobody.
func (o *owner) unserved(reply, subject string) {
	o.mu.Lock()
	defer o.unlock()
	if node, _, ok := o.node.Conn.ParseNodeTask(subject); ok {
		if id, err := member.ParseID(node); err == nil {
			o.lost(id, true)
		}
		return
	}
	number, err := strconv.Atoi(bus.LastToken(reply))
	if err != nil || number >= len(o.numbers) {
		return
	}
	o.nobodyHome(o.numbers[number])
}

// nobodyHome handles a door with nobody behind it: knock again while a node that serves the function is known, else fail.
func (o *owner) nobodyHome(l *tendedLane) {
	s := l.unanswered()
	if s == nil {
		return
	}
	if s.cancelled {
		o.forget(s)
		o.pump(l)
		return
	}
	l.backlog.pushFront(s)
	if len(l.peers) > 0 && time.Since(s.first) < doorOpensWithin {
		o.rouse(l)
		return
	}
	o.failAll(l, fmt.Errorf("task %q: %w: Define it in the program of a node, before that node starts", l.function, ErrNotRegistered))
}

func (o *owner) failAll(l *tendedLane, err error) {
	for _, s := range l.backlog.drain() {
		if s.call.Attempt > 1 {
			o.end(s, objstore.Outcome{Err: fmt.Errorf("task %q, attempt %d, may have run before: %w, and then: %w", l.function, s.call.Attempt, ErrWorkerLost, err)})
			continue
		}
		o.end(s, objstore.Outcome{Err: err})
	}
}

// joined notes a node that is there, or has changed.
func (o *owner) joined(info member.Info) {
	o.mu.Lock()
	defer o.unlock()
	total, err := member.NewAmounts(info.Resources)
	if err != nil {
		o.node.Log.Warn("a node's record does not say what it has", zap.Stringer("of", info.ID), zap.Error(err))
		return
	}
	n := server{id: info.ID, functions: info.Functions, total: total}
	o.nodes[info.ID] = n
	for _, l := range o.lanes {
		o.introduce(l, n)
		o.pump(l)
	}
}

// introduce makes a node a peer of a lane if it serves the function and could ever meet the need.
func (o *owner) introduce(l *tendedLane, n server) {
	if slices.Contains(n.functions, l.function) && n.total.Covers(l.need) {
		l.join(n.id, n.total.Times(l.need, firstWindow))
	}
}

func (o *owner) introduceAll(l *tendedLane) {
	for _, n := range o.nodes {
		o.introduce(l, n)
	}
}

// left notes that a node is gone, and everything that it had is lost.
func (o *owner) left(id member.ID) {
	if id == o.node.ID { // the others think so; what runs here does run
		return
	}
	o.mu.Lock()
	defer o.unlock()
	delete(o.nodes, id)
	o.lost(id, false)
}

// lost takes back all tasks that a node had: to be sent again if their retries allow. unserved says that this is known from
// a task that reached nobody; a node that was never heard of on a lane got none of its tasks then.
func (o *owner) lost(id member.ID, unserved bool) {
	for _, s := range o.pending {
		if s.at != id {
			continue
		}
		p := s.lane.peers[id]
		s.at = member.ID{}
		if unserved && p != nil && !p.heard && !s.cancelled {
			s.lane.backlog.pushFront(s)
			continue
		}
		o.again(s, "node "+id.String()+" was lost")
	}
	for _, l := range o.lanes {
		l.leave(id)
		o.pump(l)
	}
}

// again sends a lost task once more, or fails it.
func (o *owner) again(s *submission, reason string) {
	switch {
	case s.cancelled:
		o.forget(s)
	case s.call.Attempt > s.call.Target.Options.Retries:
		o.end(s, objstore.Outcome{Err: fmt.Errorf("task %q, attempt %d, may have run: %w: %s", s.lane.function, s.call.Attempt, ErrWorkerLost, reason)})
	default:
		s.call.Attempt++
		s.first = time.Time{}
		s.lane.backlog.pushFront(s)
	}
}
