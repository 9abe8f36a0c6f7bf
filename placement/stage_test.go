package placement_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"manta/node"
	"manta/node/nodetest"
	"manta/placement"
	"manta/task"
)

// patience bounds what must come, and comes much sooner unless something is broken.
const patience = 20 * time.Second

var where = task.Define("placement_where", func(ctx context.Context, _ int) (string, error) { return task.Current(ctx).Node, nil })

// hold says on its gate that it runs, and runs until the gate opens or its ctx ends.
var hold = task.Define("placement_hold", func(ctx context.Context, name string) (string, error) {
	found, ok := gates.Load(name)
	if !ok {
		return "", fmt.Errorf("no gate %s", name)
	}
	g := found.(*gate)
	g.came <- task.Current(ctx).Node
	select {
	case <-g.opened:
		return task.Current(ctx).Node, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
})

type gate struct {
	name   string
	came   chan string // the node on which a task begins
	opened chan struct{}
	open   func()
}

var gates sync.Map // by name: all nodes of a test are in this process

func newGate(t *testing.T) *gate {
	g := &gate{name: t.Name(), came: make(chan string, 100), opened: make(chan struct{})}
	g.open = sync.OnceFunc(func() { close(g.opened) })
	gates.Store(g.name, g)
	t.Cleanup(func() {
		g.open()
		gates.Delete(g.name)
	})
	return g
}

func (g *gate) entered(t *testing.T) (node string) {
	t.Helper()
	select {
	case node = <-g.came:
	case <-time.After(patience):
		t.Fatal("the task does not begin")
	}
	return node
}

// stage is a cluster of three nodes of 4 CPUs each, and the ctx of the first.
func stage(t testing.TB, opts ...nodetest.Option) (*nodetest.Cluster, context.Context) {
	t.Helper()
	c := nodetest.Start(t, 3, append([]nodetest.Option{nodetest.CPUs(4)}, opts...)...)
	return c, c.Context(0)
}

func bundles(n int, cpus float64) []placement.Bundle {
	all := make([]placement.Bundle, n)
	for i := range all {
		all[i] = placement.Bundle{"CPU": cpus}
	}
	return all
}

func form(t testing.TB, ctx context.Context, bundles []placement.Bundle, s placement.Strategy) placement.Group {
	t.Helper()
	g, err := placement.New(ctx, bundles, s)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func ready(t testing.TB, ctx context.Context, g placement.Group) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := g.Ready(ctx); err != nil {
		t.Fatalf("not ready: %v", err)
	}
}

func remove(t testing.TB, ctx context.Context, g placement.Group) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := g.Remove(ctx); err != nil {
		t.Fatalf("not removed: %v", err)
	}
}

// places returns how many bundles each node has.
func places(t testing.TB, ctx context.Context, g placement.Group) map[string]int {
	t.Helper()
	at := make(map[string]int)
	for _, b := range bundlesOf(t, ctx, g) {
		at[b.Node]++
	}
	return at
}

func bundlesOf(t testing.TB, ctx context.Context, g placement.Group) []placement.Placed {
	t.Helper()
	all, err := g.Bundles(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// pending checks that a group does not get its places while it is tried, again and again.
func pending(t *testing.T, ctx context.Context, g placement.Group) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 600*time.Millisecond)
	defer cancel()
	if err := g.Ready(ctx); err == nil {
		t.Fatalf("the group is ready, at %v", places(t, context.WithoutCancel(ctx), g))
	}
}

func freeCPUs(n *node.Node) float64 {
	_, free := n.Resources()
	return free["CPU"]
}

// free checks how many CPUs each node has free.
func free(t *testing.T, c *nodetest.Cluster, want ...float64) {
	t.Helper()
	for i, w := range want {
		if got := freeCPUs(c.Node(i)); got != w {
			t.Errorf("node %d has %v CPUs free, want %v", i, got, w)
		}
	}
}

// eventually waits until something holds that nobody signals.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited %v until %s", patience, what)
		}
	}
}
