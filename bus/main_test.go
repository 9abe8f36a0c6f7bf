package bus_test

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

func TestMain(m *testing.M) {
	// Package msgpack keeps a goroutine for each type that is embedded by pointer: no owner can end it.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/vmihailenco/msgpack/v5.cachedValue.func1"))
}

// runServer starts a NATS server that opens no port.
func runServer(t *testing.T, change ...func(*server.Options)) *server.Server {
	t.Helper()
	srv := beginServer(t, change...)
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server did not start")
	}
	return srv
}

// beginServer is runServer without waiting until the server is ready, which the first of a cluster is not before the others.
func beginServer(t *testing.T, change ...func(*server.Options)) *server.Server {
	t.Helper()
	opts := &server.Options{JetStream: true, StoreDir: t.TempDir(), DontListen: true, NoSigs: true}
	for _, c := range change {
		c(opts)
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	return srv
}

func withoutJetStream(opts *server.Options) { opts.JetStream = false }

// connectTo connects to a server until the test ends.
func connectTo(t *testing.T, srv nats.InProcessConnProvider, opts ...nats.Option) *bus.Conn {
	t.Helper()
	conn, err := bus.Connect(within(t, 10*time.Second), bus.Config{
		Name: t.Name(), Namespace: "test", User: "tester", Storage: jetstream.MemoryStorage,
		Options: append([]nats.Option{nats.InProcessServer(srv)}, opts...), Log: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// connect starts a server and connects to it.
func connect(t *testing.T) *bus.Conn {
	t.Helper()
	return connectTo(t, runServer(t))
}

// within bounds what the rest of a test may take, so that nothing hangs.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
