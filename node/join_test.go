package node_test

import (
	"context"
	"errors"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"manta/node"
)

// A node that cannot join has to end again, and what it had taken would be cut short with it.
func TestANodeTakesNoTaskBeforeItHasJoined(t *testing.T) {
	srv := serve(t)
	first, _ := start(t, on(srv, node.Config{})) // it makes the buckets
	closeNode(t, first)
	nc, err := nats.Connect("", nats.InProcessServer(srv))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	leases, err := js.Stream(t.Context(), "KV_manta_default_leases")
	if err != nil {
		t.Fatal(err)
	}
	refusing := leases.CachedInfo().Config
	refusing.MaxMsgSize = 1 // it takes no lease
	if _, err := js.UpdateStream(t.Context(), refusing); err != nil {
		t.Fatal(err)
	}
	joining, err := nc.SubscribeSync("$KV.manta_default_leases.>")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	started := make(chan error, 1)
	go func() {
		_, _, err := node.Start(ctx, on(srv, node.Config{}))
		started <- err
	}()
	if _, err := joining.NextMsg(patience); err != nil {
		t.Fatal(err)
	}
	if reply, err := nc.Request("manta.default.task.where", nil, patience); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("a task: %v, %v, want nobody there", reply, err)
	}
	cancel()
	if err := <-started; err == nil {
		t.Error("the node started without a lease")
	}
}
