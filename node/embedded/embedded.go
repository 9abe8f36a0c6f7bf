package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"manta/node"
)

// readyTimeout bounds how long the server may take to start.
const readyTimeout = 10 * time.Second

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
		return fmt.Errorf("Config.URL is %q, but the node brings its own server: use node.Start for a server elsewhere", c.URL)
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
	if err := cfg.validate(); err != nil {
		return nil, nil, err
	}
	srv, stop, err := startServer(cfg)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot start the NATS server inside: %w", err)
	}
	inside := cfg.Config
	inside.URL = nats.DefaultURL // never dialled: the connection is in process
	inside.Options = append([]nats.Option{nats.InProcessServer(srv)}, cfg.Options...)
	if cfg.Dir == "" {
		inside.Storage = jetstream.MemoryStorage
	}
	inside.OnClosed = func() {
		stop()
		if cfg.OnClosed != nil {
			cfg.OnClosed()
		}
	}
	return node.Start(ctx, inside) // it calls OnClosed also when it fails
}

func startServer(cfg Config) (srv *server.Server, stop func(), err error) {
	opts, remove, err := serverOptions(cfg)
	if err != nil {
		return nil, nil, err
	}
	if srv, err = server.NewServer(opts); err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	log := cfg.Logger
	if log == nil {
		log = zap.NewNop()
	}
	srv.SetLoggerV2(serverLog{log.Sugar()}, false, false, false)
	stop = func() {
		srv.Shutdown()
		srv.WaitForShutdown()
		if err := remove(); err != nil {
			log.Warn("a temporary directory stays behind", zap.Error(err))
		}
	}
	srv.Start()
	if !srv.ReadyForConnections(readyTimeout) {
		stop()
		return nil, nil, fmt.Errorf("not ready within %v", readyTimeout)
	}
	return srv, stop, nil
}

// serverOptions returns the server's options, and a function that removes what they put on disk for this process alone.
func serverOptions(cfg Config) (opts *server.Options, remove func() error, err error) {
	opts = &server.Options{
		JetStream: true, StoreDir: cfg.Dir, DontListen: cfg.Listen == "", NoSigs: true,
		PingInterval: time.Second, MaxPingsOut: 2,
	}
	if cfg.Listen != "" {
		host, port, _ := net.SplitHostPort(cfg.Listen) // validated
		number, _ := strconv.Atoi(port)
		opts.Host, opts.Port = host, number
		if number == 0 {
			opts.Port = server.RANDOM_PORT
		}
	}
	if cfg.Dir != "" {
		return opts, func() error { return nil }, nil
	}
	// JetStream wants a directory also for what it keeps in memory.
	if opts.StoreDir, err = os.MkdirTemp("", "manta-"); err != nil {
		return nil, nil, err
	}
	return opts, func() error { return os.RemoveAll(opts.StoreDir) }, nil
}

// serverLog passes the server's warnings and errors on.
type serverLog struct{ log *zap.SugaredLogger }

func (l serverLog) Warnf(format string, v ...any)  { l.log.Warnf(format, v...) }
func (l serverLog) Errorf(format string, v ...any) { l.log.Errorf(format, v...) }
func (l serverLog) Fatalf(format string, v ...any) { l.log.Errorf(format, v...) }
func (serverLog) Noticef(string, ...any)           {} // starting and stopping is no news
func (serverLog) Debugf(string, ...any)            {}
func (serverLog) Tracef(string, ...any)            {}
