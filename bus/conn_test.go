package bus_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"manta/bus"
)

func TestAServerThatCannotBeReachedIsNamed(t *testing.T) {
	const url = "nats://127.0.0.1:1"
	_, err := bus.Connect(within(t, 10*time.Second), bus.Config{URL: url, Namespace: "test", Log: zap.NewNop()})
	if err == nil || !strings.Contains(err.Error(), url) {
		t.Errorf("got %v", err)
	}
}

func TestAServerWithoutJetStreamIsRefused(t *testing.T) {
	srv := runServer(t, withoutJetStream)
	_, err := bus.Connect(within(t, 10*time.Second), bus.Config{
		URL: "nats://inside", Namespace: "test", Log: zap.NewNop(), Options: []nats.Option{nats.InProcessServer(srv)},
	})
	if !errors.Is(err, bus.ErrNoJetStream) || !strings.Contains(err.Error(), "nats://inside") {
		t.Errorf("got %v", err)
	}
}

func TestMessagesArriveInTheOrderInWhichTheyWerePublished(t *testing.T) {
	conn := connect(t)
	const count = 1000
	got := make(chan string, count)
	if _, err := conn.Subscribe("letters", "", func(msg *bus.Msg) { got <- string(msg.Data) }); err != nil {
		t.Fatal(err)
	}
	for i := range count {
		if err := conn.Publish("letters", "", []byte{byte(i), byte(i >> 8)}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range count {
		if data := receive(t, got); data != string([]byte{byte(i), byte(i >> 8)}) {
			t.Fatalf("message %d is %q", i, data)
		}
	}
}

func TestAQueuesMessagesGoToOneMemberEach(t *testing.T) {
	conn := connect(t)
	got := make(chan string, 3)
	for range 3 {
		if _, err := conn.Subscribe("work", bus.Workers, func(msg *bus.Msg) { got <- string(msg.Data) }); err != nil {
			t.Fatal(err)
		}
	}
	last := make(chan string, 1)
	if _, err := conn.Subscribe("last", "", func(*bus.Msg) { last <- "" }); err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"work", "last"} {
		if err := conn.Publish(subject, "", []byte(subject)); err != nil {
			t.Fatal(err)
		}
	}
	receive(t, got)
	receive(t, last)
	if err := conn.Flush(within(t, 5*time.Second)); err != nil {
		t.Fatal(err)
	}
	if len(got) > 0 {
		t.Error("two members got one message")
	}
}

func TestARequestIsAnsweredOrRefusedByTheServer(t *testing.T) {
	conn := connect(t)
	ctx := within(t, 10*time.Second)
	if _, err := conn.Subscribe("echo", "", func(msg *bus.Msg) { _ = conn.Publish(msg.Reply, "", msg.Data) }); err != nil {
		t.Fatal(err)
	}
	if msg, err := conn.Request(ctx, "echo", []byte("hi")); err != nil || string(msg.Data) != "hi" {
		t.Errorf("got %v, %v", msg, err)
	}
	if _, err := conn.Request(ctx, "nobody", nil); !errors.Is(err, bus.ErrNoResponders) || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("got %v, want ErrNoResponders and the subject", err)
	}
}

func TestAPublishThatReachesNobodyIsReportedToItsReplySubject(t *testing.T) {
	conn := connect(t)
	got := make(chan *bus.Msg, 1)
	if _, err := conn.SubscribeChan(conn.Inbox("report"), "", got); err != nil {
		t.Fatal(err)
	}
	if err := conn.Publish("nobody", conn.Inbox("report"), []byte("x")); err != nil {
		t.Fatal(err)
	}
	if subject, unserved := bus.Unserved(receive(t, got)); !unserved || subject != "nobody" {
		t.Errorf("got %q, %v", subject, unserved)
	}
	if err := conn.Publish(conn.Inbox("report"), "", nil); err != nil {
		t.Fatal(err)
	}
	if subject, unserved := bus.Unserved(receive(t, got)); unserved {
		t.Errorf("an empty message was taken for the server's word on %q", subject)
	}
}

func TestAMessageKeepsItsHeaders(t *testing.T) {
	conn := connect(t)
	got := make(chan *bus.Msg, 1)
	if _, err := conn.SubscribeChan("letters", "", got); err != nil {
		t.Fatal(err)
	}
	msg := bus.NewMsg("letters", []byte("x"))
	msg.Header.Set("Colour", "blue")
	if err := conn.PublishMsg(msg); err != nil {
		t.Fatal(err)
	}
	if back := receive(t, got); back.Header.Get("Colour") != "blue" || string(back.Data) != "x" {
		t.Errorf("got %+v", back)
	}
}

func TestAClosedConnectionRefusesEverythingAtOnce(t *testing.T) {
	conn := connect(t)
	conn.Close()
	conn.Close()
	if err := conn.Publish("letters", "", nil); !errors.Is(err, bus.ErrClosed) {
		t.Errorf("Publish: %v, want ErrClosed", err)
	}
	if _, err := conn.Request(within(t, 5*time.Second), "letters", nil); !errors.Is(err, bus.ErrClosed) {
		t.Errorf("Request: %v, want ErrClosed", err)
	}
	if _, err := conn.Subscribe("letters", "", func(*bus.Msg) {}); err == nil {
		t.Error("Subscribe: no error")
	}
}

func TestCloseWaitsForTheUsersOwnHandlerToo(t *testing.T) {
	handled := false
	conn := connectTo(t, runServer(t), nats.ClosedHandler(func(*nats.Conn) { handled = true }), nats.NoCallbacksAfterClientClose())
	conn.Close()
	if !handled {
		t.Error("the handler did not run")
	}
}

func TestInboxesOfTwoConnectionsOfOneUserDiffer(t *testing.T) {
	srv := runServer(t)
	if a, b := connectTo(t, srv).Inbox("x"), connectTo(t, srv).Inbox("x"); a == b {
		t.Errorf("both are %s", a)
	}
}

func TestAServerInsideIsCalledByItsURLOrInProcess(t *testing.T) {
	if got := connect(t).Server(); got != "in process" {
		t.Errorf("got %q", got)
	}
}

func TestAFlushEndsWithItsContext(t *testing.T) {
	conn := connect(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := conn.Flush(ctx); err == nil {
		t.Error("no error")
	}
}

func TestWhatIsToBeAnsweredWhereNoAnswersGoIsNotHandled(t *testing.T) {
	conn := connect(t)
	handled, rejected, heard := make(chan string, 3), make(chan string, 3), make(chan string, 3)
	conn.OnReject(func(msg *bus.Msg, err error) {
		if !errors.Is(err, bus.ErrNoReply) {
			t.Errorf("got %v", err)
		}
		rejected <- msg.Reply
	})
	inbox := conn.Inbox("answers")
	for subject, got := range map[string]chan string{"door": handled, inbox: heard} {
		if _, err := conn.Subscribe(subject, "", func(msg *bus.Msg) { got <- msg.Reply }); err != nil {
			t.Fatal(err)
		}
		for _, reply := range []string{"$JS.API.INFO", conn.Task("f"), inbox} {
			if err := conn.Publish(subject, reply, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if reply := receive(t, handled); reply != inbox {
		t.Errorf("an answer to %q", reply)
	}
	if first, second := receive(t, rejected), receive(t, rejected); first != "$JS.API.INFO" || second != conn.Task("f") {
		t.Errorf("%q and %q were rejected", first, second)
	}
	for range 3 { // beneath its own inbox come answers
		receive(t, heard)
	}
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

func TestAPasswordInAURLIsNotInTheError(t *testing.T) {
	_, err := bus.Connect(t.Context(), bus.Config{URL: "nats://ada:secret@127.0.0.1:1", Namespace: "test", User: "test", Log: zap.NewNop()})
	if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "nats://xxxxx@127.0.0.1:1") {
		t.Fatalf("got %v, want an error that names the server, not the password", err)
	}
}
