// Command embedding is a program of somebody else's: a module of its own that has Manta inside.
// .ci/run copies it out of the repository, builds it there and compares what it prints.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"manta/actor"
	"manta/node/embedded"
	"manta/objstore"
	"manta/task"
)

var (
	square   = task.Define("square", func(_ context.Context, x int) (int, error) { return x * x, nil })
	sum      = task.Define("sum", add)
	counters = actor.Define[Counter]("counter")
)

func add(_ context.Context, xs []float64) (float64, error) {
	total := 0.0
	for _, x := range xs {
		total += x
	}
	return total, nil
}

// Counter is an actor: it keeps its count between calls.
type Counter struct{ Count int }

// Add returns the count after n more.
func (c *Counter) Add(_ context.Context, n int) (int, error) {
	c.Count += n
	return c.Count, nil
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	n, ctx, err := embedded.Start(ctx, embedded.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Close()) }()

	squared, err := square.Call(ctx, 7)
	if err != nil {
		return err
	}

	count := actor.Method(counters.New(ctx, Counter{Count: 40}), (*Counter).Add)
	first := count.Go(ctx, 1)
	counted, err := count.On(ctx, first).Get(ctx)
	if err != nil {
		return err
	}

	// Larger than a message holds, so it goes through the object store.
	numbers := make([]float64, 100_000)
	for i := range numbers {
		numbers[i] = float64(i)
	}
	total, err := sum.On(ctx, objstore.Put(ctx, numbers)).Get(ctx)
	if err != nil {
		return err
	}

	fmt.Printf("task %d, actor %d, object %.0f\n", squared, counted, total)
	return nil
}
