package nodetest

import (
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// The directions in which bytes pass a cable.
const (
	fromServer = iota
	toServer
)

// conn is a connection of a node as its cable lets it pass. While the cable is paused a write is kept and returns at once, as
// what a kernel buffers does, and a read waits, as on a silent network, until its deadline.
type conn struct {
	net.Conn
	cable  *cable
	closed chan struct{}
	close  sync.Once

	reading sync.Mutex // held by the one Read
	in      stream
	arrived []byte    // was read from the server and has not been read from here
	due     time.Time // when it may be

	writing sync.Mutex // held by the one Write
	out     stream
	waiting []byte // was written while the cable was paused

	mu       sync.Mutex
	deadline time.Time     // of reads
	changed  chan struct{} // closed and made again whenever the deadline changes
}

func newConn(inner net.Conn, c *cable) *conn {
	return &conn{Conn: inner, cable: c, closed: make(chan struct{}), changed: make(chan struct{})}
}

func (c *conn) Read(p []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	for {
		if len(c.arrived) > 0 {
			if err := c.awaitPassage(); err != nil {
				return 0, err
			}
			n := copy(p, c.arrived)
			c.arrived = c.arrived[n:]
			return n, nil
		}
		n, err := c.Conn.Read(p)
		passing := c.in.Pass(nil, p[:n], c.cable.dropper(fromServer))
		delay := c.cable.delayed()
		if n > 0 && len(passing) == n && &passing[0] == &p[0] && delay == 0 && !c.isPaused() {
			return n, err
		}
		c.arrived, c.due = slices.Clone(passing), time.Now().Add(delay)
		if len(c.arrived) == 0 && err != nil {
			return 0, err
		}
	}
}

// awaitPassage waits until what has arrived is due, and while the cable is paused.
func (c *conn) awaitPassage() error {
	for {
		paused, moved := c.cable.isPaused()
		rest := time.Until(c.due)
		if !paused && rest <= 0 {
			return nil
		}
		deadline, changed := c.readDeadline()
		var late, due <-chan time.Time
		if !deadline.IsZero() {
			timer := time.NewTimer(time.Until(deadline))
			defer timer.Stop()
			late = timer.C
		}
		if rest > 0 {
			timer := time.NewTimer(rest)
			defer timer.Stop()
			due = timer.C
		}
		select {
		case <-moved:
		case <-changed:
		case <-due:
		case <-late:
			return os.ErrDeadlineExceeded
		case <-c.closed:
			return net.ErrClosed
		}
	}
}

func (c *conn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	out := c.out.Pass(nil, p, c.cable.dropper(toServer))
	if len(c.waiting) > 0 || c.isPaused() {
		c.waiting = append(c.waiting, out...)
		return len(p), c.flush()
	}
	if len(out) > 0 {
		if _, err := c.Conn.Write(out); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// flush writes what waits, unless the cable is paused. The caller holds writing.
func (c *conn) flush() error {
	if len(c.waiting) == 0 || c.isPaused() {
		return nil
	}
	waiting := c.waiting
	c.waiting = nil
	_, err := c.Conn.Write(waiting)
	return err
}

// release passes on what was written while the cable was paused; a connection that cannot is one that broke meanwhile.
func (c *conn) release() {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.flush() != nil {
		_ = c.Close() // the node is to see that it is broken
	}
}

func (c *conn) isPaused() bool {
	paused, _ := c.cable.isPaused()
	return paused
}

func (c *conn) Close() error {
	c.close.Do(func() {
		close(c.closed)
		c.cable.unplug(c)
	})
	return c.Conn.Close()
}

func (c *conn) SetDeadline(t time.Time) error {
	c.setReadDeadline(t)
	return c.Conn.SetDeadline(t)
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.setReadDeadline(t)
	return c.Conn.SetReadDeadline(t)
}

func (c *conn) setReadDeadline(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *conn) readDeadline() (deadline time.Time, changed <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.deadline, c.changed
}
