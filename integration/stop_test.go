package integration

import (
	"slices"
	"strings"
	"syscall"
	"testing"

	"manta/integration/process/line"
)

func TestASecondSignalCancelsWhatRuns(t *testing.T) {
	for _, c := range []struct {
		name   string
		signal syscall.Signal
		code   int
	}{{"SIGTERM", syscall.SIGTERM, 143}, {"interrupt", syscall.SIGINT, 130}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			aSecondSignalCancels(t, c.signal, c.code)
		})
	}
}

func aSecondSignalCancels(t *testing.T, signal syscall.Signal, code int) {
	spot := worker{cpus: 2, resources: map[string]float64{"spot": 2}}
	c := oneServer(t, same(1, spot))
	owner, leaving := c.owner(), c.workers[0]
	owner.submit(line.Command{Func: "cling", Count: 2, Tag: "x", Resources: map[string]float64{"spot": 1}})
	leaving.some(2, line.Start, "x")
	staying := launch(t, "staying", append(spot.flags(t), "-url", c.url)...).ready()
	owner.meet(2)
	leaving.signal(t, signal)
	owner.meet(1) // it drains
	if cut := ends(leaving.ran("x")); len(cut) != 0 {
		t.Errorf("the first signal ended %+v", cut)
	}
	leaving.signal(t, signal)
	if got := leaving.finish(); got != code {
		t.Errorf("the process ended with %d, want %d", got, code)
	}
	leaving.complains("cut short by a second signal", "2 × cling")

	cut := ends(leaving.ran("x"))
	if len(cut) != 2 || slices.ContainsFunc(cut, func(e line.Event) bool { return e.Error == "" }) {
		t.Errorf("the tasks that it cut short ended as %+v", cut)
	}
	owner.done("x")
	allHaveValues(t, owner, "x", 2)
	again := starts(staying.ran("x"))
	if len(again) != 2 || slices.ContainsFunc(again, func(e line.Event) bool { return e.Attempt != 2 }) {
		t.Errorf("on the process that stayed ran %+v, want both again", again)
	}
}

func TestAThirdSignalEndsAProcessWhoseTaskIgnoresItsCtx(t *testing.T) {
	t.Parallel()
	c := oneServer(t, same(1, worker{cpus: 1}))
	owner, leaving := c.owner(), c.workers[0]
	owner.submit(line.Command{Func: "deaf", Count: 1, Tag: "x"})
	leaving.some(1, line.Start, "x")
	leaving.terminate()
	owner.meet(0) // it drains
	leaving.terminate()
	leaving.some(1, line.End, "x")
	leaving.terminate()
	leaving.finish()
	if status := leaving.cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGTERM {
		t.Errorf("the process ended with %v, want it ended by the signal", leaving.cmd.ProcessState)
	}
}

func TestADrainThatTakesTooLongEndsAndNamesWhatRan(t *testing.T) {
	t.Parallel()
	c := oneServer(t, same(1, worker{cpus: 2}))
	leaving := launch(t, "leaving", "-url", c.url, "-resources", `{"here":2}`, "-drain-timeout", "200ms").ready()
	c.workers = append(c.workers, leaving)
	owner := c.owner()
	owner.submit(line.Command{
		Func: "sleep", Count: 2, Micros: patience.Microseconds(), Tag: "x", Resources: map[string]float64{"here": 1}, Retries: new(int),
	})
	leaving.some(2, line.Start, "x")
	leaving.terminate()
	if code := leaving.finish(); code != 1 {
		t.Errorf("the process ended with %d, want 1", code)
	}
	leaving.complains("2 × sleep", "Config.DrainTimeout, 200ms, has passed")
	owner.done("x")
	for _, e := range oneResultEach(t, owner, "x", 2) {
		if e.Code != "worker_lost" {
			t.Errorf("without retries a task that was cut short ended as %+v", e)
		}
	}
}

// complains checks that the process's last words, on stderr, have all of these in them.
func (p *process) complains(words ...string) {
	p.t.Helper()
	said := strings.Join(p.complaints(), "\n")
	for _, want := range words {
		if !strings.Contains(said, want) {
			p.t.Errorf("%s said %q, want it to say %q", p.name, said, want)
		}
	}
}
