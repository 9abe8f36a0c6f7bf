package integration

import (
	"encoding/json"
	"slices"
	"strconv"
	"testing"
	"time"

	"manta/integration/process/line"
)

// A cluster is the processes of a test.
type cluster struct {
	t       *testing.T
	noticed time.Duration // bounds the time from a node's end, or from when it stops, until its tasks start elsewhere
	server  *server       // nil if the servers are inside the workers
	url     string        // where owners connect; of the first worker, if the servers are inside
	workers []*process
	owners  []*process
	former  []*process // workers that were restarted, as they were before
}

// A worker is what a process that serves tasks offers.
type worker struct {
	cpus      int
	resources map[string]float64
}

func (w worker) flags(t *testing.T) []string {
	flags := []string{"-cpus", strconv.Itoa(w.cpus)}
	if len(w.resources) > 0 {
		text, err := json.Marshal(w.resources)
		if err != nil {
			t.Fatal(err)
		}
		flags = append(flags, "-resources", string(text))
	}
	return flags
}

// same is n workers alike.
func same(n int, w worker) (workers []worker) {
	for range n {
		workers = append(workers, w)
	}
	return workers
}

// A topology is a way in which processes and servers are connected.
type topology struct {
	name  string
	start func(t *testing.T, workers []worker) *cluster
}

var topologies = []topology{{"one server", oneServer}, {"three routed servers", routedServers}}

// onEvery runs a test on every topology.
func onEvery(t *testing.T, workers []worker, test func(t *testing.T, c *cluster)) {
	for _, topology := range topologies {
		t.Run(topology.name, func(t *testing.T) { test(t, topology.start(t, workers)) })
	}
}

// together is onEvery for tests that do not mind others beside them.
func together(t *testing.T, workers []worker, test func(t *testing.T, c *cluster)) {
	for _, topology := range topologies {
		t.Run(topology.name, func(t *testing.T) {
			t.Parallel()
			test(t, topology.start(t, workers))
		})
	}
}

// oneServer has a NATS server in a process of its own, to which all connect. A node's lease lasts 2 s, the server needs up to
// a quarter of a second to end it, and the rest of what a test waits is the machine's.
func oneServer(t *testing.T, workers []worker) *cluster {
	t.Helper()
	c := &cluster{t: t, server: startServer(t), noticed: 5 * time.Second}
	c.url = c.server.url()
	for i, w := range workers {
		c.workers = append(c.workers, launch(t, "worker "+strconv.Itoa(i), append(w.flags(t), "-url", c.url)...))
	}
	for _, p := range c.workers {
		p.ready()
	}
	return c
}

// owner starts a process that only submits, and waits until it knows all workers.
func (c *cluster) owner() *process {
	c.t.Helper()
	p := launch(c.t, "owner "+strconv.Itoa(len(c.owners)), "-client-only", "-url", c.url).ready()
	p.meet(len(c.workers))
	c.owners = append(c.owners, p)
	return p
}

// ran are all starts and ends of tasks with a tag, on all workers.
func (c *cluster) ran(tag string) (events []line.Event) {
	for _, w := range slices.Concat(c.former, c.workers) {
		events = append(events, w.ran(tag)...)
	}
	return events
}

// restart terminates a worker, which must end well, and starts it again as it was.
func (c *cluster) restart(i int) {
	c.t.Helper()
	old := c.workers[i]
	old.terminate()
	if code := old.finish(); code != 0 {
		c.t.Errorf("%s ended with %d", old.name, code)
	}
	c.former = append(c.former, old)
	c.workers[i] = launch(c.t, old.name+" again", old.flags...).ready()
}
