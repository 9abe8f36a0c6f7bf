// Hello starts a node with NATS inside it, runs a function as five tasks, and prints their results.
package main

import (
	"context"
	"fmt"
	"log"

	"manta/node/embedded"
	"manta/objstore"
	"manta/task"
)

var square = task.Define("square", func(_ context.Context, x int) (int, error) { return x * x, nil })

func main() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	squares, err := objstore.GetAll(ctx, square.Map(ctx, []int{1, 2, 3, 4, 5}))
	fmt.Println(squares, err) // [1 4 9 16 25] <nil>
}
