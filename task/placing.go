package task

import (
	"math"

	"manta/internal/member"
)

// The strategies: each is a filter over the nodes that become peers of a lane, or an order among them. What a filter lets through is
// all that a lane knows of, so a lane with one, or one in a placement group, never knocks: the queue group would give its task to any node.

// asSeen is a node as the lane sees it: of one in a placement group, what the node has reserved for that.
func (l *lane) asSeen(n server) server {
	if l.bound != nil {
		n.total = l.bound.on(n.id)
	}
	return n
}

// suits says whether a node that serves the lane's function may ever run its tasks, as its record has it.
func (l *lane) suits(n *server) bool {
	return n.total.Covers(l.need) && l.placing.Allows(n.id, n.labels)
}

// next returns the peer that the first task of the backlog goes to, nil if it waits. knock: any node will do, and NATS chooses it.
func (l *lane) next() (p *peer, knock bool) {
	if p := l.home(l.backlog.peek()); p != nil {
		return p, false
	}
	if l.inflight == 0 && l.door == nil && l.refusals == 0 && l.placing.Anywhere() && l.bound == nil && !l.workersAlone() {
		return nil, true
	}
	return l.roomiest(), false
}

// home returns the peer where a task belongs, nil unless there is one that has room: the node that it was given, or the one where its
// large argument is. A knocking task may take a slot there.
func (l *lane) home(s *submission) *peer {
	id := l.placing.Node
	if id == (member.ID{}) {
		where, ok := s.Home()
		if !ok || l.placing.Spread {
			return nil
		}
		id = where
	}
	p := l.peers[id]
	if p == nil || p.room() <= 0 || l.door != nil && p.room() == 1 {
		return nil
	}
	return p
}

// belongsElsewhere says whether a task would go to another peer if it came first.
func (l *lane) belongsElsewhere(s *submission, p *peer) bool {
	home := l.home(s)
	return home != nil && home != p
}

// rank is the lane's order: a peer with a higher one goes before others, one without room has none.
func (l *lane) rank(p *peer, room int) int {
	if l.placing.Spread && room > 0 {
		return math.MaxInt - len(p.flight)
	}
	return room
}
