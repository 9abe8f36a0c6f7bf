package nodetest

import (
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"manta/node/embedded"
)

// dialTimeout bounds how long a cable may take to reach a server outside the process.
const dialTimeout = 2 * time.Second

// cable is one node's way to its server, through which all of the node's connections go, one after the other. What may happen
// to it:
//
//	whole ── pause ──► paused ── resume ──► whole ── cut ──► cut, for good
type cable struct {
	server *embedded.Server // nil if it is outside the process

	mu     sync.Mutex
	conns  []*conn
	dead   bool
	paused bool
	moved  chan struct{} // closed and made again whenever paused changes
	rate   float64       // of frames that are dropped
	random [2]*rand.Rand // one a direction, so that neither changes what becomes of the other
	lost   int
	delay  time.Duration // of what comes from the server
}

var (
	errCut    = errors.New("nodetest: the node was cut off by Kill")
	errPaused = errors.New("nodetest: the node's way to NATS is stopped by Pause")
)

func newCable(server *embedded.Server) *cable {
	return &cable{server: server, moved: make(chan struct{})}
}

// InProcessConn implements nats.InProcessConnProvider.
func (c *cable) InProcessConn() (net.Conn, error) { return c.plug(c.server.InProcessConn) }

// Dial implements nats.CustomDialer.
func (c *cable) Dial(network, address string) (net.Conn, error) {
	return c.plug(func() (net.Conn, error) { return net.DialTimeout(network, address, dialTimeout) })
}

// options make nats.go connect through the cable.
func (c *cable) options() []nats.Option {
	if c.server != nil {
		return []nats.Option{nats.InProcessServer(c)}
	}
	return []nats.Option{nats.SetCustomDialer(c)}
}

func (c *cable) plug(connect func() (net.Conn, error)) (net.Conn, error) {
	if c.isCut() {
		return nil, errCut
	}
	if paused, _ := c.isPaused(); paused { // nats.go holds its lock while a server is silent, which no bubble waits out
		return nil, errPaused
	}
	inner, err := connect()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		_ = inner.Close() // nobody has seen it
		return nil, errCut
	}
	plugged := newConn(inner, c)
	c.conns = append(c.conns, plugged)
	return plugged, nil
}

// unplug forgets a connection that has ended.
func (c *cable) unplug(ended *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns = slices.DeleteFunc(c.conns, func(conn *conn) bool { return conn == ended })
}

func (c *cable) cut() {
	c.mu.Lock()
	c.dead = true
	c.mu.Unlock()
	c.disconnect()
}

func (c *cable) isCut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead
}

func (c *cable) disconnect() {
	for _, conn := range c.plugged() {
		_ = conn.Close() // to break it is what it is for
	}
}

func (c *cable) plugged() []*conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.conns)
}

// pause stops what passes, or lets it go on; what was written meanwhile goes first.
func (c *cable) pause(paused bool) {
	c.mu.Lock()
	if c.paused != paused {
		c.paused = paused
		close(c.moved)
		c.moved = make(chan struct{})
	}
	c.mu.Unlock()
	if !paused {
		for _, conn := range c.plugged() {
			conn.release()
		}
	}
}

// isPaused also returns what is closed when that changes.
func (c *cable) isPaused() (paused bool, moved <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.paused, c.moved
}

// seed makes the cable's random choices those of a seed and a node, unless it has begun with others.
func (c *cable) seed(seed, node uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.random[0] == nil {
		c.random = [2]*rand.Rand{rand.New(rand.NewPCG(seed, 2*node)), rand.New(rand.NewPCG(seed, 2*node+1))}
	}
}

// drop sets the rate of frames that are dropped.
func (c *cable) drop(rate float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rate = rate
}

// dropper returns what decides about the frames of a direction, nil if all pass.
func (c *cable) dropper(direction int) func() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rate == 0 {
		return nil
	}
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.random[direction].Float64() >= c.rate {
			return false
		}
		c.lost++
		return true
	}
}

// delays sets by how much what comes from the server is late.
func (c *cable) delays(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.delay = by
}

func (c *cable) delayed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.delay
}

func (c *cable) dropped() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lost
}
