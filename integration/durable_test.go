package integration

import (
	"slices"
	"testing"
	"time"

	"manta/integration/process/line"
)

// storeDurable has a process submit durable tasks, and returns their ids once all are stored.
func (p *process) storeDurable(c line.Command) (ids []string) {
	p.t.Helper()
	c.Durable = true
	p.submit(c)
	p.some(c.Count, line.Stored, c.Tag)
	for _, e := range only(p.events.all(), line.Stored, c.Tag) {
		if e.Error != "" {
			p.t.Fatalf("task %d was not stored: %s", e.N, e.Error)
		}
		ids = append(ids, e.Task)
	}
	return ids
}

// fetch has a process wait for the results of durable tasks, which are their numbers.
func (p *process) fetch(ids []string, tag string) {
	p.t.Helper()
	p.tell(line.Command{Do: "fetch", IDs: ids, Tag: tag})
	if done := p.done(tag); done.OK != len(ids) {
		p.t.Errorf("%d of %d durable tasks have a value", done.OK, len(ids))
	}
	for _, e := range only(p.events.all(), line.Result, tag) {
		if e.Error != "" || e.Value != e.N || e.Task != ids[e.N] {
			p.t.Errorf("task %d has %d, %s", e.N, e.Value, e.Error)
		}
	}
}

// reader starts a process that has nothing to do with what was submitted before.
func (c *cluster) reader() *process {
	c.t.Helper()
	return launch(c.t, "reader", "-client-only", "-url", c.url).ready()
}

func TestResultsOfDurableTasksAreFetchedAfterTheirOwnerWasKilled(t *testing.T) {
	long(t)
	together(t, same(2, worker{cpus: 4}), func(t *testing.T, c *cluster) {
		const tasks = 200
		owner := c.owner()
		ids := owner.storeDurable(line.Command{Func: "sleep", Count: tasks, Micros: 20_000, Tag: "x"})
		owner.kill()
		c.reader().fetch(ids, "fetched")
		noAttemptTwice(t, c.ran("x"))
	})
}

func TestDurableTasksOfAKilledWorkerRunElsewhereAndEachHasOneResult(t *testing.T) {
	long(t)
	together(t, same(3, worker{cpus: 4}), func(t *testing.T, c *cluster) {
		const tasks = 5000
		owner := c.owner()
		ids := owner.storeDurable(line.Command{Func: "sleep", Count: tasks, Micros: 5_000, Tag: "x"})
		victim := c.workers[1]
		victim.some(20, line.Start, "x")
		victim.kill()
		killed := time.Now()
		if done := owner.done("x"); done.OK != tasks {
			t.Errorf("%d of %d tasks have a value", done.OK, tasks)
		}
		oneResultEach(t, owner, "x", tasks)
		t.Logf("all had results %v after the kill", time.Since(killed))
		c.reader().fetch(ids, "fetched")
		noAttemptTwice(t, c.ran("x"))
		again := slices.ContainsFunc(starts(c.ran("x")), func(e line.Event) bool { return e.Attempt == 2 })
		if !again {
			t.Error("no task was handed over again: the node died without one")
		}
	})
}

func TestDurableTasksWaitThroughARestartOfTheServer(t *testing.T) {
	long(t)
	t.Parallel()
	c := oneServer(t, same(1, worker{cpus: 2}))
	const tasks = 300
	owner := c.owner()
	ids := owner.storeDurable(line.Command{Func: "sleep", Count: tasks, Micros: 20_000, Tag: "x"})
	c.workers[0].some(20, line.Start, "x")
	c.server.kill()
	owner.kill()
	c.server.start(t)
	c.reader().fetch(ids, "fetched")
}

// put has a process make a durable object of so many numbers, and returns its id once it is stored.
func (p *process) put(numbers int, tag string) (id string) {
	p.t.Helper()
	p.tell(line.Command{Do: "put", Count: numbers, Tag: tag})
	e := p.first(line.Stored, tag)
	if e.Error != "" {
		p.t.Fatalf("an object of %d numbers was not stored: %s", numbers, e.Error)
	}
	return e.Task
}

// tried has a process read or free durable objects, and returns what came of it.
func (p *process) tried(do string, ids []string, tag string) []line.Event {
	p.t.Helper()
	p.tell(line.Command{Do: do, IDs: ids, Tag: tag})
	p.done(tag)
	return only(p.events.all(), line.Result, tag)
}

func TestDurableObjectsAreReadAfterTheirOwnerWasKilledUntilAnotherProcessFreesThem(t *testing.T) {
	together(t, same(1, worker{cpus: 1}), func(t *testing.T, c *cluster) {
		owner := c.owner()
		sizes := []int{10, 1_000_000}
		ids := []string{owner.put(sizes[0], "small"), owner.put(sizes[1], "large")}
		owner.kill()
		for _, reader := range []*process{c.reader(), c.workers[0]} {
			for i, e := range reader.tried("read", ids, "read") {
				if e.Error != "" || e.Value != sizes[i] {
					t.Errorf("%s reads %d of %d numbers, %s", reader.name, e.Value, sizes[i], e.Error)
				}
			}
		}
		for _, e := range c.reader().tried("free", ids, "free") {
			if e.Error != "" {
				t.Errorf("freeing one: %s", e.Error)
			}
		}
		for _, e := range c.reader().tried("read", ids, "freed") {
			if e.Code != "freed" {
				t.Errorf("a freed one has %d numbers, %s", e.Value, e.Error)
			}
		}
	})
}
