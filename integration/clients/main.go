// Clients is a node with NATS inside for clients that know nothing of Manta: it serves what PROTOCOL.md has examples of, until it gets SIGTERM or
// an interrupt.
//
//	go run ./integration/clients
//	nats://127.0.0.1:4222
//
// The programs in js and python hold what PROTOCOL.md says against it, with the NATS clients of Node and Python. The tests of package integration
// start all of them.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"time"

	"manta/node"
	"manta/node/embedded"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:4222", "the `address` at which NATS clients are taken")
	flag.Parse()
	err := run(context.Background(), *listen)
	if err != nil {
		log.Print(err)
	}
	os.Exit(node.ExitCode(err))
}

func run(ctx context.Context, listen string) error {
	n, _, err := embedded.Start(ctx, embedded.Config{
		Listen: listen,
		Config: node.Config{
			Name:            "example",
			CPUs:            4,
			MaxPending:      maxPending,
			InfeasibleAfter: time.Second,
		},
	})
	if err != nil {
		return err
	}
	fmt.Println(n.Server())
	return n.RunUntilSignal(ctx)
}

// maxPending is few, so that a client meets the bound.
const maxPending = 100
