package embedded

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/zap"
)

const (
	// readyTimeout bounds how long the server may take to start.
	readyTimeout = 10 * time.Second
	// readyLook is how long it may be silent before its complaints are read.
	readyLook = 100 * time.Millisecond
	// A client or a server that has been silent for three pings is gone.
	pingInterval, maxPingsOut = time.Second, 2
	// Of the tries to reach a server that has gone, one a second, each so manieth is worth a line in the log.
	reconnectReports = 60
)

// Server is a NATS server with JetStream inside the process. Start makes one for its node; RunServer makes one for several
// nodes, which connect by nats.InProcessServer in their Config.Options.
type Server struct {
	server *server.Server
	routes []*url.URL   // of its cluster, its own first; none if it is on its own
	remove func() error // what the server put on disk for this process alone
	asks   bool         // for credentials, perhaps
	log    *zap.Logger
	closed sync.Once
}

// RunServer starts a server. Of cfg it uses what Config has beside node.Config, and Logger. It does not wait for the other
// servers of a cluster: AwaitJetStream does.
func RunServer(cfg Config) (*Server, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	opts, err := cfg.readServerConfig()
	if err != nil {
		return nil, err
	}
	if err := cfg.checkExposure(opts); err != nil {
		return nil, err
	}
	s := &Server{log: cfg.Logger, asks: cfg.ServerConfig != ""}
	if s.log == nil {
		s.log = zap.NewNop()
	}
	if err := s.run(cfg, opts); err != nil {
		return nil, fmt.Errorf("cannot start the NATS server inside: %w", err)
	}
	return s, nil
}

func (s *Server) run(cfg Config, opts *server.Options) (err error) {
	if err := s.complete(opts, cfg); err != nil {
		return err
	}
	if s.server, err = server.NewServer(opts); err != nil {
		return errors.Join(err, s.remove())
	}
	fatal := make(chan error, 1)
	s.server.SetLoggerV2(serverLog{s.log.Sugar(), fatal}, false, false, false)
	s.server.Start()
	if err := s.awaitReady(fatal); err != nil {
		s.Close()
		return err
	}
	return nil
}

// awaitReady waits until the server takes connections. What it cannot use, a directory or a port, it tells fatal: before Start
// returns, or, if it is the port for routes, at any time after.
func (s *Server) awaitReady(fatal <-chan error) error {
	for deadline := time.Now().Add(readyTimeout); ; {
		ready := s.server.ReadyForConnections(readyLook)
		select {
		case err := <-fatal:
			return err
		default:
		}
		switch {
		case ready:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("not ready within %v", readyTimeout)
		}
	}
}

// complete says in the options what Config does.
func (s *Server) complete(opts *server.Options, cfg Config) error {
	listen := cfg.Listen
	if listen == "" && cfg.ClusterListen != "" {
		listen = "127.0.0.1:0" // nats-server takes no routes before it takes clients
	}
	opts.JetStream, opts.DontListen, opts.NoSigs = true, listen == "", true
	opts.PingInterval, opts.MaxPingsOut, opts.ReconnectErrorReports = pingInterval, maxPingsOut, reconnectReports
	if listen != "" {
		host, port, _ := net.SplitHostPort(listen) // validated
		number, _ := strconv.Atoi(port)
		opts.Host, opts.Port = host, number
		if number == 0 {
			opts.Port = server.RANDOM_PORT
		}
	}
	if cfg.ClusterListen != "" {
		if err := s.cluster(opts, cfg); err != nil {
			return err
		}
	}
	return s.store(opts, cfg)
}

// store says where JetStream keeps its files.
func (s *Server) store(opts *server.Options, cfg Config) (err error) {
	s.remove = func() error { return nil }
	if cfg.Dir != "" {
		opts.StoreDir = cfg.Dir
		opts.ServerName, err = claimDir(cfg.Dir, marker{Clustered: cfg.ClusterListen != "", Server: opts.ServerName})
		return err
	}
	dir, err := os.MkdirTemp("", "manta-") // JetStream wants a directory also for what it keeps in memory
	if err != nil {
		return err
	}
	opts.StoreDir = dir
	s.remove = func() error { return os.RemoveAll(dir) }
	return nil
}

// InProcessConn returns a connection to the server that crosses no network: it makes *Server a nats.InProcessConnProvider.
func (s *Server) InProcessConn() (net.Conn, error) {
	conn, err := s.server.InProcessConn()
	if err != nil || !s.asks {
		return conn, err
	}
	return &greeting{Conn: conn}, nil
}

// URL returns where other processes reach the server; empty if it opens no port.
func (s *Server) URL() string {
	if s.server.Addr() == nil {
		return ""
	}
	return s.server.ClientURL()
}

// Close stops the server and waits until it has stopped. Safe to call twice.
func (s *Server) Close() {
	s.closed.Do(func() {
		s.server.Shutdown()
		s.server.WaitForShutdown()
		if err := s.remove(); err != nil {
			s.log.Warn("a temporary directory stays behind", zap.Error(err))
		}
	})
}

// serverLog passes the server's warnings and errors on. The first fatal one, after which a program that is only a server would
// exit, goes to fatal too.
type serverLog struct {
	log   *zap.SugaredLogger
	fatal chan<- error
}

func (l serverLog) Warnf(format string, v ...any)  { l.log.Warnf(format, v...) }
func (l serverLog) Errorf(format string, v ...any) { l.log.Errorf(format, v...) }
func (serverLog) Noticef(string, ...any)           {} // starting and stopping is no news
func (serverLog) Debugf(string, ...any)            {}
func (serverLog) Tracef(string, ...any)            {}

func (l serverLog) Fatalf(format string, v ...any) {
	l.log.Errorf(format, v...)
	select {
	case l.fatal <- fmt.Errorf(format, v...):
	default: // the first one says why
	}
}
