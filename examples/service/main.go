// Service is an HTTP server with a Manta node inside it. A request becomes tasks and a call to an actor:
//
//	go run ./examples/service -listen 127.0.0.1:8080
//	curl 'http://127.0.0.1:8080/primes?below=1000000'
//	{"below":1000000,"primes":78498,"request":1}
//
// SIGTERM or an interrupt stops it without breaking a request: first HTTP, then the node. A second one ends the waiting.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"manta/node"
	"manta/node/embedded"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "the `address` to serve HTTP on")
	flag.Parse()
	if err := run(*listen); err != nil {
		log.Fatal(err)
	}
}

func run(listen string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	n, _, err := embedded.Start(ctx, embedded.Config{})
	if err != nil {
		return err
	}
	defer n.Close()
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	log.Printf("serving on http://%s", listener.Addr())
	return serve(ctx, n, listener)
}

// grace is how long the requests and tasks under way may take to finish.
const grace = 20 * time.Second

// serve answers requests until ctx ends, and returns when what was under way is finished.
func serve(ctx context.Context, n *node.Node, listener net.Listener) error {
	server := &http.Server{Handler: newHandler(n), ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	finish, stop := signal.NotifyContext(finish, os.Interrupt, syscall.SIGTERM) // the second one
	defer stop()
	return errors.Join(server.Shutdown(finish), n.Drain(finish))
}
