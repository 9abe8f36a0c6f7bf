package task

import (
	"testing"
	"time"

	"manta/internal/call"
	"manta/internal/member"
)

// hear has a lane hear from a peer what no host has said.
func (o *simOwner) hearOf(l *lane, p *peer, kind byte, seq uint64, results ...result) {
	m := &guestMessage{guestHeader: guestHeader{host: p.id, lane: l.number, epoch: 1, seq: seq}, kind: kind, results: results}
	l.hear(p, m, o.w.now)
}

func TestALaneWhoseBacklogWasGivenUpSendsWhatComesNext(t *testing.T) {
	w := newWorld(1)
	o := w.addOwner()
	l := o.lane(needs(1))
	for range 3 {
		o.submit(l, time.Millisecond, 0)
	}
	w.run(w.now + time.Second)
	if len(o.failed) != 3 || o.looking {
		t.Fatalf("%d of 3 failed, and the lane is looked after: %v", len(o.failed), o.looking)
	}
	w.addHost(cpus(1))
	n := o.submit(l, time.Millisecond, 0)
	if l.door == nil {
		t.Error("it does not knock")
	}
	w.run(w.now + time.Second)
	if o.results[n] != 1 || o.failed[n] {
		t.Errorf("it has %d outcomes", o.results[n])
	}
}

func TestANodeThatIsFullIsBehindTheDoor(t *testing.T) {
	w := newWorld(1)
	w.addHost(cpus(1))
	o := w.addOwner()
	l := o.lane(needs(1))
	o.last++
	n := o.submit(l, time.Millisecond, 0)
	s := l.door.task
	l.answered()
	s.at, l.inflight, l.closed = l.order[0], 1, w.now // the door was closed, so it was sent to the node itself
	l.order[0].flight[n] = s
	o.hearOf(l, l.order[0], replyFrame, 1, result{number: n, attempt: 1, status: call.Busy})
	if l.closed != 0 {
		t.Error("the lane still takes it that nobody serves the function")
	}
}

func TestATaskThatTookAKnockMayHaveRunWhenItsNodeDies(t *testing.T) {
	w := newWorld(1)
	w.addHost(cpus(1))
	o := w.addOwner()
	l := o.lane(needs(1))
	n := o.submit(l, time.Millisecond, 0)
	l.door.task.tick = 500 // it was under way to another node before
	p := l.order[0]
	l.hear(p, &guestMessage{guestHeader: guestHeader{host: p.id, window: 1}, kind: pongFrame, held: []uint64{n}}, w.now)
	if len(p.flight) != 1 {
		t.Fatal("the node has it")
	}
	l.ping(p, w.now)
	p.strike()
	l.remove(p)
	if !o.failed[n] {
		t.Error("it was taken back as if it had never arrived")
	}
}

func TestATaskThatKnocksIsNotLostWithAWorker(t *testing.T) {
	w := newWorld(1)
	w.addHost(cpus(1))
	o := w.addOwner()
	l := o.lane(needs(1))
	n := o.submit(l, time.Millisecond, 0)
	p := l.join(member.ID{99}, 0, w.now)
	p.worker = &worker{name: "w1"}
	l.door.ruleOut(l.order[0]) // the one node does not have it
	l.remove(p)
	if o.losses[n] > 0 {
		t.Error("it counts as lost with a worker that was not behind the door")
	}
}

func TestANodeThatIsInNoTableIsForgottenWhenItDies(t *testing.T) {
	w := newWorld(1)
	w.addHost(cpus(1))
	o := w.addOwner()
	l := o.lane(needs(1))
	l.order[0].unlisted = true // it spoke before its record came, or after that had gone
	n := o.submit(l, time.Hour, 0)
	w.run(w.now + time.Second)
	w.kill(w.hosts[0])
	w.run(w.now + time.Second)
	if !o.failed[n] || len(l.peers)+len(l.order) > 0 {
		t.Errorf("its task failed: %v, %d peers", o.failed[n], len(l.order))
	}
}

func TestANodeThatWasSilentIsForgottenInTheEnd(t *testing.T) {
	w := newWorld(1)
	h := w.addHost(cpus(1))
	o := w.addOwner()
	l := o.lane(needs(1))
	o.submit(l, time.Hour, 0)
	w.run(w.now + 100*time.Millisecond)
	w.pause(h, 0, 24*time.Hour)
	w.run(w.now + time.Second)
	if len(l.silent) != 1 {
		t.Fatalf("%d nodes may be silent, want 1", len(l.silent))
	}
	l.look(w.now+silentFor, 0)
	if len(l.silent) > 0 {
		t.Error("it may still be silent although NATS has long noticed")
	}
}
