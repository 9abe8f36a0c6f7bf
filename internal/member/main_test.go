package member_test

import (
	"context"
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
	srv, err := server.NewServer(&server.Options{JetStream: true, StoreDir: t.TempDir(), DontListen: true, NoSigs: true})
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

// connectTo connects to a server until the test ends.
func connectTo(t *testing.T, srv *server.Server) *bus.Conn {
	t.Helper()
	conn, err := bus.Connect(within(t, 10*time.Second), bus.Config{
		Name: t.Name(), Namespace: "test", User: "tester", Storage: jetstream.MemoryStorage,
		Options: []nats.Option{nats.InProcessServer(srv)}, Log: zap.NewNop(),
	})
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
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came within 10 s")
	}
	return v
}
