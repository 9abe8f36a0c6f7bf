package task_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/vmihailenco/msgpack/v5"

	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

var (
	onceRuns atomic.Int64
	_        = task.Define("once_count", func(_ context.Context, fail string) (int64, error) {
		n := onceRuns.Add(1)
		if fail != "" {
			return 0, fmt.Errorf("%s %d", fail, n)
		}
		return n, nil
	})
	_ = task.Define("once_never", func(ctx context.Context, _ string) (string, error) {
		<-ctx.Done()
		return "", context.Cause(ctx)
	})
	_ = task.Define("once_big", func(_ context.Context, n int) (string, error) { return strings.Repeat("x", n), nil })
	_ = task.Define("once_numbers", func(_ context.Context, n int) ([]float64, error) { return make([]float64, n), nil })
)

// request sends a request with a header for each pair of words and returns the reply.
func request(t *testing.T, nc *nats.Conn, subject, payload string, header ...string) *nats.Msg {
	t.Helper()
	msg := nats.NewMsg("manta.default." + subject)
	msg.Data = []byte(payload)
	for i := 0; i < len(header); i += 2 {
		msg.Header.Set(header[i], header[i+1])
	}
	reply, err := nc.RequestMsg(msg, patience)
	if err != nil {
		t.Fatalf("%s of %s: %v", subject, payload, err)
	}
	return reply
}

func TestARequestWithAnIDIsMadeOnce(t *testing.T) {
	c := nodetest.Start(t, 3)
	nc := c.Connect()
	answers := make(chan string, 30)
	for range cap(answers) { // at all nodes, at the same time
		go func() {
			msg := nats.NewMsg("manta.default.task.once_count")
			msg.Data = []byte(`""`)
			msg.Header.Set("Manta-Id", "all-at-once")
			reply, err := nc.RequestMsg(msg, patience)
			if err != nil {
				answers <- err.Error()
				return
			}
			answers <- string(reply.Data)
		}()
	}
	first := <-answers
	for range cap(answers) - 1 {
		if got := <-answers; got != first {
			t.Fatalf("got %q and %q", first, got)
		}
	}
	if n := onceRuns.Load(); fmt.Sprint(n) != first {
		t.Fatalf("it ran %d times, the answer is %s", n, first)
	}
	other := request(t, nc, "task.once_count", `"other"`, "Manta-Id", "all-at-once")
	if other.Header.Get("Manta-Error") != "argument" || !strings.Contains(other.Header.Get("Nats-Service-Error"), "another request") {
		t.Errorf("another payload: %v", other.Header)
	}
	failed := request(t, nc, "task.once_count", `"failed"`, "Manta-Id", "fails")
	again := request(t, nc, "task.once_count", `"failed"`, "Manta-Id", "fails", "Manta-Deadline", "10s")
	if failed.Header.Get("Manta-Error") != "failed" || again.Header.Get("Nats-Service-Error") != failed.Header.Get("Nats-Service-Error") || string(again.Data) != string(failed.Data) {
		t.Errorf("the error is %v, and then %v", failed.Header, again.Header)
	}
	for _, wrong := range []string{"a b", strings.Repeat("x", 200), "a.b"} {
		if reply := request(t, nc, "task.once_count", `""`, "Manta-Id", wrong); reply.Header.Get("Manta-Error") != "argument" {
			t.Errorf("id %q: %v %s", wrong, reply.Header, reply.Data)
		}
	}
}

func TestTheAnswerToARequestIsKeptAsSoonAsJetStreamTakesIt(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := nodetest.Start(t, 1)
		nc := c.Connect()
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		request(t, nc, "task.once_count", `"first"`, "Manta-Id", "makes-the-bucket")
		stream, err := js.Stream(t.Context(), "KV_manta_default_requests")
		if err != nil {
			t.Fatal(err)
		}
		bound := func(bytes int64) {
			config := stream.CachedInfo().Config
			config.MaxBytes = bytes
			if _, err := js.UpdateStream(t.Context(), config); err != nil {
				t.Fatal(err)
			}
		}
		bound(20_000)
		if first := request(t, nc, "task.once_big", "50000", "Manta-Id", "large"); len(first.Data) != 50_002 {
			t.Fatalf("got %.100s, %v", first.Data, first.Header)
		}
		bound(-1)
		if again := request(t, nc, "task.once_big", "50000", "Manta-Id", "large"); len(again.Data) != 50_002 {
			t.Errorf("again: %.100s, %v", again.Data, again.Header)
		}
	})
}

func TestARequestThatHasDoneNothingMayBeMadeAgain(t *testing.T) {
	c := nodetest.Start(t, 1)
	nc := c.Connect()
	if reply := request(t, nc, "task.once_count", `{"not": "text"}`, "Manta-Id", "mended"); reply.Header.Get("Manta-Error") != "argument" {
		t.Fatalf("got %v", reply.Header)
	}
	if reply := request(t, nc, "task.once_count", `""`, "Manta-Id", "mended"); reply.Header.Get("Manta-Error") != "" {
		t.Fatalf("got %v", reply.Header)
	}
}

func TestARequestWhoseNodeDiedIsMadeByAnother(t *testing.T) {
	c, g := nodetest.Start(t, 2), newGate(t)
	nc := c.Connect()
	payload := fmt.Appendf(nil, "%q", g.name)
	first := nc.NewRespInbox()
	sub, err := nc.SubscribeSync(first)
	if err != nil {
		t.Fatal(err)
	}
	msg := nats.NewMsg("manta.default.task.pass")
	msg.Data, msg.Reply = payload, first
	msg.Header.Set("Manta-Id", "survivor")
	if err := nc.PublishMsg(msg); err != nil {
		t.Fatal(err)
	}
	ran := g.await(1)[0].Node
	taker, err := takerOf(nc, "survivor")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if c.Node(i).ID() == taker {
			c.Kill(i)
		}
	}
	done := make(chan string, 1)
	go func() {
		msg := nats.NewMsg("manta.default.task.pass")
		msg.Data = payload
		msg.Header.Set("Manta-Id", "survivor")
		reply, err := nc.RequestMsg(msg, patience)
		if err != nil {
			done <- err.Error()
			return
		}
		done <- string(reply.Data)
	}()
	second := g.await(1)[0].Node
	g.open()
	if got := <-done; got != fmt.Sprintf("%q", second) || second == taker {
		t.Fatalf("the answer is %s; it ran on %s, and on %s after %s had died", got, ran, second, taker)
	}
	_ = sub.Unsubscribe()
}

// takerOf is the node that has claimed a request.
func takerOf(nc *nats.Conn, id string) (string, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	kv, err := js.KeyValue(ctx, "manta_default_requests")
	if err != nil {
		return "", err
	}
	entry, err := kv.Get(ctx, id)
	if err != nil {
		return "", err
	}
	var record struct{ Node string }
	err = json.Unmarshal(entry.Value(), &record)
	return record.Node, err
}

func TestAResultThatNoMessageTakesComesAsARef(t *testing.T) {
	c := nodetest.Start(t, 2)
	nc := c.Connect()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for i, header := range [][]string{nil, {"Manta-Id", "big"}, {"Manta-Id", "big"}} {
		reply := request(t, nc, "task.once_big", "3000000", header...)
		var ref struct {
			ID string `json:"$ref"`
		}
		if err := json.Unmarshal(reply.Data, &ref); err != nil || reply.Header.Get("Manta-Result") != "ref" || ref.ID == "" {
			t.Fatalf("%d: got %.200s, %v, %v", i, reply.Data, reply.Header, err)
		}
		store, err := js.ObjectStore(ctx, "manta_default_objects")
		if err != nil {
			t.Fatal(err)
		}
		if data, err := store.GetBytes(ctx, ref.ID); err != nil || len(data) != 3_000_002 { // at once: with the quotes of JSON
			t.Fatalf("%d: object %s has %d bytes, %v", i, ref.ID, len(data), err)
		}
		refused := request(t, nc, "object."+ref.ID, "")
		if refused.Header.Get("Manta-Error") != "too_large" || refused.Header.Get("Nats-Service-Error-Code") != "413" || !strings.Contains(refused.Header.Get("Nats-Service-Error"), "manta_default_objects") {
			t.Fatalf("%d: the door said %v", i, refused.Header)
		}
	}
	// As MessagePack, and one that is only too large as JSON.
	packed := request(t, nc, "task.once_big", string(must(msgpack.Marshal(3_000_000))), "Content-Type", "application/msgpack")
	if packed.Header.Get("Manta-Result") != "ref" || len(packed.Data) != 18+1 && len(packed.Data) != 18 {
		t.Fatalf("got % x, %v", packed.Data, packed.Header)
	}
	for short := 0; short < 100; short += 4 { // what the headers take decides
		if reply := request(t, nc, "task.once_big", string(must(msgpack.Marshal(1<<20-short))), "Content-Type", "application/msgpack"); reply.Header.Get("Manta-Error") != "" {
			t.Fatalf("%d bytes: %v", 1<<20-short, reply.Header)
		}
	}
	ref := objstore.Put(c.Context(0), make([]float64, 130_000))
	if reply := request(t, nc, "object."+ref.ID().String(), ""); len(reply.Data) != 2*130_000+1 {
		t.Fatalf("got %d bytes, %v", len(reply.Data), reply.Header)
	}
}

func TestAPlainClientGetsARefIfItAsksForOneAndReadsItAtTheDoor(t *testing.T) {
	c := nodetest.Start(t, 2)
	nc := c.Connect()
	reply := request(t, nc, "task.once_numbers", "3", "Manta-Result", "ref")
	var ref struct {
		ID string `json:"$ref"`
	}
	if err := json.Unmarshal(reply.Data, &ref); err != nil || reply.Header.Get("Manta-Result") != "ref" {
		t.Fatalf("got %s, %v", reply.Data, reply.Header)
	}
	for range 5 { // whichever node has the door
		if got := request(t, nc, "object."+ref.ID, ""); string(got.Data) != "[0,0,0]" {
			t.Fatalf("got %s, %v", got.Data, got.Header)
		}
	}
	packed := request(t, nc, "object."+ref.ID, "", "Content-Type", "application/msgpack")
	var numbers []float64
	if err := msgpack.Unmarshal(packed.Data, &numbers); err != nil || len(numbers) != 3 || packed.Header.Get("Content-Type") != "application/msgpack" {
		t.Fatalf("got % x, %v", packed.Data, err)
	}
	failing := request(t, nc, "task.once_count", `"no ref of that"`, "Manta-Result", "ref")
	if failing.Header.Get("Manta-Error") != "failed" {
		t.Fatalf("got %v", failing.Header)
	}

	pending := task.Declare[string, string]("once_late").Go // not served: it fails, and so does a read
	late := pending(c.Context(0), "x")
	if got := request(t, nc, "object."+late.ID().String(), ""); got.Header.Get("Manta-Error") != "not_registered" {
		t.Errorf("an object that failed: %v", got.Header)
	}
	if got := request(t, nc, "object.nonsense", ""); got.Header.Get("Manta-Error") != "argument" {
		t.Errorf("no id: %v", got.Header)
	}
	freed := objstore.Put(c.Context(0), 1)
	id := freed.ID()
	if err := objstore.Free(c.Context(0), freed); err != nil {
		t.Fatal(err)
	}
	if got := request(t, nc, "object."+id.String(), ""); got.Header.Get("Manta-Error") != "freed" {
		t.Errorf("a freed object: %v", got.Header)
	}
	begun := time.Now()
	held := task.Declare[string, string]("once_never").Go(c.Context(0), "x")
	if got := request(t, nc, "object."+held.ID().String(), "", "Manta-Deadline", "50ms"); got.Header.Get("Manta-Error") != "deadline" || time.Since(begun) > patience {
		t.Errorf("one that is not there yet: %v", got.Header)
	}
	if err := task.Cancel(c.Context(0), held); err != nil {
		t.Fatal(err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
