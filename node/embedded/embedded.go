package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"manta/node"
)

// Config says what the node and its server are.
type Config struct {
	node.Config // URL and Storage are given by the server inside

	// Listen is the address, host:port, at which the server takes other clients; port 0 takes a free one. Default: none.
	Listen string
	// Insecure allows Listen on an address that other machines reach. Anyone who reaches it can do anything in the cluster.
	Insecure bool
	// Dir is where JetStream keeps large objects. Default: in memory.
	Dir string
}

func (c Config) validate() error {
	if c.URL != "" {
		return errors.New("Config.URL is set, but the node brings its own server: use node.Start for a server elsewhere")
	}
	if c.Listen == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("Config.Listen is %q: want host:port: %w", c.Listen, err)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("Config.Listen is %q: want a port from 0 to 65535", c.Listen)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) && !c.Insecure {
		return fmt.Errorf("Config.Listen is %q, which other machines may reach, without credentials or TLS: listen on 127.0.0.1, "+
			"run a NATS server with credentials and use node.Start, or set Config.Insecure", c.Listen)
	}
	return nil
}

// Start starts a NATS server and a node on it. Closing the node stops the server. ctx and the returned ctx are as in node.Start.
func Start(ctx context.Context, cfg Config) (*node.Node, context.Context, error) {
	srv, err := RunServer(cfg)
	if err != nil {
		return nil, nil, err
	}
	inside := cfg.Config
	inside.URL = nats.DefaultURL // never dialled: the connection is in process
	inside.Options = append([]nats.Option{nats.InProcessServer(srv)}, cfg.Options...)
	if cfg.Dir == "" {
		inside.Storage = jetstream.MemoryStorage
	}
	inside.OnClosed = func() {
		srv.Close()
		if cfg.OnClosed != nil {
			cfg.OnClosed()
		}
	}
	n, ctx, err := node.Start(ctx, inside)
	if err != nil {
		srv.Close() // a Config that node.Start refuses never comes to OnClosed
	}
	return n, ctx, err
}
