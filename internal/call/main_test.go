package call_test

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
	"manta/internal/member"
	"manta/objstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// startNode starts the part of a node that calls need: a connection and a share of the object store. The ctx carries it.
func startNode(t *testing.T) (*member.Node, context.Context) {
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
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	conn, err := bus.Connect(ctx, bus.Config{
		Name: t.Name(), Namespace: "test", User: "tester", Storage: jetstream.MemoryStorage,
		Options: []nats.Option{nats.InProcessServer(srv)}, Log: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	id := member.NewID()
	members, err := member.OpenTable(ctx, conn, id, 0, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(members.Close)
	node := &member.Node{ID: id, Conn: conn, Members: members, Log: zap.NewNop(), Closing: make(chan struct{})}
	store, err := objstore.Open(ctx, node, 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return node, member.NewContext(ctx, &member.Scope{Node: node})
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
