package task

import (
	"slices"
	"time"

	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

const (
	// Tasks travel together once a node takes more than aloneWindow of them: before that they are few or long, and spread better one
	// by one.
	aloneWindow = 16
	batchBytes  = 128 << 10
	// wishAgain is how often a lane with a backlog says again that it has one: a wish may be lost.
	wishAgain = 500 * time.Millisecond
	// confirmEvery is how many replies are confirmed by a frame of their own if none goes to the node anyway.
	confirmEvery = 64
	// lastWords is how long the last replies of a node may take that membership says is gone, and NATS does not.
	lastWords = 300 * time.Millisecond
	// silentFor is how long a node that is gone may still be in the queue group: a NATS server that is not configured otherwise pings a
	// connection every 2 minutes, and gives it up at the third ping.
	silentFor = 10 * time.Minute
	// mendEvery is how long at least a lane waits before it asks again for replies that got lost.
	mendEvery = 5 * time.Millisecond
)

// lane is the tasks of one owner with one function, one need and one placing. It decides which task goes where and which is lost; it is a
// plain state machine without clock, goroutine or network.
//
//	backlog ──pump──► under way at a peer, or knocking at the door (until a peer says that it has it)
//	   ▲                │
//	   ├───── busy ─────┤
//	   ├──── missed ────┤  it never arrived there: for certain, so it costs no attempt
//	   ├───── lost ─────┤  its node died: the next attempt, if retries are left
//	   └                └─ result ──► ended
//
// Invariant: with a backlog, no peer has room in its window, and every peer knows that the lane has more.
type lane struct {
	function string
	number   uint64
	need     member.Amounts
	needWire []byte // as it travels, marked
	placing  call.Placing
	streams  bool // its function is a streaming one
	do       laneActions
	maxBatch int
	counts   *Submissions // of its function, and of its owner

	backlog  queue
	peers    map[member.ID]*peer
	order    []*peer // the peers, in the order they became known
	turn     int     // for a fair choice among equal peers
	inflight int     // tasks at peers
	door     *knock  // nil if no task knocks
	knocking knock   // what door points to
	refusals int     // in a row
	wished   moment  // when told was last forgotten
	batch    []*submission
	silent   map[member.ID]moment // since when nodes are gone that may still be in the queue group: stopped, or cut off
	full     bool                 // the last pump left a backlog; that may have been given up since
	ticks    uint32               // the highest number of a frame to a peer that was removed

	doorSubject                     string // where its tasks knock
	doorReply, nodeReply, pingReply string // where it hears of knocks, of frames to nodes, and of pings
	queued                          bool   // the owner is about to pump it
	closed                          moment // since when nobody is behind the door; 0 if somebody may be
	seeking                         moment // since when workers are asked for that may serve it, as no node does; 0 if they are not
	stuck                           moment // since when no known node could ever run what waits; 0 if one could

	bound   *bound         // the placement group in whose bundles its tasks run; nil if in none
	key     laneKey        // of one that is bound
	in      member.Bundle  // of that group
	unbound member.Amounts // its need without the bundle's name
}

// laneActions is what a lane has done for it. None of it may call back.
type laneActions interface {
	send(l *lane, p *peer, tasks []*submission, more bool) // to a peer; nil is the door
	ping(l *lane, p *peer, tick uint32)
	cancelled(p *peer, s *submission)            // tell the node that its outcome is not wanted
	finish(s *submission, out *objstore.Outcome) // its outcome
	stray(number uint64, out *objstore.Outcome)  // an outcome that nobody wants; nil is none
	lost(s *submission, p *peer) (retry bool)    // its node died: try again, or it has been failed
}

func newLane(function string, number uint64, need member.Amounts, do laneActions, maxBatch int) *lane {
	return &lane{
		function: function, number: number, need: need, needWire: markedNeed(need, function, number), do: do, maxBatch: maxBatch, peers: make(map[member.ID]*peer),
		silent: make(map[member.ID]moment),
	}
}

// join adds a node that serves the function, with the window to begin with, unless it is known.
func (l *lane) join(id member.ID, window int, now moment) *peer {
	p := l.peers[id]
	if p == nil {
		p = &peer{lane: l, id: id, joined: now, window: window, flight: make(map[uint64]*submission), heard: now, pinged: now, patience: silenceFirst}
		p.tick = l.ticks // a node that was here before may still answer pings of then
		l.peers[id] = p
		l.order = append(l.order, p)
	}
	p.left, p.retired, p.unlisted = 0, false, false
	delete(l.silent, id)
	return p
}

// retire notes that a node takes no more tasks.
func (l *lane) retire(id member.ID) {
	if p := l.peers[id]; p != nil {
		p.retired, p.told = true, false
	}
}

// add puts a task behind all others. If none waits before it the lane is to be pumped, else whoever makes room does that.
func (l *lane) add(s *submission) (first bool) {
	first = !l.full || l.backlog.empty()
	l.backlog.push(s)
	return first
}

// pump sends what there is room for, and tells the nodes whether there is more.
func (l *lane) pump(now moment) {
	for !l.backlog.empty() {
		p, knock := l.next()
		if knock {
			l.knock(now)
			continue
		}
		if p == nil {
			break
		}
		l.sendTo(p, now)
	}
	l.full = !l.backlog.empty()
	for _, p := range l.order {
		if p.told != l.full && p.there() {
			l.tell(p, nil, l.full, now)
		}
	}
}

// roomiest returns the peer that comes first in the lane's order, in turn among equals, nil if none has room. A knocking task will take a slot
// somewhere, so one less than there is room for is sent meanwhile.
func (l *lane) roomiest() *peer {
	var best *peer
	most, room := 0, 0
	for i := range l.order {
		p := l.order[(l.turn+i)%len(l.order)]
		free := p.room()
		room += max(free, 0)
		if rank := l.rank(p, free); rank > most {
			best, most = p, rank
		}
	}
	if l.door != nil && room <= 1 {
		return nil
	}
	l.turn++
	return best
}

// sendTo sends as many tasks as are to travel together.
func (l *lane) sendTo(p *peer, now moment) {
	n := 1
	if p.window > aloneWindow && !l.placing.Spread {
		n = min(p.room(), (l.backlog.len()+len(l.order)-1)/len(l.order), l.maxBatch)
	}
	l.batch = l.batch[:0]
	for size := 0; len(l.batch) < max(n, 1) && !l.backlog.empty(); {
		s := l.backlog.peek()
		if size += s.Size(); len(l.batch) > 0 && (size > batchBytes || l.belongsElsewhere(s, p)) {
			break
		}
		l.backlog.pop()
		s.at, s.tick = p, p.tick+1
		p.flight[s.Number()] = s
		l.batch = append(l.batch, s)
	}
	if len(p.flight) == len(l.batch) { // it had none: its silence counts from here
		p.heard, p.pinged = max(p.heard, now), max(p.pinged, now-pingEvery/2)
	}
	l.inflight += len(l.batch)
	p.sent = p.tick + 1
	l.tell(p, l.batch, !l.backlog.empty(), now)
	clear(l.batch)
}

// tell sends tasks to a peer, or none, and whether the lane has more.
func (l *lane) tell(p *peer, tasks []*submission, more bool, now moment) {
	p.tick++
	p.vouched = p.spoke != 0 && now-p.spoke < vouchedFor
	p.told = more
	l.do.send(l, p, tasks, more)
}

// cancel tells the peer that has a task, which has ended, that its outcome is not wanted.
func (l *lane) cancel(s *submission) {
	switch {
	case s.at != nil:
		s.at.tick++
		s.at.vouched = false
		l.do.cancelled(s.at, s)
	case s != l.knocking.task: // else whoever turns out to have it is told
		l.backlog.oneEnded()
	}
}

// hear takes in what a peer says.
func (l *lane) hear(p *peer, m *guestMessage, now moment) {
	p.hear(now)
	switch m.kind {
	case replyFrame:
		p.patience, p.spoke = silenceFirst, now
		l.replied(p, m, now)
	case pongFrame:
		l.ponged(p, m, now)
	case goneFrame:
		l.gone(p, m, now)
	case offerFrame:
		l.offered(p, m, now)
	case leftFrame:
		l.emptied(p, m, now)
	}
}

// replied takes in a reply: its results, and the window that the node announces.
func (l *lane) replied(p *peer, m *guestMessage, now moment) {
	results := m.results
	newest := m.epoch != p.receipts.epoch || m.seq > p.receipts.newest
	if !p.receipts.came(m.epoch, m.seq) {
		return // it was sent again, and its first copy did arrive
	}
	if newest && len(p.receipts.missing) > 0 && now-p.pinged >= mendEvery {
		l.ping(p, now)
	}
	l.closed = 0 // a node that is full serves the function too
	busy := false
	for i := range results {
		if r := &results[i]; l.settle(p, r) && r.status == call.Busy {
			busy = true
			l.refusals++
		} else if r.status != call.Busy {
			l.refusals = 0
		}
	}
	if newest {
		if p.window = int(m.window); busy {
			p.window = min(p.window, len(p.flight))
		}
	}
	if busy && l.refusals > 1 { // stop trying one by one: wait for whoever has room to say so
		for _, o := range l.order {
			o.window = min(o.window, len(o.flight))
		}
	}
	l.pump(now)
	if p.receipts.confirmed()-p.receipts.acked >= confirmEvery {
		l.tell(p, nil, p.told, now)
	}
}

// settle gives a task the outcome in a result, or takes it back if that is busy. False: the result is late.
func (l *lane) settle(p *peer, r *result) bool {
	s := p.flight[r.number]
	if s == nil && l.door != nil && l.door.task.Number() == r.number {
		s = l.door.task
	}
	if s == nil || int(s.Attempt) != r.attempt {
		l.do.stray(r.number, r.outcome)
		return false
	}
	if s.at == nil {
		l.answered()
	} else {
		delete(p.flight, r.number)
		l.inflight--
		s.at = nil
	}
	switch {
	case s.ended:
		l.do.stray(r.number, r.outcome)
	case r.status == call.Busy:
		l.backlog.pushFront(s)
	default:
		if r.outcome.Blob != nil && p.worker == nil {
			r.outcome.Blob.From = p.id
		}
		l.do.finish(s, r.outcome)
	}
	return true
}

// offered takes in the word that a node has room. If there is nothing to send, or it has said that it takes no more, it is told so, and keeps the slot
// for nobody.
func (l *lane) offered(p *peer, m *guestMessage, now moment) {
	l.closed = 0
	p.window = max(int(m.window), len(p.flight)+1)
	before := len(p.flight)
	if l.door != nil && !l.backlog.empty() { // the knocking task takes another slot
		l.sendTo(p, now)
	}
	l.pump(now)
	if len(p.flight) == before {
		l.tell(p, nil, !l.backlog.empty() && p.there(), now)
	}
}

// each calls f for every task of the lane.
func (l *lane) each(f func(s *submission)) {
	for _, s := range l.backlog.drain() {
		f(s)
	}
	for _, p := range l.order {
		for _, s := range p.flight {
			f(s)
		}
	}
	if l.door != nil {
		f(l.door.task)
	}
}

// restless says whether there is something for look to do.
func (l *lane) restless() bool {
	return l.inflight > 0 || l.door != nil || !l.backlog.empty() || slices.ContainsFunc(l.order, func(p *peer) bool { return p.left != 0 })
}
