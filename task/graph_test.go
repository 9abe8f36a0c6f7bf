package task_test

import (
	"context"
	"testing"

	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

var (
	add = task.Define2("add", func(_ context.Context, a, b int) (int, error) { return a + b, nil })
	// after is a task that comes to a gate once its first argument has a value.
	after = task.Define2("after", func(ctx context.Context, x int, name string) (int, error) {
		return x + 1, enter(ctx, name)
	})
)

func TestOnAndGoNeverBlock(t *testing.T) {
	c := nodetest.Start(t, 1, nodetest.CPUs(1))
	ctx := c.Context(0)
	g := newGate(t)
	name := objstore.Put(ctx, g.name)
	first := after.On(ctx, objstore.Put(ctx, 0), name)
	last := first
	var doubles []objstore.Ref[int]
	for range 500 { // they return although nothing has a value
		last = add.On(ctx, last, objstore.Put(ctx, 1))
		doubles = append(doubles, double.Go(ctx, 1))
	}
	g.await(1)
	g.open()
	if got := get(t, ctx, last); got != 501 {
		t.Errorf("got %d, want 501", got)
	}
	getAll(t, ctx, doubles)
}

func TestTheBranchesOfAGraphRunAtTheSameTime(t *testing.T) {
	c := nodetest.Start(t, 2)
	ctx := c.Context(0)
	g := newGate(t)
	name := objstore.Put(ctx, g.name)
	root := double.Go(ctx, 5)
	left, right := after.On(ctx, root, name), after.On(ctx, root, name)
	joined := add.On(ctx, left, right)
	g.await(2) // both are here
	g.open()
	if got := get(t, ctx, joined); got != 22 {
		t.Errorf("got %d, want 22", got)
	}
}

func TestATaskBeginsOnlyWhenAllItsArgumentsHaveValues(t *testing.T) {
	c := nodetest.Start(t, 2)
	ctx := c.Context(0)
	fast, slow, end := newGate(t), newGate(t), newGate(t)
	zero := objstore.Put(ctx, 0)
	sum := add.On(ctx, after.On(ctx, zero, objstore.Put(ctx, fast.name)), after.On(ctx, zero, objstore.Put(ctx, slow.name)))
	r := after.On(ctx, sum, objstore.Put(ctx, end.name))
	fast.await(1)
	slow.await(1)
	fast.open()
	get(t, ctx, double.Go(ctx, 1)) // time for something to go wrong
	if end.count.Load() > 0 {
		t.Error("a task ran before its arguments")
	}
	slow.open()
	end.open()
	if got := get(t, ctx, r); got != 3 {
		t.Errorf("got %d, want 3", got)
	}
}

func TestARefOfAnotherNodeIsAnArgumentToo(t *testing.T) {
	c := nodetest.Start(t, 3)
	r := double.Go(c.Context(0), 1)
	for hop := range 6 {
		r = double.On(c.Context(hop%3), r)
	}
	if got := get(t, c.Context(2), r); got != 128 {
		t.Errorf("got %d, want 128", got)
	}
}
