package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"manta/bus"
	"manta/node"
)

// Config says what the node and its server are.
type Config struct {
	node.Config // URL and Storage are given by the server inside

	// Listen is the address, host:port, at which the server takes other clients; port 0 takes a free one. One that other machines reach
	// needs ServerConfig with users and TLS, or Insecure. Default: none, or
	// with ClusterListen a free port on 127.0.0.1, since nats-server takes no routes without one for clients.
	Listen string
	// ServerConfig is a configuration file of nats-server, for what has no field here: users, accounts, TLS, limits. The node connects as one
	// of the users: give it the credentials in Options. docs/permissions/nats.conf is such a file. Default: none, and whoever
	// reaches the server can do anything in the cluster.
	ServerConfig string
	// Insecure allows Listen, ClusterListen and the ports of ServerConfig on addresses that other machines reach without credentials and TLS.
	Insecure bool
	// Dir is where JetStream keeps large objects. Default: in memory.
	Dir string

	// ClusterListen is the address, host:port, at which the server takes the routes of others, with which it forms one NATS
	// cluster; port 0 takes a free one. Default: none, a server on its own.
	ClusterListen string
	// Routes are the servers of the cluster, nats://host:port with the ClusterListen of each. Give all of them the same
	// list: the server's own place may stand in it. The first server of several may have none, if the others name it.
	Routes []string
	// ClusterName is the same for all servers of a cluster. Default "manta".
	ClusterName string
}

func (c Config) validate() error {
	if c.URL != "" {
		return errors.New("Config.URL is set, but the node brings its own server: use node.Start for a server elsewhere")
	}
	if c.Listen != "" {
		if err := checkAddress("Config.Listen", c.Listen); err != nil {
			return err
		}
	}
	return c.validateCluster()
}

func (c Config) validateCluster() error {
	if c.ClusterListen == "" {
		switch {
		case len(c.Routes) > 0:
			return errors.New("Config.Routes is set, but Config.ClusterListen is not: say where the other servers reach this one")
		case c.ClusterName != "":
			return errors.New("Config.ClusterName is set, but Config.ClusterListen is not: say where the other servers reach this one")
		}
		return nil
	}
	if err := checkAddress("Config.ClusterListen", c.ClusterListen); err != nil {
		return err
	}
	host, _, _ := net.SplitHostPort(c.ClusterListen) // checked
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return fmt.Errorf("Config.ClusterListen is %q: want the host by which the other servers reach this one, since it is "+
			"also its name among them", c.ClusterListen)
	}
	if c.ClusterName != "" {
		if err := bus.CheckName("Config.ClusterName", c.ClusterName); err != nil {
			return err
		}
	}
	for _, route := range c.Routes {
		if _, err := parseRoute(route); err != nil {
			return err
		}
	}
	return nil
}

// checkAddress refuses what is no host:port.
func checkAddress(field, address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%s is %q: want host:port: %w", field, address, err)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%s is %q: want a port from 0 to 65535", field, address)
	}
	return nil
}

// Start starts a NATS server and a node on it. Closing the node stops the server. ctx and the returned ctx are as in
// node.Start. One of several servers waits until enough of them are there, as [Server.AwaitJetStream] does.
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
	if inside.Replicas == 0 {
		inside.Replicas = srv.Replicas()
	}
	return srv.startNode(ctx, inside)
}

// startNode starts a node that closes the server with itself, also when it cannot start.
func (s *Server) startNode(ctx context.Context, cfg node.Config) (*node.Node, context.Context, error) {
	var n *node.Node // nil until one has started
	closed, onClosed := false, cfg.OnClosed
	cfg.OnClosed = func() {
		closed = true
		if n == nil {
			return
		}
		s.Close()
		if onClosed != nil {
			onClosed()
		}
	}
	for {
		started, nodeCtx, again, err := s.tryNode(ctx, cfg)
		if err == nil {
			n = started
			return n, nodeCtx, nil
		}
		if !again || !rest(ctx) {
			if s.Close(); closed && onClosed != nil {
				onClosed()
			}
			return nil, nil, err
		}
	}
}

// tryNode starts a node once. It is to be tried again if the cluster has formed just now: then the leader may know of no place
// for a bucket yet, or step down for another and never answer what it was asked.
func (s *Server) tryNode(ctx context.Context, cfg node.Config) (n *node.Node, nodeCtx context.Context, again bool, err error) {
	if err := s.AwaitJetStream(ctx); err != nil {
		return nil, nil, false, fmt.Errorf("cannot start a node: %w", err)
	}
	try, cancel := ctx, context.CancelFunc(func() {})
	if len(s.routes) > 0 {
		try, cancel = context.WithTimeout(ctx, tryTimeout)
	}
	defer cancel()
	n, nodeCtx, err = node.Start(try, cfg)
	return n, nodeCtx, len(s.routes) > 0 && (noPlace(err) || try.Err() != nil) && ctx.Err() == nil, err
}

// rest waits a moment before the next try, and reports false if ctx ends first.
func rest(ctx context.Context) bool {
	select {
	case <-time.After(placePoll):
		return true
	case <-ctx.Done():
		return false
	}
}
