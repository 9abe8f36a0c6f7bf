package node_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"manta/bus"
	"manta/node"
)

func TestAServerThatCannotBeReachedIsNamedAtOnce(t *testing.T) {
	for name, url := range map[string]string{
		"malformed":   "nats://[::1",
		"no scheme's": "http://127.0.0.1:1",
		"nobody's":    "nats://127.0.0.1:1",
		"nobodies'":   "nats://127.0.0.1:1,nats://127.0.0.1:2",
		"no port's":   "nats://127.0.0.1:port",
		"silent":      silence(t),
	} {
		t.Run(name, func(t *testing.T) {
			begun, closed := time.Now(), 0
			n, ctx, err := node.Start(t.Context(), node.Config{URL: url, OnClosed: func() { closed++ }})
			if err == nil || n != nil || ctx != nil || !strings.Contains(err.Error(), url) {
				t.Errorf("got %v, %v, %v, want an error that names %s", n, ctx, err, url)
			}
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			if closed != 1 {
				t.Errorf("OnClosed was called %d times, want once", closed)
			}
		})
	}
}

// silence returns the URL of a server that never says a word.
func silence(t *testing.T) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return "nats://" + listener.Addr().String()
}

func TestTheCtxOfStartBoundsTheStart(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if _, _, err := node.Start(ctx, node.Config{URL: silence(t)}); err == nil {
		t.Fatal("a node started on a server that says nothing")
	}
	if took := time.Since(begun); took > time.Second {
		t.Errorf("it took %v, want about 100 ms", took)
	}
}

func TestAStartWhoseCtxHasEndedFails(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := node.Start(ctx, on(serve(t), node.Config{})); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want Canceled", err)
	}
}

func TestAServerWithoutJetStreamIsRefused(t *testing.T) {
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	defer srv.WaitForShutdown()
	defer srv.Shutdown()
	if !srv.ReadyForConnections(patience) {
		t.Fatal("the server is not ready")
	}
	_, _, err = node.Start(t.Context(), node.Config{URL: srv.ClientURL()})
	if !errors.Is(err, bus.ErrNoJetStream) || !strings.Contains(err.Error(), srv.ClientURL()) || !strings.Contains(err.Error(), "nats-server -js") {
		t.Errorf("got %v, want ErrNoJetStream with %s and the fix", err, srv.ClientURL())
	}
}

type key struct{}

func TestTheCtxOfStartOutlivesStartsAndEndsWithClose(t *testing.T) {
	starting, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	n, ctx, err := node.Start(starting, on(serve(t), node.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	defer closeNode(t, n)
	cancel()
	if ctx.Err() != nil || ctx.Value(key{}) != "value" {
		t.Errorf("after Start's ctx has ended: %v, value %v", ctx.Err(), ctx.Value(key{}))
	}
	if id, err := where.Call(ctx); id != n.ID() || err != nil {
		t.Errorf("a task in it: %q, %v", id, err)
	}
	closeNode(t, n)
	if cause := context.Cause(ctx); !errors.Is(cause, bus.ErrClosed) {
		t.Errorf("after Close its cause is %v, want ErrClosed", cause)
	}
}

func TestANodesContextEndsWithItsParent(t *testing.T) {
	n, own := start(t, on(serve(t), node.Config{}))
	parent, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, "value"))
	ctx := n.Context(parent)
	if id, err := where.Call(ctx); id != n.ID() || err != nil || ctx.Value(key{}) != "value" {
		t.Errorf("a task in it: %q, %v; its value is %v", id, err, ctx.Value(key{}))
	}
	hungUp := errors.New("the client hung up")
	cancel(hungUp)
	if !errors.Is(context.Cause(ctx), hungUp) || own.Err() != nil {
		t.Errorf("its cause is %v, the node's own ctx says %v", context.Cause(ctx), own.Err())
	}
}

func TestAProcessMayCloseANodeAndStartAnother(t *testing.T) {
	srv := serve(t)
	ids := make(map[string]bool)
	for range 3 {
		n, ctx := start(t, on(srv, node.Config{}))
		awaitCount(t, ctx, 1) // those before have said goodbye
		if id, err := where.Call(ctx); id != n.ID() || err != nil {
			t.Errorf("a task: %q, %v", id, err)
		}
		ids[n.ID()] = true
		closeNode(t, n)
	}
	if len(ids) != 3 {
		t.Errorf("three nodes had the ids %v", ids)
	}
}

func TestNamespacesOnOneServerDoNotSeeEachOther(t *testing.T) {
	srv := serve(t)
	red, inRed := start(t, on(srv, node.Config{Namespace: "red"}))
	blue, inBlue := start(t, on(srv, node.Config{Namespace: "blue", ClientOnly: true}))
	for _, test := range []struct {
		ctx  context.Context
		node *node.Node
	}{{inRed, red}, {inBlue, blue}} {
		if members, err := node.Members(test.ctx); err != nil || len(members) != 1 || members[0].ID != test.node.ID() {
			t.Errorf("got %+v, %v, want only %s", members, err, test.node.ID())
		}
	}
	if id, err := where.Call(inRed); id != red.ID() || err != nil {
		t.Errorf("a task ran on %q, %v", id, err)
	}
	if id, err := where.Call(inBlue); err == nil {
		t.Errorf("a task ran on %q, where nobody serves", id)
	}
}
