package nodetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"manta/node"
	"manta/node/embedded"
)

// startTimeout bounds how long a cluster may take to form.
const startTimeout = 20 * time.Second

// Cluster is a number of nodes on one NATS server in this process.
type Cluster struct {
	tb     testing.TB
	server *embedded.Server
	nodes  []*member
}

// member is a node with what a test may do to it.
type member struct {
	node  *node.Node
	ctx   context.Context
	cable *cable
}

// Option changes the nodes of a cluster.
type Option func(i int, cfg *node.Config)

// CPUs gives each node that many CPUs; the default is 4.
func CPUs(n float64) Option { return func(_ int, cfg *node.Config) { cfg.CPUs = n } }

// Configure changes the configuration of each node, given its index.
func Configure(change func(i int, cfg *node.Config)) Option { return change }

// Start starts n nodes and returns when each of them knows all. They are closed when the test ends. Whatever goes wrong
// fails the test.
func Start(tb testing.TB, n int, opts ...Option) *Cluster {
	tb.Helper()
	srv, err := embedded.RunServer(embedded.Config{})
	if err != nil {
		tb.Fatalf("nodetest: %v", err)
	}
	c := &Cluster{tb: tb, server: srv}
	tb.Cleanup(c.close)
	for range n {
		c.Add(opts...)
	}
	return c
}

// Add starts one more node and returns its index when all nodes know it.
func (c *Cluster) Add(opts ...Option) int {
	c.tb.Helper()
	i := len(c.nodes)
	wire := &cable{server: c.server}
	cfg := node.Config{
		Name: fmt.Sprintf("node-%d", i), CPUs: 4, Storage: jetstream.MemoryStorage,
		Options: []nats.Option{nats.InProcessServer(wire)},
	}
	for _, opt := range opts {
		opt(i, &cfg)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	started, nodeCtx, err := node.Start(ctx, cfg)
	if err != nil {
		c.tb.Fatalf("nodetest: node %d: %v", i, err)
	}
	c.nodes = append(c.nodes, &member{node: started, ctx: nodeCtx, cable: wire})
	c.AwaitMembers(c.alive()...)
	return i
}

// Node returns node i, counted from 0.
func (c *Cluster) Node(i int) *node.Node { return c.nodes[i].node }

// Context returns a ctx that carries node i and ends with the node.
func (c *Cluster) Context(i int) context.Context { return c.nodes[i].ctx }

// Connect returns a plain NATS client on the cluster's server, for testing what any NATS client sees. It is closed when the
// test ends.
func (c *Cluster) Connect() *nats.Conn {
	c.tb.Helper()
	nc, err := nats.Connect(nats.DefaultURL, nats.InProcessServer(c.server)) // the URL is never dialled
	if err != nil {
		c.tb.Fatalf("nodetest: a plain client: %v", err)
	}
	c.tb.Cleanup(nc.Close)
	return nc
}

// Kill cuts node i off from NATS for good, as a crash would: nothing that it does from then on reaches the others, and it
// says no goodbye. What runs on it goes on until the test ends. Kill does not wait until the others have noticed.
func (c *Cluster) Kill(i int) { c.nodes[i].cable.cut() }

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
	for i := len(c.nodes) - 1; i >= 0; i-- {
		if err := c.nodes[i].node.Close(); err != nil {
			c.tb.Errorf("nodetest: closing node %d: %v", i, err)
		}
	}
	c.server.Close()
}
