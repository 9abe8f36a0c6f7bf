package main

import (
	"context"
	"fmt"
	"time"

	"manta/actor"
	"manta/objstore"
)

// A Worker is one of a pool, and counts what it did.
type Worker struct {
	ID int

	done int
}

// A Square is a worker's result for one item.
type Square struct {
	Worker, Item, Value int
}

// Process squares an item, slowly.
func (w *Worker) Process(ctx context.Context, item int) (Square, error) {
	if err := pause(ctx, 200*time.Millisecond); err != nil {
		return Square{}, err
	}
	w.done++
	return Square{Worker: w.ID, Item: item, Value: item * item}, nil
}

// Done says how many items the worker has processed.
func (w *Worker) Done(context.Context) (int, error) {
	return w.done, nil
}

var workers = actor.Define[Worker]("worker")

// workerPool is cell 10: three actors take twelve items in turn.
func (t *tutorial) workerPool(ctx context.Context) error {
	const size, items = 3, 12
	started := time.Now()
	pool := make([]actor.Ref[Worker], size)
	for i := range pool {
		pool[i] = workers.New(ctx, Worker{ID: i})
	}
	refs := make([]objstore.Ref[Square], items)
	for item := range refs {
		refs[item] = actor.Method(pool[item%size], (*Worker).Process).Go(ctx, item)
	}
	squares, err := objstore.GetAll(ctx, refs)
	if err != nil {
		return err
	}

	t.printf("%d items in %.2f s, the first six:", len(squares), time.Since(started).Seconds())
	for item, s := range squares {
		if item < 6 {
			t.printf("  worker %d: %d² = %d", s.Worker, s.Item, s.Value)
		}
		if s != (Square{Worker: item % size, Item: item, Value: item * item}) {
			return fmt.Errorf("item %d came back as %+v", item, s)
		}
	}
	for i, worker := range pool {
		done, err := actor.Method0(worker, (*Worker).Done).Call(ctx)
		if err != nil {
			return err
		}
		t.printf("Worker %d did %d items", i, done)
		if done != items/size {
			return fmt.Errorf("worker %d did %d items, not %d", i, done, items/size)
		}
		if err := worker.Stop(ctx); err != nil {
			return err
		}
	}
	return nil
}
