package bus_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"manta/bus"
)

// atPort makes a server listen on loopback.
func atPort(port int) func(*server.Options) {
	return func(opts *server.Options) { opts.DontListen, opts.Host, opts.Port = false, "127.0.0.1", port }
}

// restart ends a server and starts another on the same port, which knows nothing of what the first had.
func restart(t *testing.T, srv *server.Server) *server.Server {
	t.Helper()
	port := portOf(t, srv)
	srv.Shutdown()
	srv.WaitForShutdown()
	return runServer(t, atPort(port))
}

// dial connects to a server that listens.
func dial(t *testing.T, srv *server.Server, opts ...nats.Option) *bus.Conn {
	t.Helper()
	conn, err := bus.Connect(within(t, 10*time.Second), bus.Config{URL: srv.ClientURL(), Namespace: "test", User: "tester", Options: opts, Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

func TestEachReconnectBeginsAGenerationAndIsTold(t *testing.T) {
	srv := runServer(t, atPort(server.RANDOM_PORT))
	theirs := make(chan struct{}, 10)
	conn := dial(t, srv, nats.ReconnectHandler(func(*nats.Conn) { theirs <- struct{}{} }))
	if g := conn.Generation(); g != 1 {
		t.Errorf("it begins with generation %d, want 1", g)
	}
	told, unwanted := make(chan uint64, 10), make(chan struct{}, 10)
	conn.OnReconnect(func() { told <- conn.Generation() })
	conn.OnReconnect(func() { unwanted <- struct{}{} })()
	last := uint64(1)
	for range 2 {
		srv = restart(t, srv)
		if g := receive(t, told); g <= last {
			t.Errorf("generation %d follows %d", g, last)
		} else {
			last = g
		}
		receive(t, theirs)
	}
	if len(unwanted) > 0 {
		t.Error("one that does not want to hear any more was told")
	}
}

func TestWhoTakesItsTimeOverAReconnectHoldsNobodyUp(t *testing.T) {
	srv := runServer(t, atPort(server.RANDOM_PORT))
	theirs := make(chan struct{}, 10)
	conn := dial(t, srv, nats.ReconnectHandler(func(*nats.Conn) { theirs <- struct{}{} }))
	entered, leave := make(chan struct{}, 10), make(chan struct{})
	defer close(leave)
	conn.OnReconnect(func() { entered <- struct{}{}; <-leave })
	for range 2 { // nats.go calls back a second time while the first call is still taken its time over
		srv = restart(t, srv)
		receive(t, theirs)
	}
	receive(t, entered)
	if err := conn.Flush(within(t, 10*time.Second)); err != nil {
		t.Error(err)
	}
}

func TestDroppedMessagesCountAsALostConnection(t *testing.T) {
	theirs := make(chan error, 10)
	conn := connectTo(t, runServer(t), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { theirs <- err }))
	told := make(chan uint64, 10)
	conn.OnReconnect(func() { told <- conn.Generation() })
	if _, err := conn.SubscribeChan("letters", "", make(chan *bus.Msg, 1)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // one more than there is room for
		if err := conn.Publish("letters", "", nil); err != nil {
			t.Fatal(err)
		}
	}
	if g := receive(t, told); g != 2 {
		t.Errorf("got generation %d, want 2", g)
	}
	receive(t, theirs)
}
