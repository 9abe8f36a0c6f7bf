package nodetest

import (
	"math/rand/v2"
	"time"
)

// Kill cuts node i off from NATS for good, as a crash would: nothing that it does from then on reaches the others, and it
// says no goodbye. What runs on it goes on until the test ends. Its server, if it has one of its own, stays. Kill does not wait
// until the others have noticed.
func (c *Cluster) Kill(i int) { c.nodes[i].cable.cut() }

// KillServer cuts node i off as Kill does and shuts its server down, whose streams are gone with it. The cluster must be
// Routed. A cluster of three goes on, after ten seconds at most if that server led it; one of two has no leader any more.
func (c *Cluster) KillServer(i int) {
	c.tb.Helper()
	if !c.servers.routed {
		c.tb.Fatalf("nodetest: KillServer is for clusters that are Routed: this one has one server for all")
	}
	c.nodes[i].cable.cut()
	c.servers.kill(i)
}

// Pause stops all that passes between node i and NATS, both ways, as a stopped process or a silent network does: nothing is
// lost, and after Resume it goes on where it was. A node that is paused for more than about two seconds loses its lease,
// and for more than about three its connection; it gets another one after Resume.
func (c *Cluster) Pause(i int) { c.nodes[i].cable.pause(true) }

// Resume lets go on what Pause has stopped.
func (c *Cluster) Resume(i int) { c.nodes[i].cable.pause(false) }

// Delay lets what NATS sends to node i arrive so much later, in order, until it is set to 0 again. What comes while something else is on its
// way arrives together with what comes after it, up to as much later once more.
func (c *Cluster) Delay(i int, by time.Duration) {
	c.tb.Helper()
	if by < 0 {
		c.tb.Fatalf("nodetest: Delay(%d, %v): want 0 or more", i, by)
	}
	c.nodes[i].cable.delays(by)
}

// Disconnect breaks node i's connection once, with the loss of what is under way. The node connects again by itself, after a
// tenth of a second.
func (c *Cluster) Disconnect(i int) { c.nodes[i].cable.disconnect() }

// Drop loses that part of the messages between nodes, from 0 for none to 1 for all of them, at random. A message is lost on its
// way from its sender to NATS or from NATS to its receiver, each with this probability, so that of those from node to node
// rate × (2 - rate) are lost. These are Manta's own frames, to any node; JetStream, membership among it, answers of the server
// and plain clients are left alone. The log of the test has the seed, which the option Seed takes to repeat a run as far as
// goroutines allow.
func (c *Cluster) Drop(rate float64) {
	c.tb.Helper()
	if !(rate >= 0 && rate <= 1) {
		c.tb.Fatalf("nodetest: Drop(%v): want a rate from 0 to 1", rate)
	}
	if c.seed == 0 {
		c.seed = 1 + rand.Uint64N(1<<32) // short enough to be typed
	}
	if rate > 0 {
		c.tb.Logf("nodetest: dropping %v of the frames; nodetest.Seed(%d) repeats it", rate, c.seed)
	}
	c.rate = rate
	for i := range c.nodes {
		c.drop(i)
	}
}

// drop makes node i lose messages at the cluster's rate.
func (c *Cluster) drop(i int) {
	c.nodes[i].cable.seed(c.seed, uint64(i))
	c.nodes[i].cable.drop(c.rate)
}

// Dropped returns how many messages Drop has lost so far.
func (c *Cluster) Dropped() int {
	sum := 0
	for _, m := range c.nodes {
		sum += m.cable.dropped()
	}
	return sum
}
