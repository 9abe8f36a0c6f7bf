// Polyglot is a Go program that calls functions of workers in Python and Node, and shares one with both. README.md says how to start those.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"time"

	"manta/node"
	"manta/node/embedded"
	"manta/objstore"
	"manta/task"
)

var (
	mean     = task.Declare[[]float64, float64]("mean")
	hostname = task.Declare[string, string]("hostname")
	shout    = task.Define("shout", func(_ context.Context, text string) (string, error) {
		time.Sleep(10 * time.Millisecond) // work, so that not all of it fits here
		return text + "! (Go)", nil
	})
)

func main() {
	listen := flag.String("listen", "127.0.0.1:4222", "the `address` at which workers connect")
	flag.Parse()
	if err := run(*listen); err != nil {
		log.Fatal(err)
	}
}

func run(listen string) error {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{Listen: listen, Config: node.Config{CPUs: 2}})
	if err != nil {
		return err
	}
	defer n.Close()
	fmt.Fprintln(os.Stderr, "waiting for worker.py and worker.mjs at", n.Server())

	average, err := untilServed(func() (float64, error) { return mean.Call(ctx, []float64{1, 2, 3, 4}) })
	if err != nil {
		return err
	}
	fmt.Println("mean:", average)
	host, err := untilServed(func() (string, error) { return hostname.Call(ctx, "https://nats.io/docs") })
	if err != nil {
		return err
	}
	fmt.Println("hostname:", host)

	_, err = mean.Call(ctx, nil)
	fmt.Println("mean of nothing:", err)

	shouts, err := objstore.GetAll(ctx, shout.Map(ctx, make([]string, 60)))
	if err != nil {
		return err
	}
	ran := make(map[string]int)
	for _, text := range shouts {
		ran[text]++
	}
	fmt.Println("shouted:", ran)
	return nil
}

// untilServed calls again while no worker serves the function yet.
func untilServed[R any](call func() (R, error)) (R, error) {
	for {
		r, err := call()
		if !errors.Is(err, task.ErrNotRegistered) {
			return r, err
		}
		time.Sleep(200 * time.Millisecond)
	}
}
