package task_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"manta/objstore"
	"manta/task"
)

// patience bounds what must come, and comes much sooner unless something is broken.
const patience = 20 * time.Second

// gate holds tasks: each says that it has come and waits until the gate opens or its ctx ends. Tasks find it by its name,
// because all nodes of a test are in this process.
type gate struct {
	t      *testing.T
	name   string
	came   chan task.Info
	turned chan error // the causes of those whose ctx ended
	opened chan struct{}
	open   func()
	count  atomic.Int64 // of those that came
	crowd               // of those that are in it
}

var (
	gates     sync.Map // name → *gate
	gateCount atomic.Int64

	pass = task.Define("pass", func(ctx context.Context, name string) (string, error) {
		return task.Current(ctx).Node, enter(ctx, name)
	})
)

func newGate(t *testing.T) *gate {
	g := &gate{
		t: t, name: fmt.Sprintf("%s %d", t.Name(), gateCount.Add(1)),
		came: make(chan task.Info, 10_000), turned: make(chan error, 10_000), opened: make(chan struct{}),
	}
	g.open = sync.OnceFunc(func() { close(g.opened) })
	gates.Store(g.name, g)
	t.Cleanup(func() {
		g.open()
		gates.Delete(g.name)
	})
	return g
}

// enter is called by tasks.
func enter(ctx context.Context, name string) error {
	found, ok := gates.Load(name)
	if !ok {
		return errors.New("the test is over")
	}
	g := found.(*gate)
	defer g.enter(1)()
	g.count.Add(1)
	g.came <- task.Current(ctx)
	select {
	case <-g.opened:
		return nil
	case <-ctx.Done():
		g.turned <- context.Cause(ctx)
		return context.Cause(ctx)
	}
}

// await waits until n more tasks have come.
func (g *gate) await(n int) (infos []task.Info) {
	g.t.Helper()
	timeout := time.After(patience)
	for range n {
		select {
		case info := <-g.came:
			infos = append(infos, info)
		case <-timeout:
			g.t.Fatalf("%d tasks came to the gate, want %d", len(infos), n)
		}
	}
	return infos
}

// awaitTurned waits until the ctx of one more task in the gate has ended, and returns the cause.
func (g *gate) awaitTurned() error {
	g.t.Helper()
	select {
	case cause := <-g.turned:
		return cause
	case <-time.After(patience):
		g.t.Fatal("no task's ctx has ended")
		return nil
	}
}

// crowd counts what is somewhere at the same time.
type crowd struct{ now, most atomic.Int64 }

// enter adds n until leave is called.
func (c *crowd) enter(n int64) (leave func()) {
	now := c.now.Add(n)
	for most := c.most.Load(); now > most && !c.most.CompareAndSwap(most, now); most = c.most.Load() {
	}
	return func() { c.now.Add(-n) }
}

// get reads a ref that must have a value.
func get[T any](t *testing.T, ctx context.Context, r objstore.Ref[T]) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	v, err := r.Get(ctx)
	if err != nil {
		t.Fatalf("reading %v: %v", r, err)
	}
	return v
}

// getAll reads refs that must all have values.
func getAll[T any](t *testing.T, ctx context.Context, refs []objstore.Ref[T]) []T {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	values, err := objstore.GetAll(ctx, refs)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// wantError reads a ref that must have failed, or fail soon, with an error that is want.
func wantError[T any](t *testing.T, ctx context.Context, r objstore.Ref[T], want error) {
	t.Helper()
	if err := getError(t, ctx, r); !errors.Is(err, want) {
		t.Errorf("reading %v: got %v, want %v", r, err, want)
	}
}

func getError[T any](t *testing.T, ctx context.Context, r objstore.Ref[T]) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	v, err := r.Get(ctx)
	if err == nil {
		t.Fatalf("reading %v: got %v, want an error", r, v)
	}
	return err
}
