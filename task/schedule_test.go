package task

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"manta/internal/call"
	"manta/internal/member"
)

func cpus(n float64) map[string]float64 { return map[string]float64{member.CPU: n} }

func needs(n float64) member.Amounts {
	need, err := member.NewAmounts(cpus(n))
	if err != nil {
		panic(err)
	}
	return need
}

var someNeeds = []map[string]float64{
	cpus(0.25), cpus(0.5), cpus(1), cpus(1), cpus(1), {}, {"gpu": 1}, {member.CPU: 1, "gpu": 0.5},
}

// Under any schedule: every task has one outcome, none runs twice while its node lives, or where its strategy does not allow it, nothing
// exceeds what a node has, and no slot is free and unoffered while a lane waits.
func TestUnderAnyScheduleEveryTaskRunsOnceAndNoSlotIsIdle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapid.Uint64().Draw(t, "seed"))
		hosts := rapid.IntRange(1, 4).Draw(t, "hosts")
		for i := range hosts {
			h := w.addHost(map[string]float64{member.CPU: float64(rapid.IntRange(1, 4).Draw(t, "CPUs")), "gpu": 1})
			h.labels = map[string]string{"zone": []string{"eu", "us"}[i%2]}
			if rapid.Bool().Draw(t, "an actor") {
				w.actor(h, needs(1), time.Duration(w.rng.Int64N(int64(20*time.Millisecond))), 500*time.Millisecond)
			}
		}
		w.drop = rapid.SampledFrom([]float64{0, 0, 0.01, 0.05, 0.2}).Draw(t, "loss")
		killed := 0
		tasks := 0
		for range rapid.IntRange(1, 4).Draw(t, "owners") {
			o := w.addOwner()
			for range rapid.IntRange(1, 3).Draw(t, "lanes") {
				last := w.hosts[hosts-1] // which lives
				l := o.placed(of(rapid.SampledFrom(someNeeds).Draw(t, "need")), rapid.SampledFrom([]call.Placing{
					{}, {}, {Spread: true}, {Node: last.id}, {Node: last.id, Soft: true},
					{Labels: selector("zone=" + last.labels["zone"])}, {Spread: true, Labels: selector("zone in (eu, us), gpu!=a100")},
				}).Draw(t, "placing"))
				n := rapid.IntRange(1, 150).Draw(t, "tasks")
				tasks += n
				longest := rapid.SampledFrom([]time.Duration{10 * time.Microsecond, time.Millisecond, 30 * time.Millisecond}).Draw(t, "longest")
				spread := rapid.SampledFrom([]time.Duration{1, 50 * time.Millisecond}).Draw(t, "spread")
				for range n {
					w.after(time.Duration(w.rng.Int64N(int64(spread))), func() {
						o.submit(l, time.Duration(w.rng.Int64N(int64(longest))+1), 100)
					})
				}
				o.open += n // and what is not submitted yet
				w.after(spread, func() { o.open -= n })
			}
		}
		if hosts > 1 && rapid.Bool().Draw(t, "a kill") {
			killed = 1
			w.after(rapid.SampledFrom([]time.Duration{time.Millisecond, 20 * time.Millisecond}).Draw(t, "kill after"), func() { w.kill(w.hosts[0]) })
		}
		if !w.runUntilDone(10 * time.Minute) {
			t.Fatalf("not done after 10 minutes of virtual time: %s", w.state())
		}
		for _, b := range w.broken {
			t.Error(b)
		}
		ended := 0
		for _, o := range w.owners {
			for n, k := range o.results {
				ended++
				if k != 1 || o.failed[n] {
					t.Errorf("task %d has %d outcomes, failed: %v", n, k, o.failed[n])
				}
			}
		}
		if ended != tasks {
			t.Errorf("%d of %d tasks have an outcome", ended, tasks)
		}
		if killed == 0 {
			for i, h := range w.hosts {
				for r, k := range h.ran {
					if k > 1 && len(w.owners) == 1 {
						t.Errorf("task %d ran %d times on host %d", r.number, k, i)
					}
				}
			}
		}
	})
}

// state says where tasks are, for a failure.
func (w *world) state() (s string) {
	for i, o := range w.owners {
		for _, l := range o.lanes {
			s += fmt.Sprintf("\nowner %d lane %d: %d queued, %d in flight, door %v, %d refusals", i, l.number, l.backlog.len(), l.inflight, l.door != nil, l.refusals)
			for _, p := range l.order {
				s += fmt.Sprintf("\n  peer %v: window %d, %d there, told %v, dead %v, missing %v", p.id, p.window, len(p.flight), p.told, p.dead, p.receipts.missing)
			}
		}
	}
	for _, h := range w.hosts {
		s += fmt.Sprintf("\nhost %v: dead %v, %d held, %d in line, %d open, %d queued", h.id, h.dead, h.held, len(h.slots.line), len(h.slots.open), len(h.slots.queued))
	}
	return s
}

func TestLongTasksLandExactlyOneASlot(t *testing.T) {
	for _, owners := range [][]int{{8}, {1, 3, 1, 3}} {
		t.Run(fmt.Sprint(owners), func(t *testing.T) {
			for seed := range uint64(300) {
				w := newWorld(seed)
				w.addHost(cpus(4))
				w.addHost(cpus(4))
				for _, n := range owners {
					o := w.addOwner()
					l := o.lane(needs(1))
					for range n {
						o.submit(l, 500*time.Millisecond, 3)
					}
				}
				begun := w.now
				if !w.runUntilDone(time.Minute) || len(w.broken) > 0 {
					t.Fatalf("seed %d: %v %s", seed, w.broken, w.state())
				}
				if took := w.now - begun; took > 510*time.Millisecond {
					t.Errorf("seed %d: it took %v", seed, took)
				}
				if a, b := len(w.hosts[0].ran), len(w.hosts[1].ran); a != 4 && len(owners) == 1 {
					t.Errorf("seed %d: %d and %d ran", seed, a, b)
				}
			}
		})
	}
}

func TestATwoPoolsWorthOfTasksTakesLittleMoreThanALocalPool(t *testing.T) {
	for _, c := range []struct {
		hosts, cpus, tasks int
		took               time.Duration
		most               float64
	}{{3, 2, 600, 10 * time.Millisecond, 1.03}, {10, 2, 400, 50 * time.Millisecond, 1.02}} {
		w := newWorld(1)
		for range c.hosts {
			w.addHost(cpus(float64(c.cpus)))
		}
		o := w.addOwner()
		l := o.lane(needs(1))
		begun := w.now
		for range c.tasks {
			o.submit(l, c.took, 3)
		}
		if !w.runUntilDone(time.Minute) || len(w.broken) > 0 {
			t.Fatalf("%v %s", w.broken, w.state())
		}
		ideal := time.Duration(c.tasks/c.hosts/c.cpus) * c.took
		if ratio := float64(w.now-begun) / float64(ideal); ratio > c.most {
			t.Errorf("%d tasks of %v took %.3f of what a local pool takes", c.tasks, c.took, ratio)
		}
	}
}

func TestASingleTaskDoesNotWaitForAFlood(t *testing.T) {
	for _, c := range []struct{ took, most time.Duration }{
		{100 * time.Microsecond, 10 * time.Millisecond}, {5 * time.Millisecond, 25 * time.Millisecond}, {100 * time.Millisecond, 250 * time.Millisecond},
	} {
		w := newWorld(2)
		for range 2 {
			w.addHost(cpus(4))
		}
		flood, single := w.addOwner(), w.addOwner()
		l, alone := flood.lane(needs(1)), single.lane(needs(1))
		for range 20_000 {
			flood.submit(l, c.took, 3)
		}
		w.run(w.now + 10*c.took)
		worst := time.Duration(0)
		for range 20 {
			n := single.submit(alone, 10*time.Microsecond, 3)
			for single.open > 0 && len(w.events) > 0 {
				w.run(w.events[0].at)
			}
			worst = max(worst, single.ended[n]-single.begun[n])
		}
		if flood.open == 0 {
			t.Error("the flood was over")
		}
		if worst > c.most {
			t.Errorf("beside a flood of tasks of %v one took %v", c.took, worst)
		}
		if len(w.broken) > 0 {
			t.Error(w.broken[0])
		}
	}
}

func TestShortTasksAreNotDelayedByLongOnes(t *testing.T) {
	w := newWorld(3)
	for range 2 {
		w.addHost(cpus(8))
	}
	o := w.addOwner()
	short, long := o.lane(needs(1)), o.lane(needs(1))
	for range 10 {
		o.submit(long, time.Second, 3)
	}
	begun := w.now
	var last uint64
	for range 1000 {
		last = o.submit(short, time.Millisecond, 3)
	}
	w.runUntilDone(time.Minute)
	if took := o.ended[last] - begun; took > 250*time.Millisecond { // 1,000 ms of work on the 6 slots that are left
		t.Errorf("the short tasks took %v", took)
	}
}

func TestALaneStopsTryingFullNodesOneByOne(t *testing.T) {
	w := newWorld(4)
	for range 50 {
		w.addHost(cpus(1))
	}
	first, second := w.addOwner(), w.addOwner()
	all, late := first.lane(needs(1)), second.lane(needs(1))
	for range 49 {
		first.submit(all, 10*time.Second, 3)
	}
	w.run(w.now + 100*time.Millisecond)
	n := second.submit(late, time.Microsecond, 3)
	w.run(w.now + 20*time.Millisecond)
	refused := int64(0)
	for _, h := range w.hosts {
		for _, r := range h.runs {
			refused += r.refused
		}
	}
	if second.results[n] != 1 || refused > 5 {
		t.Errorf("of 50 nodes one has room: %d outcomes after 20 ms, %d times refused", second.results[n], refused)
	}
}

func TestNothingRunsTwiceWhenNodesDrainAndLeave(t *testing.T) {
	t.Run("one that stays submits", func(t *testing.T) { drainAndLeave(t, func(o *simOwner) member.ID { return o.id }) })
	t.Run("the first to leave submits", func(t *testing.T) { drainAndLeave(t, func(o *simOwner) member.ID { return o.w.hosts[0].id }) })
}

// drainAndLeave has two of three nodes leave while tasks are submitted by an owner of that name.
func drainAndLeave(t *testing.T, name func(o *simOwner) member.ID) {
	for seed := range uint64(100) {
		w := newWorld(seed)
		for range 3 {
			w.addHost(cpus(2))
		}
		o := w.addOwner()
		o.id = name(o)
		l := o.lane(needs(1))
		for range 300 {
			w.after(time.Duration(w.rng.Int64N(int64(100*time.Millisecond))), func() { o.submit(l, time.Duration(w.rng.Int64N(int64(3*time.Millisecond))), 0) })
		}
		for i, h := range w.hosts[:2] {
			w.after(time.Duration(20+40*i)*time.Millisecond, func() { w.leave(h) })
		}
		w.run(w.now + 2*time.Second)
		if len(w.broken) > 0 || len(o.results) != 300 || len(o.failed) > 0 {
			t.Fatalf("seed %d: %v, %d results, %d failed %s", seed, w.broken, len(o.results), len(o.failed), w.state())
		}
		if _, more := w.ranOnce(); more > 0 {
			t.Errorf("seed %d: %d tasks ran twice", seed, more)
		}
	}
}

func TestOfANodeThatWasStoppedNoAttemptRunsTwice(t *testing.T) {
	for seed := range uint64(200) {
		w := newWorld(seed)
		for range 3 {
			w.addHost(cpus(2))
		}
		o := w.addOwner()
		l := o.lane(needs(1))
		for range 400 {
			w.after(time.Duration(w.rng.Int64N(int64(8*time.Second))), func() { o.submit(l, time.Duration(w.rng.Int64N(int64(50*time.Millisecond))), 3) })
		}
		w.after(time.Duration(w.rng.Int64N(int64(2*time.Second))), func() { w.pause(w.hosts[0], 2500*time.Millisecond, 4*time.Second) })
		w.run(w.now + 20*time.Second)
		if len(w.broken) > 0 || len(o.results) != 400 || len(o.failed) > 0 {
			t.Fatalf("seed %d: %v, %d results, %d failed %s", seed, w.broken, len(o.results), len(o.failed), w.state())
		}
		attempts := make(map[run]int)
		for _, h := range w.hosts {
			for r, k := range h.ran {
				attempts[r] += k
			}
		}
		for r, k := range attempts {
			if k > 1 {
				t.Errorf("seed %d: attempt %d of task %d ran %d times", seed, r.attempt, r.number, k)
			}
		}
	}
}

func TestALossIsNoticedWithinHalfASecond(t *testing.T) {
	for seed := range uint64(50) {
		w := newWorld(seed)
		for range 3 {
			w.addHost(cpus(4))
		}
		o := w.addOwner()
		l := o.lane(needs(1))
		for range 12 {
			o.submit(l, 10*time.Second, 0)
		}
		w.run(w.now + time.Second)
		w.kill(w.hosts[0])
		killed := w.now
		w.run(w.now + time.Second)
		if len(o.failed) != 4 {
			t.Fatalf("seed %d: %d tasks failed, want the 4 that the dead host held", seed, len(o.failed))
		}
		for n := range o.failed {
			if took := o.ended[n] - killed; took > 500*time.Millisecond {
				t.Errorf("seed %d: it was noticed after %v", seed, took)
			}
		}
	}
}

func TestLostFramesCostLittle(t *testing.T) {
	undisturbed := time.Duration(0)
	for _, loss := range []float64{0, 0.01, 0.05} {
		w := newWorld(5)
		w.drop = loss
		for range 3 {
			w.addHost(cpus(2))
		}
		o := w.addOwner()
		l := o.lane(needs(1))
		begun := w.now
		for range 3_000 {
			o.submit(l, time.Millisecond, 3)
		}
		if !w.runUntilDone(time.Minute) || len(w.broken) > 0 {
			t.Fatalf("%v %s", w.broken, w.state())
		}
		took := w.now - begun
		if _, more := w.ranOnce(); more > 0 || len(o.failed) > 0 {
			t.Errorf("at %v loss %d ran twice, %d failed", loss, more, len(o.failed))
		}
		t.Logf("at %v loss: %v, %d pings", loss, took, o.pinged)
		if loss == 0 {
			undisturbed = took
		}
		if took > 3*undisturbed {
			t.Errorf("at %v loss it took %v, without %v", loss, took, undisturbed)
		}
	}
}
