package task_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/vmihailenco/msgpack/v5"

	"manta/objstore"
	"manta/task"
)

// plainStream is what a plain client gets of a stream.
type plainStream struct {
	t   *testing.T
	sub *nats.Subscription
}

// stream asks a function for its items.
func (p plain) stream(function, payload string, headers ...string) plainStream {
	p.t.Helper()
	sub, err := p.nc.SubscribeSync(p.nc.NewInbox())
	if err != nil {
		p.t.Fatal(err)
	}
	msg := nats.NewMsg("manta.default.task." + function)
	msg.Reply, msg.Data = sub.Subject, []byte(payload)
	msg.Header.Set("Manta-Stream", "1")
	for i := 0; i < len(headers); i += 2 {
		msg.Header.Set(headers[i], headers[i+1])
	}
	if err := p.nc.PublishMsg(msg); err != nil {
		p.t.Fatal(err)
	}
	return plainStream{p.t, sub}
}

// next returns the next message that is no sign of life.
func (s plainStream) next() *nats.Msg {
	s.t.Helper()
	for {
		msg, err := s.sub.NextMsg(patience)
		if err != nil {
			s.t.Fatal(err)
		}
		if msg.Header.Get("Status") != "100" {
			return msg
		}
	}
}

// wantItem checks that the next message is that item.
func (s plainStream) wantItem(n int, payload string) *nats.Msg {
	s.t.Helper()
	msg := s.next()
	if string(msg.Data) != payload || msg.Header.Get("Manta-Item") != strconv.Itoa(n) || msg.Reply == "" {
		s.t.Fatalf("got %s %v, want item %d: %s", msg.Data, msg.Header, n, payload)
	}
	return msg
}

func (s plainStream) wantEnd() {
	s.t.Helper()
	if msg := s.next(); msg.Header.Get("Status") != "204" || len(msg.Data) > 0 || msg.Header.Get("Manta-Item") != "" {
		s.t.Errorf("got %s %v, want the end", msg.Data, msg.Header)
	}
}

func TestAPlainClientStreams(t *testing.T) {
	_, p := startWithPlainClient(t, 2)
	s := p.stream("up_to", "5")
	for i := range 5 {
		s.wantItem(i+1, strconv.Itoa(i))
	}
	s.wantEnd()
	p.stream("up_to", "0").wantEnd()

	s = p.stream("up_to", "100") // more than may be ahead: each is acknowledged
	for i := range 100 {
		if err := s.wantItem(i+1, strconv.Itoa(i)).Respond(nil); err != nil {
			t.Fatal(err)
		}
	}
	s.wantEnd()
}

func TestAPlainClientStreamsMessagePack(t *testing.T) {
	_, p := startWithPlainClient(t, 1)
	payload, err := msgpack.Marshal(3)
	if err != nil {
		t.Fatal(err)
	}
	s := p.stream("up_to", string(payload), "Content-Type", "application/msgpack")
	for i := range 3 {
		msg := s.next()
		var got int
		if err := msgpack.Unmarshal(msg.Data, &got); err != nil || got != i || msg.Header.Get("Content-Type") != "application/msgpack" {
			t.Errorf("got %x %v, want %d", msg.Data, msg.Header, i)
		}
	}
	s.wantEnd()
}

func TestAPlainClientGetsAsManyItemsAsItAcknowledges(t *testing.T) {
	_, p := startWithPlainClient(t, 2)
	f := newFlow(t, nil)
	s := p.stream("flowing", `{"Flow":"`+f.name+`","N":8}`, "Manta-Ahead", "3")
	acknowledged := 0
	for i := 1; i <= 8; i++ {
		msg := s.next()
		if msg.Header.Get("Manta-Item") != strconv.Itoa(i) {
			t.Fatalf("got %v, want item %d", msg.Header, i)
		}
		if got := f.yielded.Load(); got > int64(acknowledged)+3 {
			t.Errorf("%d items were yielded, %d are acknowledged", got, acknowledged)
		}
		if i%3 == 0 { // one answer for all before it
			idle, err := s.sub.NextMsg(patience)
			if err != nil || idle.Header.Get("Status") != "100" || i == 3 && idle.Reply == "" {
				t.Fatalf("while it may send no more: %v, %v", idle, err)
			}
			acknowledged = i
			if err := msg.Respond(nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.wantEnd()
}

func TestAPlainClientsStreamEndsWithTheErrorAfterTheLastItem(t *testing.T) {
	_, p := startWithPlainClient(t, 2)
	s := p.stream("failing", "2")
	s.wantItem(1, "0")
	s.wantItem(2, "1")
	if h := s.next().Header; h.Get("Manta-Error") != "failed" || h.Get("Nats-Service-Error-Code") != "500" || !strings.Contains(h.Get("Nats-Service-Error"), "the well is dry") {
		t.Errorf("got %v", h)
	}
	for name, test := range map[string]struct{ function, payload, header, value, says string }{
		"no window":             {"up_to", "1", "Manta-Ahead", "0", "want a number from 1"},
		"a word for a window":   {"up_to", "1", "Manta-Ahead", "x", "want a number from 1"},
		"no argument":           {"up_to", `"x"`, "Manta-Ahead", "1", "cannot decode"},
		"no streaming function": {"double", "1", "Manta-Stream", "1", "it is no streaming function"},
		"nor one of two":        {"two_args", `["x",1]`, "Manta-Stream", "1", "it is no streaming function"},
		"nor one of none":       {"zero_args", "", "Manta-Stream", "1", "it is no streaming function"},
	} {
		h := p.stream(test.function, test.payload, test.header, test.value).next().Header
		if h.Get("Nats-Service-Error-Code") != "400" || h.Get("Manta-Error") != "argument" && h.Get("Manta-Error") != "failed" || !strings.Contains(h.Get("Nats-Service-Error"), test.says) {
			t.Errorf("%s: got %v", name, h)
		}
	}
	if h := p.ask("up_to", "3", "").Header; !strings.Contains(h.Get("Nats-Service-Error"), "Manta-Stream: 1") || h.Get("Nats-Service-Error-Code") != "400" {
		t.Errorf("a request without the header: %v", h)
	}
}

func TestAPlainClientsStreamOfItemsThatTheServerDoesNotTakeEndsWithAnError(t *testing.T) {
	_, p := startWithPlainClient(t, 1)
	s := p.stream("sized", "[10, 100000, 2000000, 10]")
	s.next()
	msg := s.next()
	if len(msg.Data) < 100_000 {
		t.Errorf("an item above 64 KiB came as %d bytes, %v", len(msg.Data), msg.Header)
	}
	if err := msg.Respond(nil); err != nil { // else there is no credit for the next
		t.Fatal(err)
	}
	if h := s.next().Header; !strings.Contains(h.Get("Nats-Service-Error"), "the server takes messages of") {
		t.Errorf("got %v", h)
	}
}

func TestAPlainClientThatLeavesEndsItsStream(t *testing.T) {
	c, p := startWithPlainClient(t, 2)
	for name, leave := range map[string]func(s plainStream, msg *nats.Msg) error{
		"says stop":    func(_ plainStream, msg *nats.Msg) error { return msg.Respond([]byte("stop")) },
		"unsubscribes": func(s plainStream, _ *nats.Msg) error { return s.sub.Unsubscribe() },
	} {
		f := newFlow(t, nil)
		s := p.stream("flowing", `{"Flow":"`+f.name+`","N":1000}`)
		if err := leave(s, s.next()); err != nil {
			t.Fatal(err)
		}
		if got := f.awaitStop(t); !errors.Is(got.cause, task.ErrCancelled) {
			t.Errorf("%s: its ctx has ended with %v", name, got.cause)
		}
	}
	drainAll(t, c, 2)
}

// refs is a stream of what is too large for messages.
var _ = task.DefineStream("of_refs", func(ctx context.Context, n int, yield func(objstore.Ref[[]byte]) error) error {
	return yield(objstore.Put(ctx, make([]byte, n)))
})

func TestAPlainClientGetsRefsForWhatIsTooLarge(t *testing.T) {
	_, p := startWithPlainClient(t, 1)
	s := p.stream("of_refs", "2000000")
	if msg := s.next(); !strings.Contains(string(msg.Data), "$ref") {
		t.Errorf("got %s, %v", msg.Data, msg.Header)
	}
	s.wantEnd()
}
