package node_test

import (
	"context"
	"slices"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"manta/node"
	"manta/node/embedded"
	"manta/objstore"
)

func TestNodesGoOnWithAServerThatLostWhatItHadInMemory(t *testing.T) {
	srv, err := embedded.RunServer(embedded.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	url := srv.URL()
	t.Cleanup(func() { srv.Close() }) // the one that runs then
	var ctxs []context.Context
	for range 2 {
		_, ctx := start(t, node.Config{URL: url, CPUs: 1, Storage: jetstream.MemoryStorage})
		ctxs = append(ctxs, ctx)
	}
	for _, ctx := range ctxs {
		awaitCount(t, ctx, 2)
	}
	srv.Close()
	if srv, err = embedded.RunServer(embedded.Config{Listen: url[len("nats://"):]}); err != nil {
		t.Fatal(err)
	}
	_, lateCtx := start(t, node.Config{URL: url, CPUs: 1, Storage: jetstream.MemoryStorage})
	for _, ctx := range append(ctxs, lateCtx) {
		awaitCount(t, ctx, 3)
	}
	g := newGate(t)
	refs := hold.Map(lateCtx, []string{g.name, g.name, g.name})
	for range refs { // one CPU each: they run at once only on three nodes
		await(t, g.came, "a task to begin")
	}
	g.open()
	asking, cancel := context.WithTimeout(lateCtx, patience)
	defer cancel()
	places, err := objstore.GetAll(asking, refs)
	slices.Sort(places)
	if err != nil || len(slices.Compact(places)) != 3 {
		t.Errorf("they ran on %v, %v", places, err)
	}
}
