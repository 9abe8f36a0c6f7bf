package task

import (
	"testing"
	"time"

	"manta/internal/member"
)

// of is a need, or what a node has.
func of(quantities map[string]float64) member.Amounts {
	a, err := member.NewAmounts(quantities)
	if err != nil {
		panic(err)
	}
	return a
}

func TestWhatAWideNeedDoesNotLackIsNotKeptForIt(t *testing.T) {
	w := newWorld(1)
	w.addHost(map[string]float64{member.CPU: 2, "gpu": 1})
	holder, o := w.addOwner(), w.addOwner()
	holder.submit(holder.lane(of(map[string]float64{"gpu": 1})), time.Minute, 0)
	w.run(w.now + 10*time.Millisecond)
	both, small := o.lane(of(map[string]float64{member.CPU: 1, "gpu": 1})), o.lane(needs(1))
	o.submit(both, time.Millisecond, 0)
	w.run(w.now + 2*wideAfter) // it stands at the head of the line for a gpu
	n := o.submit(small, time.Millisecond, 0)
	w.run(w.now + time.Second)
	if o.results[n] != 1 {
		t.Error("a task does not get a free CPU while another one waits for a gpu") // the gpu's holder may be waiting for that very task
	}
}

func TestNothingIsKeptForANeedThatTasksCannotMakeRoomFor(t *testing.T) {
	w := newWorld(1)
	h := w.addHost(cpus(2))
	h.slots.capacity.Take(needs(1)) // by an actor
	o := w.addOwner()
	wide, small := o.lane(needs(2)), o.lane(needs(1))
	o.submit(wide, time.Millisecond, 0)
	w.run(w.now + 2*wideAfter)
	n := o.submit(small, time.Millisecond, 0)
	w.run(w.now + time.Second)
	if o.results[n] != 1 {
		t.Error("a CPU is kept for a task that will not run here as long as an actor lives")
	}
}

func TestSlotsAreKeptForAWideNeed(t *testing.T) {
	w := newWorld(1)
	w.addHost(cpus(4))
	o := w.addOwner()
	wide, small := o.lane(needs(4)), o.lane(needs(1))
	for range 400 {
		o.submit(small, time.Duration(8+w.rng.IntN(10))*time.Millisecond, 0)
	}
	w.run(w.now + 20*time.Millisecond)
	n := o.submit(wide, time.Millisecond, 0)
	if w.run(w.now + 2*wideAfter); o.results[n] != 1 {
		t.Error("a wide task waits although every small one is short")
	}
}
