package integration

import (
	"context"
	"errors"
	"testing"
	"time"

	"manta/bus"
	"manta/integration/process/line"
	"manta/node"
)

// historian joins the cluster from the test's own process.
func (c *cluster) historian() context.Context {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	c.t.Cleanup(cancel)
	n, _, err := node.Start(ctx, node.Config{URL: c.url, Name: "historian", ClientOnly: true})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = n.Close() })
	return n.Context(ctx)
}

// awaits looks until something holds.
func awaits(t *testing.T, ctx context.Context, what string, holds func() (bool, error)) {
	t.Helper()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		ok, err := holds()
		if err != nil && !errors.Is(err, bus.ErrNotFound) {
			t.Fatalf("%s: %v", what, err)
		}
		if ok {
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			t.Fatalf("%s: never", what)
		}
	}
}

func TestWhatKilledProcessesDidIsStillListed(t *testing.T) {
	long(t)
	t.Parallel()
	c := oneServer(t, same(2, worker{cpus: 4})) // it goes on: a stream that is kept once goes with its server
	const tasks = 100
	ctx := c.historian()
	owner, victim := c.owner(), c.workers[1]
	owner.submit(line.Command{Func: "sleep", Count: tasks, Micros: 10_000, Tag: "x"})
	owner.done("x")
	finished := func() (ran map[string]int) {
		l, err := node.ListTasks(ctx, node.Query{Filters: []node.Filter{{Field: "func", Value: "sleep"}, {Field: "state", Value: "finished"}}, Limit: 2 * tasks})
		if err != nil {
			t.Fatal(err)
		}
		ran = make(map[string]int)
		for _, s := range l.Items {
			if !s.Started.IsZero() {
				ran[s.Node]++
			}
		}
		return ran
	}
	sum := func(ran map[string]int) (n int) {
		for _, some := range ran {
			n += some
		}
		return n
	}
	awaits(t, ctx, "all tasks are told of by both their nodes", func() (bool, error) { return sum(finished()) == tasks, nil })
	before := finished()

	victim.kill()
	owner.kill()
	for _, dead := range []*process{victim, owner} {
		awaits(t, ctx, "the end of a killed process is told", func() (bool, error) {
			n, err := node.GetNode(ctx, dead.node())
			return err == nil && n.State == "dead" && !n.Ended.IsZero(), err
		})
	}
	after := finished()
	if sum(after) != tasks || after[victim.node()] != before[victim.node()] || after[victim.node()] == 0 {
		t.Errorf("before the end %v had run, and after it %v", before, after)
	}
}

// node returns the id of the process's node.
func (p *process) node() string {
	p.t.Helper()
	return p.first(line.Ready, "").Node
}
