package nodetest

import (
	"errors"
	"net"
	"sync"

	"manta/node/embedded"
)

// cable is one node's connection to the server, which can be cut.
type cable struct {
	server *embedded.Server

	mu    sync.Mutex
	conns []net.Conn
	dead  bool
}

var errCut = errors.New("nodetest: the node was cut off by Kill")

// InProcessConn implements nats.InProcessConnProvider.
func (c *cable) InProcessConn() (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return nil, errCut
	}
	conn, err := c.server.InProcessConn()
	if err == nil {
		c.conns = append(c.conns, conn)
	}
	return conn, err
}

func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = true
	for _, conn := range c.conns {
		_ = conn.Close() // a pipe's Close has no error worth telling
	}
}

func (c *cable) isCut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead
}
