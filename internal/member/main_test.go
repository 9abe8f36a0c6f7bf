package member_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"manta/bus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// runServer starts a NATS server that opens no port.
func runServer(t *testing.T) *server.Server {
	t.Helper()
	return startServer(t, &server.Options{DontListen: true})
}

// runServerAt starts a NATS server on a port of loopback.
func runServerAt(t *testing.T, port int) *server.Server {
	t.Helper()
	return startServer(t, &server.Options{Host: "127.0.0.1", Port: port})
}

func startServer(t *testing.T, opts *server.Options) *server.Server {
	t.Helper()
	opts.JetStream, opts.StoreDir, opts.NoSigs = true, t.TempDir(), true
	srv, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server did not start")
	}
	return srv
}

// stop ends a server and returns its port.
func stop(t *testing.T, srv *server.Server) (port int) {
	t.Helper()
	port = srv.Addr().(*net.TCPAddr).Port
	srv.Shutdown()
	srv.WaitForShutdown()
	return port
}

// connectTo connects to a server until the test ends.
func connectTo(t *testing.T, srv *server.Server) *bus.Conn {
	t.Helper()
	cfg := bus.Config{Name: t.Name(), Namespace: "test", User: "tester", Storage: jetstream.MemoryStorage, Log: zap.NewNop()}
	if srv.Addr() == nil {
		cfg.Options = []nats.Option{nats.InProcessServer(srv)}
	} else {
		cfg.URL = srv.ClientURL()
	}
	conn, err := bus.Connect(within(t, 10*time.Second), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// within bounds what the rest of a test may take, so that nothing hangs.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// receive waits for what a test expects to come.
func receive[T any](t *testing.T, ch <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came within 20 s")
	}
	return v
}
