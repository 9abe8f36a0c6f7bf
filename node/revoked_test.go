package node_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"manta/bus"
	"manta/node"
	"manta/task"
)

// endless runs until nobody wants it any more.
var endless = task.Define0("endless", func(ctx context.Context) (int, error) {
	<-ctx.Done()
	return 0, context.Cause(ctx)
}, task.In(deeds))

func TestACallerWhoseCredentialsAreRevokedIsToldSo(t *testing.T) {
	const password = "s3cr3t-of-alice"
	worker := &server.User{Username: "worker", Password: "s3cr3t-of-worker"}
	opts := &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true,
		Users: []*server.User{worker, {Username: "alice", Password: password}},
	}
	without := opts.Clone()
	without.Users = []*server.User{worker}
	srv, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	if !srv.ReadyForConnections(patience) {
		t.Fatal("the server is not ready")
	}
	start(t, node.Config{URL: inURL("worker:s3cr3t-of-worker")(srv.ClientURL()), Registry: deeds, SharedDir: "off"})
	core, logs := observer.New(zapcore.DebugLevel)
	n, ctx := start(t, node.Config{URL: inURL("alice:" + password)(srv.ClientURL()), Caller: "alice", Logger: zap.New(core)})
	if v, err := square.Call(ctx, 7); v != 49 || err != nil {
		t.Fatalf("before: %d, %v", v, err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	underway := endless.Go(ctx)
	if v, err := square.Call(ctx, 8); v != 64 || err != nil { // and what was asked for before it is there
		t.Fatalf("before: %d, %v", v, err)
	}
	if err := srv.ReloadOptions(without); err != nil {
		t.Fatal(err)
	}
	_, lost := underway.Get(ctx)
	if lost == nil || ctx.Err() != nil {
		t.Errorf("a call under way: %v", lost)
	}
	var refused error
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for !errors.Is(refused, bus.ErrClosed) && ctx.Err() == nil { // until nats.go has given up
		_, refused = square.Call(ctx, 9)
		<-look.C
	}
	if !errors.Is(refused, bus.ErrClosed) || !errors.Is(refused, nats.ErrAuthorization) {
		t.Errorf("a call after that: %v, want ErrClosed and why", refused)
	}
	if err := n.Drain(ctx); err != nil {
		t.Errorf("draining: %v", err)
	}
	seen := fmt.Sprintf("%v %v %s %+v", lost, refused, n.Server(), n.Stats())
	for _, entry := range logs.All() {
		seen += fmt.Sprintf("\n%s %v", entry.Message, entry.ContextMap())
	}
	if strings.Contains(seen, password) {
		t.Errorf("the password is in %s", seen)
	}
}
