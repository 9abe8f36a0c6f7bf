package shared_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"manta/node"
	"manta/node/nodetest"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// timeout returns ctx with an end, so that what should not hang fails.
func timeout(t *testing.T, ctx context.Context) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("%s waits for ever", t.Name()))
	t.Cleanup(cancel)
	return ctx
}

// hostAndClients starts a node 0 where the actors live, and clients. It returns a ctx of each.
func hostAndClients(t *testing.T, clients int) (*nodetest.Cluster, []context.Context) {
	t.Helper()
	c := nodetest.Start(t, 1+clients, nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i > 0 }))
	var ctxs []context.Context
	for i := range 1 + clients {
		ctxs = append(ctxs, timeout(t, c.Context(i)))
	}
	return c, ctxs
}

// running is a call beside a test, in virtual time.
type running struct {
	done chan error
	over bool
	err  error
}

func begin(f func() error) *running {
	r := &running{done: make(chan error, 1)}
	go func() { r.done <- f() }()
	r.waits()
	return r
}

// waits says whether the call still waits when nothing is under way any more.
func (r *running) waits() bool {
	time.Sleep(100 * time.Millisecond) // virtual: over when everybody waits
	select {
	case r.err = <-r.done:
		r.over = true
	default:
	}
	return !r.over
}

// end waits until the call has returned, and returns its error.
func (r *running) end() error {
	if !r.over {
		r.err, r.over = <-r.done, true
	}
	return r.err
}
