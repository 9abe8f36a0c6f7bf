package bus

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"
)

// interruptions are the moments after which a Conn cannot count on messages that were under way: each begins a generation.
type interruptions struct {
	drops    atomic.Uint64 // how often nats.go has said that it dropped messages
	happened chan struct{} // holds one: the listeners have something to hear

	mu        sync.Mutex
	listeners map[int]func()
	last      int // key in listeners

	served sync.WaitGroup
}

func newInterruptions() *interruptions {
	return &interruptions{happened: make(chan struct{}, 1), listeners: make(map[int]func())}
}

func (i *interruptions) note() {
	select {
	case i.happened <- struct{}{}:
	default:
	}
}

// serve calls the listeners until the connection is closed. It is the goroutine on which they may take their time: nats.go's
// own runs all callbacks of the connection.
func (i *interruptions) serve(closed <-chan struct{}) {
	for {
		select {
		case <-i.happened:
		case <-closed:
			return
		}
		i.mu.Lock()
		listeners := slices.Collect(maps.Values(i.listeners))
		i.mu.Unlock()
		for _, hear := range listeners {
			hear()
		}
	}
}

// Generation counts the lives of the connection, from 1: each reconnect begins another, and so does each time that nats.go
// reports dropped messages. It never goes back, and rises before anything is sent on the connection that it is about; an attempt
// to reconnect that fails late may raise it too.
func (c *Conn) Generation() uint64 { return 1 + c.nc.Stats().Reconnects + c.interruptions.drops.Load() }

// maxGeneration is more lives than any connection has. A higher number in a frame would have its reader drop, as late, all that its sender will
// ever say.
const maxGeneration = 1 << 40

// ReadGeneration reads a generation, which AppendUint wrote.
func (r *Reader) ReadGeneration() uint64 {
	n := r.Uint()
	if n > maxGeneration {
		r.Fail("impossible generation of a connection")
	}
	return n
}

// OnReconnect calls hear after each rise of the generation; those that follow each other at once may become one call. Calls come
// one at a time, on a goroutine that is not nats.go's, and Close waits for the last one, so hear must not call Close. The last
// call may still be running when stop returns.
func (c *Conn) OnReconnect(hear func()) (stop func()) {
	i := c.interruptions
	i.mu.Lock()
	defer i.mu.Unlock()
	i.last++
	key := i.last
	i.listeners[key] = hear
	return func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		delete(i.listeners, key)
	}
}

// heed is the option that hears of interruptions, besides the handlers that the user's options may have set.
func (c *Conn) heed(opts *nats.Options) error {
	reconnected, failed := opts.ReconnectedCB, opts.AsyncErrorCB
	opts.ReconnectedCB = func(nc *nats.Conn) {
		c.log.Info("NATS connection is back", zap.String("url", redacted(nc.ConnectedUrl())))
		c.interruptions.note()
		if reconnected != nil {
			reconnected(nc)
		}
	}
	opts.AsyncErrorCB = func(nc *nats.Conn, sub *nats.Subscription, err error) {
		if errors.Is(err, nats.ErrSlowConsumer) {
			c.interruptions.drops.Add(1)
			c.interruptions.note()
		}
		if errors.Is(err, nats.ErrPermissionViolation) {
			c.denials.note(err)
		}
		if failed != nil {
			failed(nc, sub, err)
		}
	}
	return nil
}
