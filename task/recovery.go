package task

import (
	"maps"
	"slices"

	"manta/internal/member"
)

// bury takes back all tasks that a dead node had.
func (l *lane) bury(p *peer) {
	p.dead, p.window, p.told = true, 0, false
	if l.door != nil && !l.door.ruledOut[p] && p.worker == nil { // no worker is behind it
		l.door.doubtful = true
	}
	l.takeBack(p, func(s *submission) bool { return p.cameBack(s) }, false)
	l.takeBack(p, func(s *submission) bool { return true }, true)
}

// takeBack takes tasks back from a peer, in the order in which they were made: lost ones may have run.
func (l *lane) takeBack(p *peer, which func(s *submission) bool, lost bool) {
	var back []*submission
	for number, s := range p.flight {
		if which(s) {
			delete(p.flight, number)
			l.inflight--
			s.at = nil
			back = append(back, s)
		}
	}
	slices.SortFunc(back, func(a, b *submission) int { return int(int64(b.Number() - a.Number())) })
	for _, s := range back { // the last one first: each goes to the front
		if s.ended || lost && !l.do.lost(s, p) {
			continue
		}
		l.backlog.pushFront(s)
	}
}

// ponged takes in what a node has of the lane. What was sent to it before the ping, and is neither there nor answered, never
// arrived: NATS keeps the order of a connection.
func (l *lane) ponged(p *peer, m *guestMessage, now moment) {
	for _, n := range m.held {
		l.accepted(p, n)
	}
	if m.tick == 0 { // it was not asked
		p.window = int(m.window)
		l.pump(now)
		return
	}
	if m.epoch != p.receipts.epoch && p.receipts.epoch != 0 {
		p.forgetful = true
	}
	tick := uint32(m.tick)
	p.receipts.atMost(m.epoch, m.seq) // it comes behind all that the node has sent: anything beyond that was not the node's
	if !p.receipts.sent(m.epoch, m.seq) {
		if tick == p.ping {
			l.ping(p, now) // replies are missing: they come first
		}
		l.pump(now) // what knocked is found
		return
	}
	there := make(map[uint64]bool, len(m.held))
	for _, n := range m.held {
		there[n] = true
		if s := p.flight[n]; s != nil && s.ended {
			l.cancel(s) // that it is not wanted may have been lost
		}
	}
	l.takeBack(p, func(s *submission) bool { return before(s.tick, tick) && !there[s.Number()] }, p.forgetful)
	p.forgetful = false
	p.window = int(m.window)
	if l.door != nil && tick == p.ping && p.pinged > l.door.sent {
		l.door.ruleOut(p)
		l.judgeDoor()
	}
	l.pump(now)
}

func (l *lane) ping(p *peer, now moment) {
	p.pinged = now
	p.patience = min(max(2*p.patience, silenceFirst), silence)
	p.tick++
	p.ping, p.vouched = p.tick, false
	l.do.ping(l, p, p.ping)
}

// gone takes in a peer's word that it does not keep some replies any more.
func (l *lane) gone(p *peer, m *guestMessage, now moment) {
	if p.receipts.forget(m.epoch, m.seq, m.to) {
		p.forgetful = true
		l.ping(p, now)
	}
}

// leave notes that a node is gone. Its last replies may be on their way: they come before NATS's word that nobody is there, so that is
// asked for.
func (l *lane) leave(id member.ID, now moment) {
	p := l.peers[id]
	if p == nil {
		return
	}
	if p.dead {
		l.remove(p)
		return
	}
	p.left, p.window = now, 0
	l.ping(p, now)
}

// unserved takes in NATS's word that nobody is where a peer was. That of a ping comes after that of all frames before it.
func (l *lane) unserved(p *peer, ping bool, now moment) {
	p.strike()
	if ping && p.left != 0 {
		l.remove(p)
		l.pump(now)
	}
}

// emptied takes in a peer's last word. If all its replies have come, what is still under way there got there too late.
func (l *lane) emptied(p *peer, m *guestMessage, now moment) {
	p.retired, p.quit, p.spoke = true, now, 0
	if p.receipts.sent(m.epoch, m.seq) {
		l.takeBack(p, func(*submission) bool { return true }, false)
		l.pump(now)
	}
}

// remove removes a node that is gone, with all that it had.
func (l *lane) remove(p *peer) {
	l.bury(p)
	if before(l.ticks, p.tick) {
		l.ticks = p.tick
	}
	delete(l.peers, p.id)
	l.order = slices.DeleteFunc(l.order, func(o *peer) bool { return o == p })
	l.judgeDoor()
}

// look does what the clock asks for. reconnected is when this process's connection last came back, 0 for never.
func (l *lane) look(now, reconnected moment) {
	maps.DeleteFunc(l.silent, func(_ member.ID, since moment) bool { return now-since >= silentFor })
	for _, p := range slices.Clone(l.order) {
		p.noteAge(now)
		switch {
		case p.left != 0 && now-p.left >= lastWords:
			l.silent[p.id] = now
			l.remove(p)
			continue
		case !p.look(now, reconnected):
		case p.unlisted:
			l.remove(p)
			continue
		default:
			l.bury(p)
			l.judgeDoor()
		}
		if p.duePing(now) && (len(p.flight) > 0 || now-l.door.sent >= doorSilence) && !p.dead {
			l.ping(p, now)
		}
	}
	if !l.backlog.empty() && now-l.wished >= wishAgain {
		l.wished = now
		for _, p := range l.order {
			p.told = false
			if p.dead && p.left == 0 { // it may be back
				l.tell(p, nil, true, now)
			}
		}
	}
	if !slices.ContainsFunc(l.order, (*peer).there) {
		if l.seeking == 0 {
			l.refusals = 0 // knock again
		}
		if l.door != nil && now-l.door.sent >= doorLost {
			if s := l.answered().task; !s.ended {
				l.backlog.pushFront(s)
			}
		}
	}
	l.pump(now)
}

// ask asks every peer that may have tasks.
func (l *lane) ask(now moment) {
	for _, p := range l.order {
		if len(p.flight) > 0 || l.door != nil {
			l.ping(p, now)
		}
	}
}
