package task_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/vmihailenco/msgpack/v5"

	"manta/node"
	"manta/node/nodetest"
	"manta/task"
)

// plain is a NATS client that knows nothing of Manta.
type plain struct {
	t  *testing.T
	nc *nats.Conn
}

func startWithPlainClient(t *testing.T, n int, opts ...nodetest.Option) (*nodetest.Cluster, plain) {
	t.Helper()
	var inside []nats.Option
	c := nodetest.Start(t, n, append(opts, nodetest.Configure(func(_ int, cfg *node.Config) { inside = cfg.Options }))...)
	nc, err := nats.Connect(nats.DefaultURL, inside...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return c, plain{t, nc}
}

// ask sends a payload to a function and returns the reply.
func (p plain) ask(function, payload, contentType string) *nats.Msg {
	p.t.Helper()
	msg := nats.NewMsg("manta.default.task." + function)
	msg.Data = []byte(payload)
	if contentType != "" {
		msg.Header.Set("Content-Type", contentType)
	}
	reply, err := p.nc.RequestMsg(msg, patience)
	if err != nil {
		p.t.Fatalf("%s of %s: %v", function, payload, err)
	}
	return reply
}

// trip and stop travel in JSON.
type trip struct {
	From  string `json:"from"`
	Stops []stop `json:"stops,omitempty"`
}

type stop struct {
	Name string   `json:"name"`
	KM   *float64 `json:"km"`
}

// Functions that only plain clients call, by their names.
func init() {
	task.Define("reverse", func(_ context.Context, t trip) (trip, error) {
		slices.Reverse(t.Stops)
		return t, nil
	})
	task.Define("halves", func(_ context.Context, n int) (v []float64, err error) {
		for i := range n {
			v = append(v, float64(i)/2)
		}
		return v, nil
	})
	task.Define("forget", func(context.Context, int) (task.None, error) { return task.None{}, nil })
	task.Define("plain_slow", func(ctx context.Context, ms int) (int, error) {
		select {
		case <-time.After(time.Duration(ms) * time.Millisecond):
			return ms, nil
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	})
	task.Define("refuse", func(_ context.Context, what string) (int, error) {
		return 0, fmt.Errorf("%s\nis refused: %w", what, errSoldOut)
	})
}

func TestAPlainClientCallsWithJSON(t *testing.T) {
	_, p := startWithPlainClient(t, 2)
	for _, test := range []struct{ function, payload, want string }{
		{"double", "21", "42"},
		{"zero_args", "", `"none"`},
		{"two_args", `["ab", 2]`, `"abab"`},
		{"halves", "3", "[0,0.5,1]"},
		{"forget", "1", "{}"},
		{"identity_any", `{"a": [1, null, "x"]}`, `{"a":[1,null,"x"]}`},
		{"reverse", `{"from":"A","stops":[{"name":"B","km":1.5},{"name":"C"}],"unknown":1}`,
			`{"from":"A","stops":[{"name":"C","km":null},{"name":"B","km":1.5}]}`},
	} {
		for _, contentType := range []string{"", "application/json"} {
			reply := p.ask(test.function, test.payload, contentType)
			if string(reply.Data) != test.want || reply.Header.Get("Nats-Service-Error") != "" {
				t.Errorf("%s of %s: got %s %v, want %s", test.function, test.payload, reply.Data, reply.Header, test.want)
			}
		}
	}
}

func TestAPlainClientCallsWithMessagePack(t *testing.T) {
	_, p := startWithPlainClient(t, 2)
	for _, test := range []struct {
		function  string
		arg, want any
	}{
		{"double", 21, int8(42)},
		{"two_args", []any{"ab", 2}, "abab"},
		{"halves", 3, []any{0.0, 0.5, 1.0}},
		{"identity_bytes", []byte{1, 2}, []byte{1, 2}},
	} {
		payload, err := msgpack.Marshal(test.arg)
		if err != nil {
			t.Fatal(err)
		}
		reply := p.ask(test.function, string(payload), "application/msgpack")
		var got any
		if err := msgpack.Unmarshal(reply.Data, &got); err != nil || fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%s: got %v, %v, want %v", test.function, got, err, test.want)
		}
		if reply.Header.Get("Content-Type") != "application/msgpack" {
			t.Errorf("%s: the reply is %v", test.function, reply.Header)
		}
	}
}

func TestAPlainClientGetsErrorsInHeaders(t *testing.T) {
	_, p := startWithPlainClient(t, 2)
	for name, test := range map[string]struct{ function, payload, status, code, says string }{
		"the function's": {"refuse", `"x"`, "500", "failed", "is refused"},
		"a panic":        {"buy", `"panic"`, "500", "failed", "panic: no panic"},
		"no JSON":        {"double", "{", "400", "argument", "cannot decode into int"},
		"another type":   {"double", `"x"`, "400", "argument", "cannot decode into int"},
		"not two":        {"two_args", `["x"]`, "400", "argument", "send an array of 2"},
		"no array":       {"two_args", `7`, "400", "argument", "send an array of 2"},
		"nothing":        {"double", "", "400", "argument", "an empty payload"},
		"something":      {"zero_args", "1", "400", "argument", "no argument"},
	} {
		reply := p.ask(test.function, test.payload, "")
		h := reply.Header
		if h.Get("Nats-Service-Error-Code") != test.status || h.Get("Manta-Error") != test.code || !strings.Contains(h.Get("Nats-Service-Error"), test.says) {
			t.Errorf("%s: got headers %v, want %+v", name, h, test)
		}
		var detail struct{ Error string }
		if err := json.Unmarshal(reply.Data, &detail); err != nil || !strings.Contains(detail.Error, test.says) {
			t.Errorf("%s: the detail is %s, %v", name, reply.Data, err)
		}
	}
}

func TestAPlainClientOfAFunctionThatNobodyServesHearsSoAtOnce(t *testing.T) {
	_, p := startWithPlainClient(t, 1)
	if _, err := p.nc.Request("manta.default.task.absent", nil, patience); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("got %v, want ErrNoResponders", err)
	}
}

func TestAPlainClientsTaskWaitsForRoomAndRunsAnywhere(t *testing.T) {
	c, p := startWithPlainClient(t, 2)
	g := newGate(t)
	blockers := pass.Map(c.Context(0), []string{g.name, g.name, g.name, g.name, g.name, g.name, g.name, g.name})
	g.await(8)
	replies := make(chan *nats.Msg, 10)
	sub, err := p.nc.ChanSubscribe(p.nc.NewInbox(), replies)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := p.nc.PublishRequest("manta.default.task.double", sub.Subject, []byte("4")); err != nil {
			t.Fatal(err)
		}
	}
	g.open()
	for range 10 {
		if reply := <-replies; string(reply.Data) != "8" {
			t.Errorf("got %s, %v", reply.Data, reply.Header)
		}
	}
	getAll(t, c.Context(0), blockers)
}

func TestAPlainClientsTaskEndsAtItsDeadline(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := nodetest.Start(t, 2, nodetest.CPUs(1))
		nc, g := c.Connect(), newGate(t)
		busy := pass.Map(c.Context(0), []string{g.name, g.name})
		g.await(2)
		begun := time.Now()
		for _, test := range []struct {
			function, payload, stream, deadline, status, code string
			after                                             time.Duration
		}{
			{"double", "4", "", "2s", "504", "deadline", 2 * time.Second},
			{"double", "4", "", begun.Add(3 * time.Second).Format(time.RFC3339Nano), "504", "deadline", 3 * time.Second},
			{"up_to", "4", "1", "900ms", "504", "deadline", 3900 * time.Millisecond},
			{"double", "4", "", "soon", "400", "argument", 3900 * time.Millisecond},
			{"double", "4", "", "-1s", "400", "argument", 3900 * time.Millisecond},
		} {
			msg := nats.NewMsg("manta.default.task." + test.function)
			msg.Data = []byte(test.payload)
			msg.Header.Set("Manta-Deadline", test.deadline)
			if test.stream != "" {
				msg.Header.Set("Manta-Stream", test.stream)
			}
			reply, err := nc.RequestMsg(msg, patience)
			if err != nil {
				t.Fatal(err)
			}
			if h := reply.Header; h.Get("Nats-Service-Error-Code") != test.status || h.Get("Manta-Error") != test.code {
				t.Errorf("%s until %s: got %v", test.function, test.deadline, h)
			}
			if at := time.Since(begun); at != test.after {
				t.Errorf("%s until %s: answered after %v, want %v", test.function, test.deadline, at, test.after)
			}
		}
		g.open()
		getAll(t, c.Context(0), busy)
	})
}

func TestOfMorePlainRequestsThanMayWaitTheRestHearsSoAtOnce(t *testing.T) {
	var inside []nats.Option
	c := nodetest.Start(t, 1, nodetest.CPUs(1), nodetest.Configure(func(_ int, cfg *node.Config) {
		cfg.MaxPending = 3
		inside = cfg.Options
	}))
	nc, err := nats.Connect(nats.DefaultURL, inside...)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	g := newGate(t)
	blocker := pass.Go(c.Context(0), g.name)
	g.await(1)
	replies := make(chan *nats.Msg, 10)
	sub, err := nc.ChanSubscribe(nc.NewInbox(), replies)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := nc.PublishRequest("manta.default.task.double", sub.Subject, []byte("4")); err != nil {
			t.Fatal(err)
		}
	}
	for range 7 {
		if reply := <-replies; reply.Header.Get("Manta-Error") != "overload" || reply.Header.Get("Nats-Service-Error-Code") != "429" {
			t.Fatalf("while the node is full: %s, %v", reply.Data, reply.Header)
		}
	}
	g.open()
	for range 3 {
		if reply := <-replies; string(reply.Data) != "8" {
			t.Errorf("got %s, %v", reply.Data, reply.Header)
		}
	}
	get(t, c.Context(0), blocker)
	if reply, err := nc.Request("manta.default.task.double", []byte("5"), patience); err != nil || string(reply.Data) != "10" {
		t.Errorf("afterwards: %v, %v", reply, err)
	}
}

func TestAPlainClientHearsInTimeThatNoNodeHasRoom(t *testing.T) {
	c := nodetest.Start(t, 2, nodetest.CPUs(1), nodetest.Configure(func(_ int, cfg *node.Config) { cfg.PendingTimeout = 200 * time.Millisecond }))
	nc := c.Connect()
	g := newGate(t)
	blockers := pass.Map(c.Context(0), []string{g.name, g.name})
	g.await(2)
	patient := make(chan *nats.Msg, 1)
	sub, err := nc.ChanSubscribe(nc.NewInbox(), patient)
	if err != nil {
		t.Fatal(err)
	}
	msg := nats.NewMsg("manta.default.task.double")
	msg.Data, msg.Reply = []byte("21"), sub.Subject
	msg.Header.Set("Manta-Deadline", "1m")
	if err := nc.PublishMsg(msg); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		reply := request(t, nc, "task.double", "4")
		if reply.Header.Get("Manta-Error") != "overload" || !strings.Contains(reply.Header.Get("Nats-Service-Error"), "Manta-Deadline") {
			t.Fatalf("while all are full: %s, %v", reply.Data, reply.Header)
		}
	}
	for _, needs := range []string{"up_to", "of_refs"} {
		if end := (plain{t, nc}).stream(needs, "4").next(); end.Header.Get("Manta-Error") != "overload" {
			t.Errorf("a stream while all are full: %s, %v", end.Data, end.Header)
		}
	}
	running := request(t, nc, "task.once_never", `""`, "Manta-Deadline", "300ms") // what waits for its time has the deadline's error
	if running.Header.Get("Manta-Error") != "deadline" {
		t.Errorf("got %v", running.Header)
	}
	g.open()
	if reply := <-patient; string(reply.Data) != "42" {
		t.Errorf("who said how long it waits got %s, %v", reply.Data, reply.Header)
	}
	for _, b := range blockers {
		get(t, c.Context(0), b)
	}
	slow := request(t, nc, "task.plain_slow", "600") // longer than it may wait
	if string(slow.Data) != "600" {
		t.Errorf("what runs is cut short: %s, %v", slow.Data, slow.Header)
	}
}

func TestGarbageOnTheWireHarmsNobody(t *testing.T) {
	c, p := startWithPlainClient(t, 1)
	id := c.Node(0).ID()
	for _, subject := range []string{
		"manta.default.work.double", "manta.default.node." + id + ".task.double", "manta.default.node." + id + ".task.absent",
		"manta.default.node." + id + ".object", "manta.default.task.double",
	} {
		for _, garbage := range []string{"", "x", "\xc1", "\xc1\x01q", "\xc1\x01a", "\xc1\x02q", "\xc1\x01q" + strings.Repeat("\xff", 100)} {
			if err := p.nc.Publish(subject, []byte(garbage)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := p.ask("double", "21", ""); string(got.Data) != "42" {
		t.Errorf("afterwards: got %s, %v", got.Data, got.Header)
	}
	if got := get(t, c.Context(0), double.Go(c.Context(0), 1)); got != 2 {
		t.Errorf("afterwards: got %d", got)
	}
	wantAllFree(t, c.Node(0))
}
