package member

import (
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"

	"manta/bus"
)

// leaseKey is the key of one lease as a server keeps it.
type leaseKey struct {
	last     uint64 // revision that the bucket gave out
	revision uint64 // of what the key holds; 0: nothing
	value    []byte
	there    bool
	expires  time.Time
}

func (k *leaseKey) expire(now time.Time) (ended bool) {
	if k.there && !now.Before(k.expires) {
		k.last++
		k.there, k.value, k.revision = false, nil, k.last
		return true
	}
	return false
}

func (k *leaseKey) write(value []byte, revision uint64, ttl time.Duration, now time.Time) (uint64, bool) {
	k.expire(now)
	if revision != k.revision {
		return 0, false
	}
	k.last++
	k.revision, k.value, k.there, k.expires = k.last, value, true, now.Add(ttl)
	return k.revision, true
}

func (k *leaseKey) entry(now time.Time) bus.Entry {
	k.expire(now)
	return bus.Entry{Value: k.value, Revision: k.revision, Gone: !k.there}
}

// tenant is a node with its tenure, in a time and on a network that a test decides on.
type tenant struct {
	tenure tenure
	key    leaseKey
	now    time.Time
	record bool
}

func newTenant() *tenant { return &tenant{now: time.Unix(1_000_000, 0)} }

// delivery is what becomes of a request and its answer, and how long they take.
type delivery struct {
	arrives, answered bool
	there, back       time.Duration
}

var perfect = delivery{arrives: true, answered: true}

// step does what tenure says, or lets time pass until it says more, for at most limit.
func (n *tenant) step(d delivery, limit time.Duration) {
	action := n.tenure.next(n.now)
	if action.do == stepWait {
		n.now = n.now.Add(min(limit, action.at.Sub(n.now)))
		return
	}
	sent := n.now
	n.now = n.now.Add(d.there)
	answer := func() {}
	switch arrived := n.now; {
	case !d.arrives:
	case action.do == stepWrite:
		revision, ok := n.key.write(nil, action.revision, LeaseTTL, arrived)
		answer = func() {
			if ok {
				n.tenure.written(sent, n.now, revision)
			} else {
				n.tenure.refused(n.now)
			}
		}
	case action.do == stepLook:
		entry := n.key.entry(arrived)
		answer = func() { n.tenure.found(entry, n.now) }
	case action.do == stepRecord:
		n.record = true
		answer = n.tenure.recorded
	}
	n.now = n.now.Add(d.back)
	switch {
	case d.arrives && d.answered:
		answer()
	case action.do == stepRecord:
		n.tenure.recordFailed(n.now)
	default:
		n.tenure.unanswered(n.now)
	}
}

func (n *tenant) holds() bool { return holds(n.tenure.deadline, n.now) }

// settle runs a tenant on a perfect network for as long as two leases last.
func (n *tenant) settle() {
	for end := n.now.Add(2 * LeaseTTL); n.now.Before(end); {
		n.step(perfect, LeaseTTL)
	}
}

func TestANodeNeverHoldsALeaseThatHasEndedOnTheServer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := newTenant()
		moment := rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.IntRange(0, 1500).Draw(t, "ms")) * time.Millisecond
		})
		reset := time.Time{} // when the store was last lost
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"step", "step", "step", "stall", "claim", "remove", "lose", "hurry"}).Draw(t, "what") {
			case "step":
				n.step(delivery{
					rapid.Bool().Draw(t, "arrives"), rapid.Bool().Draw(t, "answered"), moment.Draw(t, "there"), moment.Draw(t, "back"),
				}, moment.Draw(t, "wait"))
			case "stall": // the process is stopped
				n.now = n.now.Add(2 * moment.Draw(t, "for"))
			case "claim": // as soon as anybody could
				n.key.expire(n.now)
				if !n.key.there && n.key.revision > 0 || n.key.revision == 0 && n.now.Sub(reset) >= pace(0).grace() {
					n.key.write(claimOf(NewID()), n.key.revision, claimTTL, n.now)
				}
			case "remove":
				n.record = false
				n.tenure.missRecord(n.now)
			case "lose":
				n.key, n.record, reset = leaseKey{}, false, n.now
			case "hurry":
				n.tenure.hurry(n.now)
			}
			entry := n.key.entry(n.now)
			switch {
			case n.holds() && claimantOf(entry) != "":
				t.Fatalf("it holds what another has claimed: %+v", entry)
			case n.holds() && entry.Gone && reset.IsZero():
				t.Fatalf("it holds what has ended: %+v", entry)
			}
		}
		n.settle()
		if entry := n.key.entry(n.now); !n.holds() || entry.Gone || claimantOf(entry) != "" {
			t.Fatalf("with a network that works it does not come back: %+v, %+v", n.tenure, entry)
		}
		if n.tenure.recordDue {
			t.Fatal("its record is not written")
		}
	})
}

func TestALeaseTakenAnewComesWithTheRecord(t *testing.T) {
	for name, lose := range map[string]func(*tenant){
		"ended":     func(n *tenant) { n.now = n.now.Add(2 * LeaseTTL) },
		"removed":   func(n *tenant) { n.key.there, n.key.last, n.key.revision = false, n.key.last+1, n.key.last+1 },
		"lost":      func(n *tenant) { n.key = leaseKey{} },
		"gone back": func(n *tenant) { n.key.revision-- },
		"claimed": func(n *tenant) {
			n.now = n.now.Add(2 * LeaseTTL)
			n.key.expire(n.now)
			n.key.write(claimOf(NewID()), n.key.revision, claimTTL, n.now)
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := newTenant()
			n.settle()
			n.record = false
			lose(n)
			n.settle()
			if !n.holds() || !n.record {
				t.Errorf("it holds its lease: %v, its record is there: %v", n.holds(), n.record)
			}
		})
	}
}

func TestARenewalWhoseAnswerWasLostIsNotALeaseTakenAnew(t *testing.T) {
	n := newTenant()
	n.settle()
	n.record = false
	for n.tenure.next(n.now).do == stepWait {
		n.step(perfect, LeaseTTL)
	}
	n.step(delivery{arrives: true}, 0)
	n.settle()
	if !n.holds() || n.record {
		t.Errorf("it holds its lease: %v, its record was written again: %v", n.holds(), n.record)
	}
}

func TestALeaseIsHeldFromWhenTheRenewalWasSent(t *testing.T) {
	n := newTenant()
	sent := n.now
	n.step(delivery{arrives: true, answered: true, there: LeaseTTL / 4, back: LeaseTTL / 4}, 0)
	if !n.holds() || !holds(n.tenure.deadline, sent.Add(LeaseTTL-1)) || holds(n.tenure.deadline, sent.Add(LeaseTTL)) {
		t.Errorf("sent at %v, held until %v", sent, n.tenure.deadline)
	}
}

func TestANodeThatFindsItsLeaseGonePausesAtOnce(t *testing.T) {
	for name, value := range map[string][]byte{"ended": nil, "claimed": claimOf(NewID())} {
		t.Run(name, func(t *testing.T) {
			n := newTenant()
			n.settle()
			n.key.last++
			n.key.revision, n.key.value, n.key.there = n.key.last, value, value != nil
			for looked := false; !looked; {
				looked = n.tenure.next(n.now).do == stepLook
				n.step(perfect, LeaseTTL)
			}
			if n.holds() {
				t.Error("it holds what it knows to be gone")
			}
		})
	}
}

func TestALeaseEndsByWhicheverClockIsAhead(t *testing.T) {
	now := time.Now()
	deadline := now.Add(LeaseTTL)
	if !holds(deadline, now) {
		t.Error("it is not held at all")
	}
	if slept := monotonic(now.Add(LeaseTTL), -LeaseTTL); holds(deadline, slept) {
		t.Error("it is held although the machine slept, which stops the monotonic clock")
	}
	if setBack := monotonic(now, LeaseTTL); holds(deadline, setBack) {
		t.Error("it is held although time has passed, since the clock on the wall was set back")
	}
}

// monotonic moves the monotonic part of a time alone, which package time offers no way to: it is the second word.
func monotonic(at time.Time, d time.Duration) time.Time {
	(*[2]int64)(unsafe.Pointer(&at))[1] += int64(d)
	return at
}
