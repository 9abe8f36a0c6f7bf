package node_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"manta/node"
	"manta/node/embedded"
	"manta/task"
)

// patience bounds what must come, and comes much sooner unless something is broken.
const patience = 20 * time.Second

// where returns the id of the node that it runs on.
var where = task.Define0("where", func(ctx context.Context) (string, error) { return task.Current(ctx).Node, nil })

// hold runs until its gate opens or its ctx ends; ignore does not look at its ctx. Both return the node that they ran on.
var (
	hold = task.Define("hold", func(ctx context.Context, name string) (string, error) {
		g, err := enter(name)
		if err != nil {
			return "", err
		}
		select {
		case <-g.opened:
			return task.Current(ctx).Node, nil
		case <-ctx.Done():
			g.cut <- context.Cause(ctx)
			return "", context.Cause(ctx)
		}
	})
	ignore = task.Define("ignore", func(ctx context.Context, name string) (string, error) {
		g, err := enter(name)
		if err != nil {
			return "", err
		}
		<-g.opened
		close(g.left)
		return task.Current(ctx).Node, nil
	})
)

// gate holds tasks until it opens. They find it by its name, because all nodes of a test are in this process.
type gate struct {
	name         string
	came         chan struct{}
	cut          chan error // why a ctx ended before the gate opened
	opened, left chan struct{}
	open         func()
}

var (
	gates     sync.Map // name → *gate
	gateCount atomic.Int64
)

func newGate(t *testing.T) *gate {
	g := &gate{
		name: fmt.Sprintf("%s %d", t.Name(), gateCount.Add(1)),
		came: make(chan struct{}, 100), cut: make(chan error, 100), opened: make(chan struct{}), left: make(chan struct{}),
	}
	g.open = sync.OnceFunc(func() { close(g.opened) })
	gates.Store(g.name, g)
	t.Cleanup(func() {
		g.open()
		gates.Delete(g.name)
	})
	return g
}

func enter(name string) (*gate, error) {
	found, ok := gates.Load(name)
	if !ok {
		return nil, errors.New("the test is over")
	}
	g := found.(*gate)
	g.came <- struct{}{}
	return g, nil
}

// await returns what comes from a channel, which it must.
func await[T any](t *testing.T, ch <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-time.After(patience):
		t.Fatalf("waited %v for %s", patience, what)
	}
	return v
}

// serve starts a NATS server without a port.
func serve(t *testing.T) *embedded.Server {
	t.Helper()
	srv, err := embedded.RunServer(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	return srv
}

// on returns cfg for a node on srv that keeps its objects in memory.
func on(srv *embedded.Server, cfg node.Config) node.Config {
	cfg.Storage = jetstream.MemoryStorage
	cfg.Options = []nats.Option{nats.InProcessServer(srv)}
	return cfg
}

// start starts a node that is closed with the test.
func start(t *testing.T, cfg node.Config) (*node.Node, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	n, nodeCtx, err := node.Start(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNode(t, n) })
	return n, nodeCtx
}

func closeNode(t *testing.T, n *node.Node) {
	t.Helper()
	if err := n.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
}

// awaitCount waits until a node knows that many.
func awaitCount(t *testing.T, ctx context.Context, want int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := node.AwaitMembers(ctx, func(members []node.Info) bool { return len(members) == want }); err != nil {
		t.Fatalf("there are not %d members: %v", want, err)
	}
}
