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
	srv := start(t, &server.Options{DontListen: true})
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	return srv
}

// restartable is a NATS server on a port of loopback, which can be restarted with nothing of what it had in memory.
type restartable struct {
	*server.Server
	port int
}

// runRestartable starts a server, and ends the one that is running when the test ends.
func runRestartable(t *testing.T) *restartable {
	t.Helper()
	r := &restartable{Server: start(t, &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT})}
	r.port = r.Addr().(*net.TCPAddr).Port
	t.Cleanup(r.end)
	return r
}

func (r *restartable) end() {
	r.Shutdown()
	r.WaitForShutdown()
}

// begin starts the server again after end.
func (r *restartable) begin(t *testing.T) {
	t.Helper()
	r.Server = start(t, &server.Options{Host: "127.0.0.1", Port: r.port})
}

func start(t *testing.T, opts *server.Options) *server.Server {
	t.Helper()
	opts.JetStream, opts.StoreDir, opts.NoSigs = true, t.TempDir(), true
	srv, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server did not start")
	}
	return srv
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
