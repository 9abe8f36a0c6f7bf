package task

import (
	"time"

	"manta/internal/member"
)

const (
	// A node that holds tasks is pinged when it has been silent for a while, which grows from silenceFirst to silence as long as it
	// says no more than what it has, and every pingEvery in any case: an answer may be lost though others come.
	silenceFirst = 50 * time.Millisecond
	silence      = 150 * time.Millisecond
	pingEvery    = 500 * time.Millisecond
	// A node at whose subject nobody is for strikesDead looks in a row is dead. That it has just joined, or that this process has just
	// reconnected, is a reason to look longer: interest spreads, and others reconnect, a moment later.
	strikesDead    = 5
	strikesPatient = 40
	newFor         = time.Second
	backFor        = 2 * time.Second
	// vouchedFor is how long a reply vouches that the node is there: frames that follow it do without NATS's word that nobody is, and
	// so without a reply subject, which costs more than a small task itself.
	vouchedFor = time.Millisecond
)

// peer is one node as one lane sees it, or a worker that is none.
//
//	unheard ─► heard of ⇄ unserved (NATS says that nobody is there) ─► dead ─► heard of again
type peer struct {
	lane    *lane
	id      member.ID
	subject string  // where the node takes frames of the lane
	worker  *worker // nil for a node
	joined  moment  // when this process learned of the node
	retired bool    // it drains: it takes no more tasks
	quit    moment  // when it said so itself
	// unlisted says that membership does not know it: it spoke before its record came, or after that had gone. Nobody will say that it left.
	unlisted bool
	left     moment // when membership said that it is gone; 0 if it is there

	window  int                    // how many tasks of the lane may be outstanding there
	flight  map[uint64]*submission // those that are, by number
	told    bool                   // it knows that the lane has more than it may send
	heardOf bool                   // it has said something
	dead    bool                   // NATS says that nobody is there, and has done so for a while

	heard     moment // when it last said something, or was first sent something
	spoke     moment // when its last reply came
	vouched   bool   // the newest frame to it follows that reply closely
	pinged    moment
	patience  time.Duration // how long it may be silent
	unserved  bool          // since it was last heard
	struck    bool          // since the last look
	strikes   int
	tick      uint32 // number of the newest frame that was sent there; it wraps around
	sent      uint32 // number of the newest frame with tasks
	ages      ages
	ping      uint32 // of the newest ping
	bounced   uint32 // frames that reached nobody since it was last heard: the newest ones
	receipts  receipts
	forgetful bool // it cannot say any more what became of some tasks
}

// room is how many more tasks may be sent.
func (p *peer) room() int {
	if !p.there() {
		return 0
	}
	return p.window - len(p.flight)
}

// there says whether the node may be sent anything.
func (p *peer) there() bool { return !p.dead && !p.retired && p.left == 0 }

// String names it to people.
func (p *peer) String() string {
	if p.worker != nil {
		return "worker " + p.worker.name
	}
	return "node " + p.id.String()
}

// hear notes a sign of life.
func (p *peer) hear(now moment) {
	p.heard, p.heardOf = now, true
	p.unserved, p.struck, p.strikes, p.bounced, p.dead = false, false, 0, 0, false
}

// strike notes NATS's word that nobody is there.
func (p *peer) strike() {
	p.unserved, p.struck = true, true
	p.bounced++
}

// cameBack says whether a task was in a frame that reached nobody: it did not run.
func (p *peer) cameBack(s *submission) bool { return before(p.tick-p.bounced, s.tick) }

// before says whether frame a was sent before frame b.
func before(a, b uint32) bool { return int32(b-a) > 0 }

// look counts the strikes, and says whether the node is to be taken for dead.
func (p *peer) look(now, reconnected moment) bool {
	if !p.unserved || p.dead {
		return false
	}
	if p.struck {
		p.struck = false
		p.strikes++
	}
	limit := strikesDead
	if reconnected != 0 && now-reconnected < backFor || !p.heardOf && now-p.joined < newFor {
		limit = strikesPatient
	}
	return p.strikes >= limit
}

// duePing says whether it is time to ask the node what it has.
func (p *peer) duePing(now moment) bool {
	if len(p.flight) == 0 && p.lane.door == nil || p.worker != nil {
		return false
	}
	since := now - p.pinged
	return p.unserved || now-p.heard >= p.patience && since >= p.patience || since >= pingEvery
}
