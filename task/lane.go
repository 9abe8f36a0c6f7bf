package task

import "manta/internal/member"

// lane is the tasks of one owner with one function and one need. It decides which task goes where; it is a plain state
// machine without clock, goroutine or network.
//
//	backlog ──next──► at a node (or knocking at the door, until a node says that it has it)
//	   ▲                │
//	   └──── busy ──────┤
//	                    └── done ──►
//
// Invariant: with a backlog, at least one task is under way, or every known node was asked for all it has room for.
type lane struct {
	need    member.Amounts
	backlog queue
	peers   map[member.ID]*peer
	door    *submission // the task that knocks at the queue group, nil if none does
	refused bool        // the last word was busy: with nothing under way, wait for probe instead of knocking again
	turn    int         // for a fair choice among equal peers
	order   []member.ID // the peers, in the order they became known
}

// peer is a node as one lane sees it.
type peer struct {
	window   int  // how many tasks of this lane may be outstanding there
	inflight int  // how many are
	heard    bool // it has answered
}

func newLane(need member.Amounts) *lane {
	return &lane{need: need, peers: make(map[member.ID]*peer)}
}

// join adds a node that serves the function, with the window to begin with, unless it is known.
func (l *lane) join(node member.ID, window int) {
	if l.peers[node] == nil {
		l.peers[node] = &peer{window: window}
		l.order = append(l.order, node)
	}
}

// leave removes a node.
func (l *lane) leave(node member.ID) {
	delete(l.peers, node)
	for i, id := range l.order {
		if id == node {
			l.order = append(l.order[:i:i], l.order[i+1:]...)
			return
		}
	}
}

// next takes the task that is to be sent out of the backlog and says where to: to a node, or to the door if it names none.
func (l *lane) next() (s *submission, node member.ID, ok bool) {
	if l.backlog.empty() {
		return nil, node, false
	}
	if l.idle() && !l.refused {
		l.door = l.backlog.pop()
		return l.door, node, true
	}
	best := l.roomiest()
	if best == nil {
		return nil, node, false
	}
	p := l.peers[*best]
	p.inflight++
	return l.backlog.pop(), *best, true
}

// idle says whether nothing is under way.
func (l *lane) idle() bool {
	if l.door != nil {
		return false
	}
	for _, p := range l.peers {
		if p.inflight > 0 {
			return false
		}
	}
	return true
}

// roomiest returns the node with the most room, in turn among equals. A knocking task will take a slot somewhere, so one less
// than there is room for is sent meanwhile.
func (l *lane) roomiest() *member.ID {
	var best *member.ID
	bestRoom, room := 0, 0
	for i := range l.order {
		id := &l.order[(l.turn+i)%len(l.order)]
		p := l.peers[*id]
		free := p.window - p.inflight
		room += max(free, 0)
		if free > bestRoom {
			best, bestRoom = id, free
		}
	}
	if l.door != nil && room <= 1 {
		return nil
	}
	l.turn++
	return best
}

// accepted notes that a node has taken on the knocking task.
func (l *lane) accepted(node member.ID, window int) {
	l.door, l.refused = nil, false
	l.join(node, window)
	p := l.peers[node]
	p.inflight++
	p.window, p.heard = window, true
}

// done notes that a task at a node has ended, and the window that the node announced with it.
func (l *lane) done(node member.ID, window int) {
	l.refused = false
	if p := l.peers[node]; p != nil {
		p.inflight--
		p.window, p.heard = window, true
	}
}

// busy takes back a task that a node had no room for. door says that it was the knocking one.
func (l *lane) busy(s *submission, node member.ID, window int, door bool) {
	l.refused = true
	if door {
		l.door = nil
		l.join(node, window)
	}
	if p := l.peers[node]; p != nil {
		if !door {
			p.inflight--
		}
		p.window, p.heard = min(window, p.inflight), true
	}
	l.backlog.pushFront(s)
}

// unanswered takes the knocking task back from a door where nobody is, or whose answer was lost.
func (l *lane) unanswered() *submission {
	s := l.door
	l.door, l.refused = nil, true
	return s
}

// offer lets one more task go to a node that has said it has room.
func (l *lane) offer(node member.ID) {
	if p := l.peers[node]; p != nil {
		p.window = max(p.window, p.inflight+1)
	}
}

// probe lets one more task go to every full node: other owners may have left room that no reply has told of.
func (l *lane) probe() {
	l.refused = false
	for node := range l.peers {
		l.offer(node)
	}
}
