package task

import (
	"testing"
	"time"

	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// speak has a lane hear from a peer what its host has not said.
func (o *simOwner) speak(l *lane) {
	rng := o.w.rng
	p := l.order[rng.IntN(len(l.order))]
	m := &guestMessage{kind: "rrgmol"[rng.IntN(6)], guestHeader: guestHeader{
		host: p.id, lane: l.number, epoch: p.receipts.epoch, seq: p.receipts.newest + uint64(rng.IntN(4)), window: uint32(rng.IntN(3) * rng.IntN(100)),
	}}
	if rng.IntN(3) == 0 {
		m.epoch++
	}
	if rng.IntN(2) == 0 {
		m.seq = rng.Uint64() >> rng.IntN(64)
	}
	number := uint64(rng.IntN(int(o.last) + 2))
	switch m.kind {
	case replyFrame:
		m.results = []result{{number: number, attempt: 1, status: call.Busy}}
		if rng.IntN(2) == 0 {
			m.results[0] = result{number: number, attempt: 1, status: call.Done, outcome: &objstore.Outcome{}}
		}
	case pongFrame:
		m.tick, m.held = uint64(p.ping)-uint64(rng.IntN(3)), []uint64{number}
	case goneFrame:
		m.to = m.seq + uint64(rng.IntN(5))
	}
	l.hear(p, m, o.w.now)
	o.look()
}

func TestEveryTaskHasAnOutcomeWhateverIsSaidInItsHostsName(t *testing.T) {
	for seed := range uint64(100) {
		w := newWorld(seed)
		for range 2 {
			w.addHost(cpus(2))
		}
		o := w.addOwner()
		l := o.lane(needs(1))
		for i := range 50 {
			o.submit(l, time.Duration(w.rng.IntN(20))*time.Millisecond, i%3)
		}
		for range 100 {
			w.after(time.Duration(w.rng.IntN(200))*time.Millisecond, func() { o.speak(l) })
		}
		if begun := w.now; !w.runUntilDone(30 * time.Second) {
			t.Fatalf("seed %d: %d tasks have no outcome after %v", seed, o.open, w.now-begun)
		}
	}
}

// Each pong that says that replies are missing is followed by a ping. Two of those on their way at a time would never end.
func TestAnOlderPongDeniesRepliesToo(t *testing.T) {
	do := &idleActions{}
	l := newLane("f", 0, needs(1), do, 64)
	p := l.join(member.ID{1}, 0, 0)
	for range 2 {
		l.ping(p, 0)
	}
	hear := func(kind byte, seq, tick uint64) {
		l.hear(p, &guestMessage{kind: kind, guestHeader: guestHeader{host: p.id, epoch: 1, seq: seq}, tick: tick}, time.Second)
	}
	hear(replyFrame, 1, 0)
	hear(replyFrame, 1<<40, 0)
	pings := do.pings
	for range 100 {
		hear(pongFrame, 1, uint64(p.ping-1))
	}
	if do.pings > pings || len(p.receipts.missing) > 0 {
		t.Errorf("%d pings follow, and %v are missing", do.pings-pings, p.receipts.missing)
	}
}

func TestAnOfferOfANodeThatHasLeftIsDeclined(t *testing.T) {
	w := newWorld(1)
	w.addHost(cpus(1))
	o := w.addOwner()
	l := o.lane(needs(1))
	l.refusals = 2 // nothing knocks
	p := l.order[0]
	o.hearOf(l, p, leftFrame, 0)
	o.submit(l, time.Millisecond, 0)
	for range 2 {
		p.told = true
		o.hearOf(l, p, offerFrame, 0)
		if p.told || l.inflight > 0 {
			t.Error("it is asked for more, which it would offer for ever")
		}
	}
}

func TestAFrameIsOfTheLaneThatItsOwnerMade(t *testing.T) {
	head := laneHeader{owner: member.ID{2}, generation: 1, lane: 3}
	need := markedNeed(needs(1), "f", 3)
	other := markedNeed(needs(1e6), "f", 4)
	for name, test := range map[string]struct {
		lane     uint64
		function string
		need     []byte
		rejected bool
	}{
		"as it was made":   {3, "f", need, false},
		"another lane":     {4, "f", need, true},
		"another function": {3, "g", need, true},
		"another need":     {3, "f", other, true},
		"without a mark":   {3, "f", call.AppendNeed(nil, needs(1)), false},
	} {
		d, _ := openDesk(t, 1)
		head := head
		head.lane = test.lane
		if err := d.handle(test.function, "reply", true, appendTasks(nil, head, true, test.need, 0), time.Second); (err != nil) != test.rejected {
			t.Errorf("%s: %v", name, err)
		}
		if test.rejected != (len(d.guests) == 0) {
			t.Errorf("%s: %d lanes are known", name, len(d.guests))
		}
	}
	d, _ := openDesk(t, 1)
	if err := d.handle("f", "reply", true, appendTasks(nil, head, true, need, 0), time.Second); err != nil {
		t.Fatal(err)
	}
	ping := pingMessage{laneHeader: head, tick: 1}
	for _, frame := range [][]byte{appendTasks(nil, head, true, need, 0), ping.append(nil)} {
		if err := d.handle("g", "reply", true, frame, time.Second); err == nil {
			t.Error("the lane is another function's too")
		}
	}
}
