package task

import (
	"testing"
	"time"

	"manta/internal/call"
	"manta/internal/member"
)

func selector(text string) member.Selector {
	s, err := member.ParseSelectors(text)
	if err != nil {
		panic(err)
	}
	return s
}

// inFlight is how many tasks of a lane each host has, as its owner sees it.
func (w *world) inFlight(l *lane) (counts []int) {
	for _, h := range w.hosts {
		n := 0
		if p := l.peers[h.id]; p != nil {
			n = len(p.flight)
		}
		counts = append(counts, n)
	}
	return counts
}

func (w *world) wantInFlight(t *testing.T, l *lane, want ...int) {
	t.Helper()
	for i, n := range w.inFlight(l) {
		if n != want[i] {
			t.Errorf("the hosts have %v tasks, want %v", w.inFlight(l), want)
			return
		}
	}
}

func TestALaneThatIsSpreadFillsItsNodesEvenly(t *testing.T) {
	for seed := range uint64(100) {
		w := newWorld(seed)
		for _, n := range []float64{16, 2, 64, 4} { // the order is not that of room
			w.addHost(cpus(n))
		}
		o := w.addOwner()
		l := o.placed(needs(1), call.Placing{Spread: true})
		for range 8 {
			o.submit(l, time.Hour, 0)
		}
		w.wantInFlight(t, l, 2, 2, 2, 2)
		for range 4 { // one of the hosts is full
			o.submit(l, time.Hour, 0)
		}
		if full := w.inFlight(l)[1]; full != 2 {
			t.Errorf("a host of 2 CPUs has %d tasks", full)
		}
		w.run(w.now + time.Second)
		if len(w.broken) > 0 {
			t.Fatal(w.broken)
		}
	}
}

func TestALaneThatIsSpreadGoesRoundWhenItsTasksComeOneByOne(t *testing.T) {
	w := newWorld(1)
	for range 4 {
		w.addHost(cpus(8))
	}
	o := w.addOwner()
	l := o.placed(needs(1), call.Placing{Spread: true})
	for range 40 {
		o.submit(l, time.Microsecond, 0)
		for o.open > 0 {
			w.run(w.events[0].at)
		}
	}
	for i, h := range w.hosts {
		if len(h.ran) != 10 {
			t.Errorf("host %d ran %d of 40", i, len(h.ran))
		}
	}
}

func TestALaneThatPrefersANodeGoesElsewhereOnlyWhenItIsFull(t *testing.T) {
	w := newWorld(1)
	for range 3 {
		w.addHost(cpus(4))
	}
	o := w.addOwner()
	l := o.placed(needs(1), call.Placing{Node: w.hosts[1].id, Soft: true})
	for range 4 {
		o.submit(l, 100*time.Millisecond, 0)
	}
	w.wantInFlight(t, l, 0, 4, 0)
	for range 4 {
		o.submit(l, 100*time.Millisecond, 0)
	}
	w.wantInFlight(t, l, 2, 4, 2)
	w.run(w.now + time.Second)
	if len(w.hosts[1].ran) != 4 || o.open > 0 {
		t.Errorf("it ran %d of 8, %d are open", len(w.hosts[1].ran), o.open)
	}
	w.kill(w.hosts[1])
	n := o.submit(l, time.Millisecond, 3)
	w.run(w.now + time.Second)
	if o.results[n] != 1 || o.failed[n] {
		t.Errorf("after its death a task has %d results", o.results[n])
	}
}

func TestALaneOfOneNodeWaitsForIt(t *testing.T) {
	w := newWorld(1)
	for range 3 {
		w.addHost(cpus(2))
	}
	o := w.addOwner()
	l := o.placed(needs(1), call.Placing{Node: w.hosts[2].id})
	for range 6 {
		o.submit(l, 100*time.Millisecond, 0)
	}
	begun := w.now
	if !w.runUntilDone(time.Minute) || len(w.broken) > 0 {
		t.Fatalf("%v %s", w.broken, w.state())
	}
	if took := w.now - begun; took < 300*time.Millisecond || took > 310*time.Millisecond {
		t.Errorf("6 tasks of 100 ms took %v on 2 CPUs", took)
	}
}

// What an idle lane knows of a node may be long out of date: it asks for room, and does not knock.
func TestALaneWithAFilterHearsOfRoomThatItDoesNotKnowOf(t *testing.T) {
	w := newWorld(1)
	w.addHost(cpus(4))
	w.addHost(cpus(4)).labels = map[string]string{"zone": "eu"}
	other, o := w.addOwner(), w.addOwner()
	all, eu := other.placed(needs(4), call.Placing{Node: w.hosts[1].id}), o.placed(needs(1), call.Placing{Labels: selector("zone=eu")})
	other.submit(all, 100*time.Millisecond, 0)
	w.run(w.now + 10*time.Millisecond)
	n := o.submit(eu, time.Millisecond, 0)
	w.run(w.now + 50*time.Millisecond)
	if o.results[n] != 0 || eu.backlog.len() != 1 {
		t.Fatalf("the node is full, and the task has %d results", o.results[n])
	}
	w.run(w.now + 60*time.Millisecond)
	if o.results[n] != 1 {
		t.Error("the slot that became free was not offered")
	}
	n = o.submit(eu, time.Millisecond, 0)
	w.run(w.now + 10*time.Millisecond)
	if o.results[n] != 1 || len(w.broken) > 0 {
		t.Errorf("an idle lane's task has %d results, %v", o.results[n], w.broken)
	}
}

func TestALaneWaitsForANodeThatItsFilterLetsThrough(t *testing.T) {
	w := newWorld(1)
	w.addHost(cpus(4))
	o := w.addOwner()
	l := o.placed(needs(1), call.Placing{Labels: selector("zone in (eu, us)")})
	for range 3 {
		o.submit(l, time.Millisecond, 0)
	}
	w.run(w.now + time.Minute)
	if o.open != 3 {
		t.Fatalf("%d of 3 wait", o.open)
	}
	h := w.addHost(cpus(4))
	h.labels = map[string]string{"zone": "us"}
	h.announce()
	w.run(w.now + time.Second)
	if len(h.ran) != 3 || o.open > 0 || len(w.broken) > 0 {
		t.Errorf("the one that joined ran %d of 3, %v", len(h.ran), w.broken)
	}
}

func TestHowLongAPeerHasHadATaskIsKnownAboutRight(t *testing.T) {
	l := newLane("f", 0, needs(1), &idleActions{}, 64)
	p := l.join(member.ID{1}, 1, 0)
	var all []*submission
	for i := range 1000 {
		s := &submission{tick: uint32(i + 1), at: p}
		p.flight[uint64(i)] = s
		p.sent = s.tick
		p.noteAge(moment(i) * time.Second)
		p.noteAge(moment(i)*time.Second + time.Millisecond) // nothing was sent meanwhile
		all = append(all, s)
	}
	now := 1000 * time.Second
	for i, s := range all {
		if want, got := now-moment(i)*time.Second, p.held(s, now); got > want || got < want*4/5-time.Second {
			t.Fatalf("a task sent %v ago is there for %v", want, got)
		}
	}
	if len(p.ages) > agesLimit {
		t.Errorf("%d ages are kept", len(p.ages))
	}
	clear(p.flight)
	if p.noteAge(now); len(p.ages) > 0 {
		t.Error("they are kept although nothing is under way")
	}
}
