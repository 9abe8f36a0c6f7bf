package integration

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"manta/integration/process/line"
)

// host returns the worker where the actor of a tag lives, and its epoch, by the last of its calls.
func (c *cluster) host(tag string) (*process, uint64) {
	c.t.Helper()
	last, home := line.Event{}, (*process)(nil)
	for _, w := range c.workers {
		for _, e := range only(w.events.all(), line.Start, tag) {
			if e.At > last.At {
				last, home = e, w
			}
		}
	}
	return home, last.Epoch
}

// counting has an owner make an actor and call it, and waits for the first results.
func (c *cluster) counting(tag string) *process {
	c.t.Helper()
	owner := c.owner()
	owner.tell(line.Command{Do: "count", Tag: tag, Micros: 5_000})
	owner.some(20, line.Result, tag)
	return owner
}

// later waits for n results of an epoch after another.
func (p *process) later(n int, epoch uint64, tag string) {
	p.t.Helper()
	p.await("results of a later epoch", func(events []line.Event) bool {
		return n <= len(slices.DeleteFunc(only(events, line.Result, tag), func(e line.Event) bool { return e.Epoch <= epoch }))
	})
}

// lives checks the calls of an actor that ran, or the results that came: epochs follow each other, each counts 1, 2, 3 and so on.
func lives(t *testing.T, events []line.Event) (epochs int) {
	t.Helper()
	slices.SortFunc(events, func(a, b line.Event) int { return int(a.At - b.At) })
	var last line.Event
	for _, e := range events {
		switch {
		case e.Error != "":
			continue
		case e.Epoch < last.Epoch:
			t.Errorf("%s: epoch %d counts to %d after epoch %d counted to %d", e.Node, e.Epoch, e.N, last.Epoch, last.N)
		case e.Epoch == last.Epoch && e.N <= last.N, e.Epoch > last.Epoch && e.N != 1:
			t.Errorf("%s: epoch %d counts to %d after %d in epoch %d", e.Node, e.Epoch, e.N, last.N, last.Epoch)
		}
		if e.Epoch > last.Epoch {
			epochs++
		}
		last = e
	}
	return epochs
}

// Over routed servers an actor comes back too, but not in a time that could be promised: a server that dies takes the leaders of buckets and
// consumers with it. So these tests, as that of the rolling restart, have one server.

func TestAnActorIsBackSoonAfterItsProcessWasKilled(t *testing.T) {
	t.Parallel()
	c := oneServer(t, same(2, worker{cpus: 4}))
	owner := c.counting("x")
	home, epoch := c.host("x")
	killed := time.Now()
	home.kill()
	owner.later(20, epoch, "x")
	owner.tell(line.Command{Do: "enough", Tag: "x"})
	done := owner.done("x")
	results := only(owner.events.all(), line.Result, "x")
	if epochs := lives(t, results); epochs != 2 || done.Failed > 1 {
		t.Errorf("there are %d epochs, and %d calls failed", epochs, done.Failed)
	}
	for _, e := range results {
		if e.Error != "" && e.Code != "unavailable" {
			t.Errorf("a call failed with %s", e.Error)
		}
		if e.Epoch > epoch {
			away := time.Unix(0, e.At).Sub(killed)
			if away > c.noticed {
				t.Errorf("it was away for %v", away)
			}
			t.Logf("it was away for %v", away)
			break
		}
	}
}

func TestAProcessThatWasStoppedDoesNothingForAnActorThatLivesElsewhere(t *testing.T) {
	t.Parallel()
	c := oneServer(t, same(2, worker{cpus: 4}))
	owner := c.counting("x")
	home, epoch := c.host("x")
	home.signal(t, syscall.SIGSTOP)
	owner.later(20, epoch, "x")
	home.signal(t, syscall.SIGCONT)
	owner.meet(2)
	owner.some(len(only(owner.events.all(), line.Result, "x"))+50, line.Result, "x")
	owner.tell(line.Command{Do: "enough", Tag: "x"})
	owner.done("x")
	if epochs := lives(t, only(owner.events.all(), line.Result, "x")); epochs != 2 {
		t.Errorf("the caller saw %d epochs", epochs)
	}
	if epochs := lives(t, withoutStraggler(only(c.ran("x"), line.Start, "x"), epoch)); epochs != 2 {
		t.Errorf("there were %d epochs", epochs)
	}
}

// withoutStraggler leaves out the first call that ran in an epoch after a later one had begun: it may have been about to when its process was stopped, and
// nothing can keep it from that. What is behind it can be kept.
func withoutStraggler(events []line.Event, epoch uint64) []line.Event {
	events = slices.SortedFunc(slices.Values(events), func(a, b line.Event) int { return int(a.At - b.At) })
	later := slices.IndexFunc(events, func(e line.Event) bool { return e.Epoch > epoch })
	if straggler := slices.IndexFunc(events[max(later, 0):], func(e line.Event) bool { return e.Epoch == epoch }); later >= 0 && straggler >= 0 {
		return slices.Delete(events, later+straggler, later+straggler+1)
	}
	return events
}

func TestARollingRestartFailsNoCallAndLosesNoUpdate(t *testing.T) {
	t.Parallel()
	actors := 100
	if testing.Short() {
		actors = 10
	}
	c := oneServer(t, same(3, worker{cpus: 4}))
	owner := c.owner()
	begun := time.Now()
	owner.tell(line.Command{Do: "ledgers", Tag: "x", Count: actors, Micros: 100_000})
	owner.some(1, line.Beat, "x")
	for i := range c.workers {
		c.restart(i)
		owner.meet(len(c.workers))
		owner.some(len(only(owner.events.all(), line.Beat, "x"))+2, line.Beat, "x") // one of them is of calls after the restart alone
	}
	owner.tell(line.Command{Do: "enough", Tag: "x"})
	done := owner.done("x")
	t.Logf("%d calls in %v; actors moved %d times", done.OK, time.Since(begun), done.N)
	if done.Failed > 0 {
		t.Errorf("%d of %d calls failed, or did not count on: %v", done.Failed, done.OK+done.Failed, only(owner.events.all(), line.Result, "")[0])
	}
	if done.N < actors {
		t.Errorf("%d actors moved %d times", actors, done.N)
	}
}

func TestAllActorsOfAProcessThatIsKilledAreBackAndNoneTwice(t *testing.T) {
	actors := 10_000
	if testing.Short() {
		actors = 1_000
	}
	c := oneServer(t, same(1, worker{cpus: 4}))
	owner := c.owner()
	owner.tell(line.Command{Do: "fleet", Tag: "x", Count: actors})
	owner.some(1, line.Done, "x")
	for i := range 2 {
		c.workers = append(c.workers, launch(t, fmt.Sprintf("heir %d", i), append(worker{cpus: 4}.flags(t), "-url", c.url)...).ready())
	}
	owner.meet(3)
	killed := time.Now()
	c.workers[0].kill()
	owner.tell(line.Command{Do: "muster", Tag: "x"})
	owner.some(2, line.Done, "x")
	t.Logf("%d actors were back after %v", actors, time.Since(killed))
	if back := time.Since(killed); back > 30*time.Second {
		t.Errorf("they were back after %v", back)
	}
	for _, done := range only(owner.events.all(), line.Done, "x") {
		if done.OK != actors || done.Failed > 0 {
			t.Errorf("%d of %d answered, %d failed", done.OK, actors, done.Failed)
		}
	}
	lives := make(map[string]int)
	for _, heir := range c.workers[1:] {
		for _, e := range only(heir.events.all(), line.Start, "") {
			lives[e.Tag]++
		}
	}
	if len(lives) != actors {
		t.Errorf("%d actors live again, want %d", len(lives), actors)
	}
	for tag, n := range lives {
		if n != 1 {
			t.Errorf("actor %s lives %d times", tag, n)
		}
	}
}
