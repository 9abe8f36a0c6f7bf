package task

import (
	"testing"
	"time"

	"manta/internal/call"
	"manta/internal/member"
)

// wishOf is the wish of an owner's lane for a number of CPUs.
func wishOf(owner byte, cpus int64) wish {
	return wish{
		lane:    hostLane{member.ID{owner}, "f"},
		refused: call.Request{Need: member.Amounts{member.CPU: cpus}, Args: make([]call.WireArg, 1)},
	}
}

// cpus is what is free.
func cpus(n int64) func() member.Amounts {
	return func() member.Amounts { return member.Amounts{member.CPU: n} }
}

func TestRoomIsOfferedToTheLaneThatWaitsLongest(t *testing.T) {
	var l waitingLine
	now := time.Now()
	a, b, wide := wishOf(1, 1), wishOf(2, 1), wishOf(3, 8)
	for _, w := range []wish{wide, a, b, a} { // a was refused again: it keeps its place
		l.join(w)
	}
	for i, step := range []struct {
		freedBy wish
		free    int64
		want    *wish
	}{
		{a, 1, &b},  // wide does not fit, and a hears of its own room anyway
		{b, 1, nil}, // that is promised to b
		{b, 2, &a},  // beside it there is more
		{b, 9, nil}, // too little for wide beside both
		{b, 10, &wide},
		{b, 99, nil}, // nobody waits
	} {
		got, ok := l.offer(step.freedBy.lane, cpus(step.free), now)
		if ok != (step.want != nil) || ok && got.lane != step.want.lane {
			t.Errorf("step %d: offered to %v, %v", i, got.lane, ok)
		}
	}
	l.join(a)
	l.leave(a.lane)
	if _, ok := l.offer(b.lane, cpus(99), now); ok {
		t.Error("room was offered to a lane that has left")
	}
}

func TestWhatIsPromisedIsKeptForAMoment(t *testing.T) {
	var l waitingLine
	now := time.Now()
	a, b := wishOf(1, 1), wishOf(2, 1)
	l.join(a)
	if w, ok := l.offer(b.lane, cpus(1), now); !ok || w.refused.Args != nil {
		t.Fatalf("offered %+v, %v", w, ok)
	}
	need := a.refused.Need
	for i, step := range []struct {
		lane wish
		free int64
		now  time.Time
		want bool
	}{
		{b, 1, now, false},
		{b, 2, now, true},
		{a, 1, now, true},
		{b, 1, now, true}, // a came
	} {
		if got := l.redeem(step.lane.lane, need, cpus(step.free), step.now); got != step.want {
			t.Errorf("step %d: %v, want %v", i, got, step.want)
		}
	}
	l.join(a)
	l.offer(b.lane, cpus(1), now)
	if !l.redeem(b.lane, need, cpus(1), now.Add(2*promiseFor)) || len(l.promised) > 0 {
		t.Error("a promise lasts for ever")
	}
}
