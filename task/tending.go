package task

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"manta/internal/logs"
	"manta/internal/member"
)

const (
	// infeasibleAfter is how long a need that no node could ever meet waits for one to join, unless configured.
	infeasibleAfter = 10 * time.Second
	// doorOpensWithin is how long a task knocks at a door where nobody is, while a node that serves it is known: NATS spreads
	// interest a moment after a node has joined.
	doorOpensWithin = 3 * time.Second
)

// server is a node that is there, as its record says.
type server struct {
	id        member.ID
	functions []string
	total     member.Amounts
	labels    map[string]string
	draining  bool
	joined    moment // when this process learned of it
}

// look looks after the lanes at intervals while one of them waits for something.
func (o *owner) look(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.looking:
		}
		for o.lookOnce() {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}
}

// lookOnce looks after the lanes, and says whether one of them still waits.
func (o *owner) lookOnce() bool {
	o.mu.Lock()
	defer o.unlock()
	now := o.now()
	waits := false
	for _, l := range o.lanes {
		if !l.restless() {
			continue
		}
		if !l.backlog.empty() {
			o.tendBacklog(l, now)
		}
		l.look(now, o.reconnected)
		if l.restless() {
			waits = true
		} else {
			o.forgetRemoved(l)
		}
	}
	o.workers.look(now)
	o.watched = waits
	return waits
}

// tendBacklog gives up on what no node could ever run.
func (o *owner) tendBacklog(l *lane, now moment) {
	patience := o.infeasibleAfter
	if only, ok := l.placing.Only(); ok && o.departed[only] {
		patience = 0 // it never comes back under that id, unless it was wrongly taken for dead
	}
	o.workers.wanted(l, now)
	o.reconsider(l, now)
	switch {
	case l.closed != 0 && now-l.closed >= doorOpensWithin && l.inflight == 0 && l.door == nil && !l.awaitsWorkers(now):
		o.failUnserved(l)
	case l.inflight > 0 || o.feasible(l): // or the node that has them could not have taken them
		l.stuck = 0
	case l.stuck == 0:
		l.stuck = now
	case patience >= 0 && now-l.stuck > patience:
		err := ErrInfeasible
		if !o.served(l) {
			err = ErrNotRegistered
		}
		o.failAll(l, fmt.Errorf("task %q needs %s: %w: %s", l.function, l.wants(), err, o.obstacle(l)))
	}
}

// reconsider has nodes serve a lane again of which it was said that they take no more, while their records do not say so for a while: it was not
// they who said it.
func (o *owner) reconsider(l *lane, now moment) {
	for _, p := range l.order {
		if n, there := o.servers[p.id]; there && p.retired && !n.draining && now-p.quit >= doorOpensWithin {
			o.introduce(l, n)
		}
	}
}

// nobodyHome handles a door with nobody behind it: knock again while a node that serves the function is known, else fail.
func (o *owner) nobodyHome(l *lane) {
	now := o.now()
	s := l.nobodyHome()
	if s == nil {
		return
	}
	if !s.ended {
		l.backlog.pushFront(s)
	}
	if l.workersAlone() {
		o.pump(l)
		return
	}
	if l.closed == 0 {
		l.closed = now
	}
	known := slices.ContainsFunc(l.order, (*peer).there) || o.reconnected != 0 && now-o.reconnected < newFor || now < newFor
	if known && now-l.closed < doorOpensWithin || l.awaitsWorkers(now) {
		l.refusals = max(l.refusals, 1) // look knocks again, or a peer takes it
		o.watch(l)
		return
	}
	if !o.workers.seek(l, now) {
		o.failUnserved(l)
	}
}

func (o *owner) failUnserved(l *lane) {
	l.closed, l.seeking = 0, 0
	o.failAll(l, fmt.Errorf("task %q: %w: Define it in the program and the registry of a node, before that node starts", l.function, ErrNotRegistered))
}

// joined notes a node that is there, or has changed.
func (o *owner) joined(info member.Info) {
	total, err := member.NewAmounts(info.Resources)
	if err != nil {
		o.node.Log.Warn("a node's record does not say what it has", logs.Peer(info.ID), zap.Error(err))
		return
	}
	o.mu.Lock()
	defer o.unlock()
	n := server{id: info.ID, functions: info.Functions, total: total, labels: info.Labels, draining: info.Draining, joined: o.now()}
	if known, changed := o.servers[info.ID]; changed {
		n.joined = known.joined
		if info.Draining && info.ID == o.node.ID { // it takes what it submits itself until that is over
			n.functions = known.functions
		}
	}
	o.servers[info.ID] = n
	delete(o.departed, info.ID)
	for _, l := range o.lanes {
		o.introduce(l, n)
		o.pump(l)
	}
}

// shut notes that this node's own subject is closed: it is drained.
func (o *owner) shut() {
	o.mu.Lock()
	defer o.unlock()
	if n, joined := o.servers[o.node.ID]; joined {
		n.functions = nil
		o.servers[o.node.ID] = n
	}
	for _, l := range o.lanes {
		l.retire(o.node.ID)
		o.pump(l)
	}
}

// introduce makes a node a peer of a lane if it serves the function and suits the lane.
func (o *owner) introduce(l *lane, n server) {
	n = l.asSeen(n)
	switch {
	case !slices.Contains(n.functions, l.function):
		l.retire(n.id)
	case l.suits(&n):
		o.join(l, n.id, n.total.Times(l.need, firstWindow)).joined = n.joined // the lane may be much younger
	case l.bound != nil:
		l.retire(n.id)
	}
}

// left notes that a node is gone, and everything that it had is lost.
func (o *owner) left(id member.ID) {
	if id == o.node.ID { // the others think so; what runs here does run
		return
	}
	o.mu.Lock()
	defer o.unlock()
	delete(o.servers, id)
	o.depart(id)
	for _, l := range o.lanes {
		l.leave(id, o.now())
		o.pump(l) // and looked after until its last words have come
	}
}

// back notes that the connection is back: what was under way may have been lost, so every peer is asked.
func (o *owner) back() {
	o.mu.Lock()
	defer o.unlock()
	now := o.now()
	o.reconnected = now
	for _, l := range o.lanes {
		l.ask(now)
	}
	o.workers.interrupted()
}
