package shared_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"manta/actor/shared"
	"manta/node/embedded"
	"manta/objstore"
	"manta/task"
)

// total is a task that consumes a queue, wherever it runs.
var total = task.Define("total", func(ctx context.Context, numbers shared.Queue[int]) (sum int, err error) {
	for n, err := range numbers.All(ctx) {
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
})

func ExampleQueue() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	numbers := shared.NewQueue[int](ctx, 2) // Put waits while two are in it
	sum := total.Go(ctx, numbers)
	for i := range 10 {
		if err := numbers.Put(ctx, i); err != nil {
			log.Fatal(err)
		}
	}
	if err := numbers.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum.Get(ctx))
	fmt.Println(errors.Is(numbers.Put(ctx, 10), shared.ErrShutdown))
	// Output:
	// 45 <nil>
	// true
}

func ExampleSemaphore() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	limit := shared.NewSemaphore(ctx, 2)
	permit, err := limit.Acquire(ctx, 2)
	fmt.Println(err)
	_, err = limit.TryAcquire(ctx, 1)
	fmt.Println(errors.Is(err, shared.ErrNoPermits))
	fmt.Println(permit.Release(ctx))
	fmt.Println(limit.Free(ctx))
	// Output:
	// <nil>
	// true
	// <nil>
	// 2 <nil>
}

// follow is a task that waits for its turn.
var follow = task.Define("follow", func(ctx context.Context, ready shared.Signal) (string, error) {
	return "follows", ready.Wait(ctx)
})

func ExampleSignal() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	ready := shared.NewSignal(ctx)
	refs := follow.Map(ctx, []shared.Signal{ready, ready, ready})
	if err := ready.Set(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(objstore.GetAll(ctx, refs))
	// Output:
	// [follows follows follows] <nil>
}
