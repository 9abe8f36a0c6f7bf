package placement_test

import (
	"context"
	"fmt"
	"log"

	"manta/node"
	"manta/node/embedded"
	"manta/placement"
	"manta/task"
)

var square = task.Define("placement_square", func(_ context.Context, n int) (int, error) { return n * n, nil })

func Example() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{Config: node.Config{CPUs: 4}})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()
	g, err := placement.New(ctx, []placement.Bundle{{"CPU": 1}, {"CPU": 2}}, placement.StrictPack)
	if err != nil {
		log.Fatal(err)
	}
	if err := g.Ready(ctx); err != nil {
		log.Fatal(err)
	}
	_, free := n.Resources()
	fmt.Println("free beside the group:", free)
	nine, err := square.With(task.InBundle(g, 0)).Call(ctx, 3)
	fmt.Println("in bundle 0:", nine, err)
	err = g.Remove(ctx)
	_, free = n.Resources()
	fmt.Println("free without it:", free, err)
	// Output:
	// free beside the group: CPU:1
	// in bundle 0: 9 <nil>
	// free without it: CPU:4 <nil>
}
