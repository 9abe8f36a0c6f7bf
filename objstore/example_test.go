package objstore_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"

	"manta/node/embedded"
	"manta/objstore"
	"manta/task"
)

var (
	mean = task.Define("mean", func(_ context.Context, v []float64) (float64, error) {
		return sum(v) / float64(len(v)), nil
	})
	square = task.Define("square", func(_ context.Context, x int) (int, error) { return x * x, nil })
)

// A large value goes to the cluster once. Each node that runs a task on it reads it once, in place.
func Example() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	data := objstore.Put(ctx, []float64{1, 2, 3, 4})
	v, err := mean.On(ctx, data).Get(ctx)
	fmt.Println(v, err)
	// Output: 2.5 <nil>
}

func ExampleGetAll() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	squares, err := objstore.GetAll(ctx, square.Map(ctx, []int{1, 2, 3}))
	fmt.Println(squares, err)
	// Output: [1 4 9] <nil>
}

func ExampleWait() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	refs := square.Map(ctx, []int{1, 2, 3, 4})
	ready, rest, err := objstore.Wait(ctx, refs, 3)
	fmt.Println(len(ready), "ready,", len(rest), "not asked for,", err)
	// Output: 3 ready, 1 not asked for, <nil>
}

func ExampleReady() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	for r := range objstore.Ready(ctx, square.Map(ctx, []int{1, 2, 3})) {
		v, err := r.Get(ctx)
		fmt.Println(v, err)
	}
	// Unordered output:
	// 1 <nil>
	// 4 <nil>
	// 9 <nil>
}

func ExampleFree() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	scratch := objstore.Put(ctx, make([]byte, 1<<20))
	if err := objstore.Free(ctx, scratch); err != nil {
		log.Fatal(err)
	}
	_, err = scratch.Get(ctx)
	fmt.Println(err)
	// Output: object was freed
}

// What one process leaves for another that may start much later.
func ExampleDurable() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	weights := objstore.Put(ctx, []float64{0.5, 0.25}, objstore.Durable())
	if err := weights.Stored(ctx); err != nil { // at once: Put has waited
		log.Fatal(err)
	}
	note, err := json.Marshal(weights)
	if err != nil {
		log.Fatal(err)
	}

	var found objstore.Ref[[]float64] // in the other process
	if err := json.Unmarshal(note, &found); err != nil {
		log.Fatal(err)
	}
	v, err := found.Get(ctx)
	fmt.Println(v, err, objstore.Free(ctx, found))
	// Output: [0.5 0.25] <nil> <nil>
}

// A large value that other processes on this machine read needs no copy for them when it is made in memory that they share.
func ExampleMake() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	image := objstore.Make[float32](ctx, 1024*1024)
	for i := range image {
		image[i] = float32(i % 2)
	}
	pixels, err := objstore.Put(ctx, image).Get(ctx)
	fmt.Println(len(pixels), pixels[1], err)
	// Output: 1048576 1 <nil>
}
