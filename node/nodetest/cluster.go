package nodetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"manta/node"
)

// startTimeout bounds how long a cluster may take to form, and what else is waited for.
const startTimeout = 20 * time.Second

// awaitEvery is how often Await looks.
const awaitEvery = 5 * time.Millisecond

// Cluster is a number of nodes in this process, on NATS servers in this process or elsewhere.
type Cluster struct {
	tb      testing.TB
	servers servers
	nodes   []*member
	seed    uint64 // of what Drop drops
	rate    float64
}

// member is a node with what a test may do to it.
type member struct {
	node  *node.Node
	ctx   context.Context
	cable *cable
}

// Start starts n nodes and returns when each of them knows all. They are closed when the test ends. Whatever goes wrong
// fails the test.
func Start(tb testing.TB, n int, opts ...Option) *Cluster {
	tb.Helper()
	set := settingsOf(opts)
	c := &Cluster{tb: tb, seed: set.seed}
	var err error
	if c.servers, err = set.run(n); err != nil {
		tb.Fatalf("nodetest: %v", err)
	}
	tb.Cleanup(c.close)
	for range n {
		c.add(set)
	}
	return c
}

// Add starts one more node and returns its index when all nodes know it. In a Routed cluster it comes with one more server. What
// says where the servers are, as Routed does, is for Start alone.
func (c *Cluster) Add(opts ...Option) int {
	c.tb.Helper()
	set := settingsOf(opts)
	if set.routed || set.url != "" || set.seed != 0 {
		c.tb.Fatalf("nodetest: Routed, At and Seed are options of Start, not of Add")
	}
	return c.add(set)
}

func (c *Cluster) add(set settings) int {
	c.tb.Helper()
	i := len(c.nodes)
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	wire, err := c.servers.plug(ctx, i)
	if err != nil {
		c.tb.Fatalf("nodetest: the server of node %d: %v", i, err)
	}
	cfg := node.Config{
		Name: fmt.Sprintf("node-%d", i), CPUs: 4, Storage: jetstream.MemoryStorage, URL: c.servers.url, Options: wire.options(),
		Replicas: c.servers.replicas(), SharedDir: "off", // its nodes are in one process
	}
	for _, change := range set.changes {
		change(i, &cfg)
	}
	started, nodeCtx, err := node.Start(ctx, cfg)
	if err != nil {
		c.tb.Fatalf("nodetest: node %d: %v", i, err)
	}
	c.nodes = append(c.nodes, &member{node: started, ctx: nodeCtx, cable: wire})
	c.AwaitMembers(c.alive()...)
	if c.rate > 0 {
		c.drop(i)
	}
	return i
}

// Node returns node i, counted from 0.
func (c *Cluster) Node(i int) *node.Node { return c.nodes[i].node }

// Context returns a ctx that carries node i and ends with the node.
func (c *Cluster) Context(i int) context.Context { return c.nodes[i].ctx }

// Connect returns a plain NATS client on the cluster's server, for testing what any NATS client sees; of several servers it is
// the first that was not killed. It is closed when the test ends. No fault of a node touches it.
func (c *Cluster) Connect() *nats.Conn {
	c.tb.Helper()
	nc, err := c.servers.connect()
	if err != nil {
		c.tb.Fatalf("nodetest: a plain client: %v", err)
	}
	c.tb.Cleanup(nc.Close)
	return nc
}

// AwaitMembers waits until the nodes of these indices know each other, and nobody else.
func (c *Cluster) AwaitMembers(indices ...int) {
	c.tb.Helper()
	want := make(map[string]bool)
	for _, i := range indices {
		want[c.nodes[i].node.ID()] = true
	}
	for _, i := range indices {
		ctx, cancel := context.WithTimeout(c.nodes[i].ctx, startTimeout)
		err := node.AwaitMembers(ctx, func(members []node.Info) bool {
			for _, m := range members {
				if !want[m.ID] {
					return false
				}
			}
			return len(members) == len(want)
		})
		cancel()
		if err != nil {
			c.tb.Fatalf("nodetest: node %d does not know nodes %v: %v", i, indices, err)
		}
	}
}

// Await waits until something holds, which it looks at every 5 ms; what names it if it never does.
func (c *Cluster) Await(what string, holds func() bool) {
	c.tb.Helper()
	look := time.NewTicker(awaitEvery)
	defer look.Stop()
	for begun := time.Now(); !holds(); {
		if time.Since(begun) > startTimeout {
			c.tb.Fatalf("nodetest: %s: not within %v", what, startTimeout)
		}
		<-look.C
	}
}

// alive returns the indices of the nodes that were not killed or closed.
func (c *Cluster) alive() (indices []int) {
	for i, m := range c.nodes {
		if m.ctx.Err() == nil && !m.cable.isCut() {
			indices = append(indices, i)
		}
	}
	return indices
}

func (c *Cluster) close() {
	for _, m := range c.nodes { // what ends in order needs its connection
		m.cable.drop(0)
		m.cable.delays(0)
		m.cable.pause(false)
	}
	for i := len(c.nodes) - 1; i >= 0; i-- {
		if err := c.nodes[i].node.Close(); err != nil {
			c.tb.Errorf("nodetest: closing node %d: %v", i, err)
		}
	}
	c.servers.close()
}
