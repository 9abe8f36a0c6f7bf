package node_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"manta/actor"
	"manta/bus"
	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/placement"
	"manta/task"
)

type keeper struct{ Kept []any }

func (k *keeper) Keep(_ context.Context, v any) (int, error) {
	k.Kept = []any{v}
	return len(k.Kept), nil
}

// What strangers are let at, and their victim's own calls.
var (
	besieged = task.NewRegistry()
	echo     = task.Define("echo", func(_ context.Context, v any) (any, error) { return v, nil }, task.In(besieged))
	number   = task.Define("number", func(_ context.Context, n int) (int, error) { return n, nil }, task.In(besieged))
	_        = task.Define2("pair", func(_ context.Context, a, b int) (int, error) { return a + b, nil }, task.In(besieged))
	_        = task.Define("kept", func(_ context.Context, n int) (int, error) { return n, nil }, task.In(besieged), task.Durable())
	numbers  = task.DefineStream("numbers", func(_ context.Context, n int, yield func(int) error) error {
		for i := range min(n, 100) {
			if err := yield(i); err != nil {
				return err
			}
		}
		return nil
	}, task.In(besieged))
	keepers = actor.Define[keeper]("keeper", actor.In(besieged))
)

// siege is a node and a stranger on its server.
type siege struct {
	t  *testing.T
	c  *nodetest.Cluster
	nc *nats.Conn
	id string // of the node
}

func besiege(t *testing.T, opts ...nodetest.Option) siege {
	t.Helper()
	c := nodetest.Start(t, 1, append(opts, nodetest.Configure(func(_ int, cfg *node.Config) { cfg.Registry = besieged }))...)
	return siege{t, c, c.Connect(), c.Node(0).ID()}
}

func (s siege) rejected() int64 { return s.c.Node(0).Stats().Rejected }

// idBytes is the node's id as it stands in frames.
func (s siege) idBytes() []byte {
	id, err := base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding).DecodeString(s.id)
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// callAll calls what is served, as programs and as strangers do.
func (s siege) callAll() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.c.Context(0), 3*time.Minute)
	defer cancel()
	if got, err := number.Call(ctx, 7); got != 7 || err != nil {
		s.t.Errorf("a task: %d, %v", got, err)
	}
	n := 0
	for v, err := range numbers.Stream(ctx, 50) {
		if err != nil || v != n {
			s.t.Errorf("a stream: item %d is %d, %v", n, v, err)
			break
		}
		n++
	}
	if n != 50 {
		s.t.Errorf("a stream of %d items", n)
	}
	k := keepers.New(ctx, keeper{})
	if got, err := actor.Method(k, (*keeper).Keep).Call(ctx, "x"); got != 1 || err != nil {
		s.t.Errorf("an actor: %d, %v", got, err)
	}
	if err := k.Stop(ctx); err != nil {
		s.t.Error(err)
	}
	large := objstore.Put(ctx, make([]byte, 1<<20))
	if got, err := echo.On(ctx, large.Any()).Get(ctx); err != nil || len(got.([]byte)) != 1<<20 {
		s.t.Errorf("an object: %v", err)
	}
	group, err := placement.New(ctx, []placement.Bundle{{"CPU": 1}}, placement.Pack)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := group.Ready(ctx); err != nil {
		s.t.Errorf("a placement group: %v", err)
	}
	if err := group.Remove(ctx); err != nil {
		s.t.Error(err)
	}
	if reply, err := s.ask(ctx, "manta.default.task.pair", "[3,4]"); err != nil || string(reply.Data) != "7" {
		s.t.Errorf("a plain request: %v, %v", reply, err)
	}
}

// ask makes a plain request, again while the node has too many of strangers: a stream that nobody reads is one for a minute.
func (s siege) ask(ctx context.Context, subject, payload string) (*nats.Msg, error) {
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		reply, err := s.nc.RequestWithContext(ctx, subject, []byte(payload))
		if err != nil || reply.Header.Get("Manta-Error") != "overload" {
			return reply, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return reply, context.Cause(ctx)
		}
	}
}

// settled waits until the goroutines are as few as they were.
func (s siege) settled(before int) {
	s.t.Helper()
	s.c.Await("goroutines end", func() bool { return runtime.NumGoroutine() <= before+10 })
}

// laneFrame is a frame of an owner, with what stands behind its header.
func laneFrame(kind byte, owner string, generation, lane uint64, rest ...uint64) []byte {
	b := append(bus.AppendFrame(nil, kind), owner[:8]...)
	for _, v := range append([]uint64{generation, lane, 0, 0}, rest...) {
		b = bus.AppendUint(b, v)
	}
	return b
}

// guestFrame is a frame of a host.
func guestFrame(kind byte, host string, lane, epoch, seq uint64, window uint32, rest ...byte) []byte {
	b := append(bus.AppendFrame(nil, kind), host[:8]...)
	for _, v := range []uint64{lane, epoch, seq} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return append(binary.BigEndian.AppendUint32(b, window), rest...)
}

func TestARequestThatIsNotOneOfOursGetsAnErrorWithACode(t *testing.T) {
	s := besiege(t)
	s.callAll()
	before := runtime.NumGoroutine()
	made, err := s.nc.Request("manta.default.create.keeper", nil, patience)
	if err != nil {
		t.Fatal(err)
	}
	var born struct{ ID string }
	if err := json.Unmarshal(made.Data, &born); err != nil || born.ID == "" {
		t.Fatalf("got %s %v, %v", made.Data, made.Header, err)
	}
	frame := func(version byte) string { return string([]byte{bus.FrameMark, version, 't', 0}) }
	packed := []string{"Content-Type", "application/msgpack"}
	node, keeper := "node."+s.id, "actor."+born.ID
	for name, test := range map[string]struct {
		subject, payload string
		header           []string
		code, says       string
	}{
		"another content type":          {"task.echo", "<a/>", []string{"Content-Type", "text/xml"}, "argument", "application/msgpack"},
		"no JSON":                       {"task.echo", "NaN", nil, "argument", "invalid"},
		"JSON cut short":                {"task.echo", `{"a":[1,`, nil, "argument", "unexpected end"},
		"deep JSON":                     {"task.echo", strings.Repeat("[", 500_000), nil, "argument", "depth"},
		"deep JSON of maps":             {"task.echo", strings.Repeat(`{"a":`, 100_000), nil, "argument", "deep"},
		"a huge number":                 {"task.number", "1e999", nil, "argument", "int"},
		"a long number":                 {"task.number", strings.Repeat("9", 500_000), nil, "argument", "int"},
		"a key twice":                   {"task.echo", `{"a":1,"a":2}`, nil, "argument", "twice"},
		"no UTF-8":                      {"task.echo", "\"\xff\xfe\"", nil, "argument", "UTF-8"},
		"a frame":                       {"task.echo", frame(bus.FrameVersion), nil, "argument", "UTF-8"},
		"MessagePack cut short":         {"task.echo", "\x92\x01", packed, "argument", "cut short"},
		"4 GB of MessagePack":           {"task.echo", "\xdd\xff\xff\xff\xff", packed, "argument", "cut short"},
		"deep MessagePack":              {"task.echo", strings.Repeat("\x91", 500_000), packed, "argument", "deeper"},
		"a byte that is no MessagePack": {"task.echo", "\xc1", packed, "argument", "0xc1"},
		"an unknown extension":          {"task.echo", "\xd4\x05\x00", packed, "argument", "5"},
		"a ref that is none":            {"task.echo", "\xd4\x4d\x00", packed, "argument", "ref"},
		"a packed key twice":            {"task.echo", "\x82\xa1a\x01\xa1a\x02", packed, "argument", "twice"},
		"too few arguments":             {"task.pair", "[1]", nil, "argument", "array of 2"},
		"too many arguments":            {"task.pair", "[1,2,3]", nil, "argument", "array of 2"},
		"no arguments":                  {"task.pair", "", nil, "argument", "empty payload"},
		"an argument of another type":   {"task.pair", `["a","b"]`, nil, "argument", "int"},
		"a stream of no stream":         {"task.echo", "1", []string{"Manta-Stream", "1"}, "argument", "echo"},
		"a stream without the header":   {"task.numbers", "1", nil, "argument", "numbers"},
		"an impossible window":          {"task.numbers", "1", []string{"Manta-Stream", "1", "Manta-Ahead", "99999999999999999999"}, "argument", "Manta-Ahead"},
		"no deadline":                   {"task.echo", "1", []string{"Manta-Deadline", "tomorrow"}, "argument", "Manta-Deadline"},
		"a deadline that is over":       {"task.echo", "1", []string{"Manta-Deadline", "0001-01-01T00:00:00Z"}, "deadline", "deadline"},
		"a name that is none":           {"create.keeper", "", []string{"Manta-Name", "a.b"}, "argument", "a.b"},
		"get or new of nobody":          {"create.keeper", "", []string{"Manta-Get-Or-New", "1"}, "argument", "which actor"},
		"a start value of another type": {"create.keeper", "[1]", nil, "argument", "keeper"},
		"an unknown method":             {keeper + ".Sell", "1", nil, "argument", "Sell"},
		"an unknown actor":              {"call.keeper.nobody.Keep", "1", nil, "actor_not_found", "nobody"},
		"an actor called *":             {"call.keeper.*.Keep", "1", nil, "argument", "*"},
		"a stop of something":           {keeper + ".stop", "now", nil, "argument", "payload of 3 bytes"},

		"JSON among frames":             {"work.echo", "7", nil, "malformed", "not a frame"},
		"nothing among frames":          {"work.echo", "", nil, "malformed", "not a frame"},
		"a frame of an old version":     {"work.echo", frame(0), nil, "version", "version 0, this process reads version 1"},
		"a frame of a later version":    {node + ".task.echo", frame(2), nil, "version", "version 2, this process reads version 1"},
		"a frame of an unknown kind":    {node + ".task.echo", string(bus.AppendFrame(nil, '?')), nil, "malformed", "something else"},
		"a frame cut short":             {node + ".task.echo", string(laneFrame('t', "stranger", 1, 0)[:12]), nil, "malformed", "short"},
		"more tasks than bytes":         {node + ".task.echo", string(laneFrame('t', "stranger", 1, 0, 0, 0, math.MaxUint64)), nil, "malformed", "exceeds"},
		"an impossible generation":      {node + ".task.echo", string(laneFrame('t', s.id, math.MaxUint64, 0, 0, 0, 0)), nil, "malformed", "generation"},
		"replies out of order":          {node + ".task.echo", string(laneFrame('p', "stranger", 1, 0, 1, 2, 5, 4, 3, 1)), nil, "malformed", "out of order"},
		"a credit for more than came":   {node + ".task.numbers", string(bus.AppendFrame(nil, 'c')) + "stranger\x01\x01\x01\x02\x00\x00", nil, "malformed", "taken"},
		"no question about an object":   {node + ".object", "?", nil, "malformed", "not a frame"},
		"notes of an unknown kind":      {node + ".object", string(bus.AppendFrame(nil, 'n')) + "stranger?\x01\x01", nil, "malformed", "note"},
		"an old question":               {node + ".object", frame(0), nil, "version", "version 0"},
		"no question for a chunk":       {node + ".object.chunk", frame(bus.FrameVersion), nil, "malformed", "malformed"},
		"no question about an actor":    {node + ".actor", "x", nil, "malformed", "actor"},
		"no question about a birth":     {node + ".birth", "x", nil, "malformed", "not a frame"},
		"no order for bundles":          {node + ".bundle", frame(bus.FrameVersion), nil, "malformed", "malformed"},
		"no question about a group":     {node + ".group", "x", nil, "malformed", "not a frame"},
		"a malformed request for actor": {"create.keeper", frame(bus.FrameVersion), nil, "malformed", "no request"},
		"malformed calls":               {keeper + ".calls", frame(bus.FrameVersion), nil, "malformed", "no calls"},
		"a malformed ping":              {keeper + ".ping", "x", nil, "malformed", "not a frame"},
		"a malformed cancellation":      {keeper + ".cancel", "x", nil, "malformed", "not a frame"},
		"no word on durable tasks":      {"holders", "x", nil, "malformed", "not a frame"},
		"a durable task of no name":     {"holders", string(bus.AppendFrame(nil, 'e')) + "abc", nil, "malformed", "name"},
		"no word on what was freed":     {"freed", frame(2), nil, "version", "version 2"},
	} {
		msg := nats.NewMsg("manta.default." + test.subject)
		msg.Data = []byte(test.payload)
		for i := 0; i < len(test.header); i += 2 {
			msg.Header.Set(test.header[i], test.header[i+1])
		}
		counted := s.rejected()
		reply, err := s.nc.RequestMsg(msg, patience)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		h := reply.Header
		if h.Get("Manta-Error") != test.code || !strings.Contains(h.Get("Nats-Service-Error"), test.says) || h.Get("Nats-Service-Error-Code") == "" {
			t.Errorf("%s: got %.300v, want %s, %s", name, h, test.code, test.says)
		}
		if unread := test.code == "malformed" || test.code == "version"; unread != (s.rejected() > counted) {
			t.Errorf("%s: %d messages are counted as rejected", name, s.rejected()-counted)
		}
	}
	if _, err := s.nc.Request("manta.default.task.unknown", nil, patience); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("an unknown function: %v", err)
	}
	s.callAll()
	s.settled(before)
}

func TestWhatCannotBeAnsweredIsDroppedAndCounted(t *testing.T) {
	s := besiege(t)
	js, err := jetstream.New(s.nc)
	if err != nil {
		t.Fatal(err)
	}
	s.callAll()
	before := runtime.NumGoroutine()
	question := string(append(append(bus.AppendFrame(nil, 'f'), make([]byte, 16)...), "stranger"...))
	for name, test := range map[string]struct{ subject, reply, payload string }{
		"without a subject for the answer": {"task.number", "", "7"},
		"to JetStream":                     {"task.echo", "$JS.API.STREAM.DELETE.KV_manta_default_nodes", `"x"`},
		"to the bucket of nodes":           {"task.echo", "$KV.manta_default_nodes.stranger", `{"Name":"x"}`},
		"to another function":              {"task.echo", "manta.default.task.number", "7"},
		"to a node":                        {"create.keeper", "manta.default.node." + s.id + ".object", ""},
		"a frame to JetStream":             {"create.keeper", "$JS.API.STREAM.PURGE.KV_manta_default_nodes", string(bus.AppendFrame(nil, 'q'))},
		"why without a reply":              {"node." + s.id + ".why", "", "x"},
		"an object without a reply":        {"node." + s.id + ".object", "", question},
		"a group without a reply":          {"node." + s.id + ".group", "", string(append(bus.AppendFrame(nil, 'q'), make([]byte, 17)...))},
		"a ping without a reply":           {"node." + s.id + ".task.echo", "", string(laneFrame('p', "stranger", 1, 0, 1, 0))},
		"garbage without a reply":          {"work.echo", "", "\xc1\x01"},
	} {
		counted := s.rejected()
		msg := &nats.Msg{Subject: "manta.default." + test.subject, Reply: test.reply, Data: []byte(test.payload)}
		if err := s.nc.PublishMsg(msg); err != nil {
			t.Fatal(err)
		}
		s.c.Await(name+": it is counted", func() bool { return s.rejected() == counted+1 })
	}
	if nodes, err := js.KeyValue(t.Context(), "manta_default_nodes"); err != nil {
		t.Error(err)
	} else if keys, err := nodes.Keys(t.Context()); err != nil || len(keys) != 1 {
		t.Errorf("the bucket of nodes has %v, %v", keys, err)
	}
	// To nowhere: nobody is told, and nothing is wrong.
	counted := s.rejected()
	if err := s.nc.PublishRequest("manta.default.task.number", "nowhere.at.all", []byte("7")); err != nil {
		t.Fatal(err)
	}
	if err := s.nc.PublishMsg(&nats.Msg{Subject: "manta.default.task.numbers", Reply: "nowhere.at.all", Data: []byte("7"), Header: nats.Header{"Manta-Stream": {"1"}}}); err != nil {
		t.Fatal(err)
	}
	s.callAll()
	if got := s.rejected(); got != counted {
		t.Errorf("%d answers to nowhere are counted", got-counted)
	}
	s.settled(before)
}

// overhear returns the subjects at which the node hears answers while it calls what it serves.
func (s siege) overhear() (replies []string) {
	s.t.Helper()
	var mu sync.Mutex
	seen := make(map[string]bool)
	sub, err := s.nc.Subscribe("manta.default.>", func(msg *nats.Msg) {
		mu.Lock()
		defer mu.Unlock()
		for _, subject := range []string{msg.Subject, msg.Reply} {
			if strings.HasPrefix(subject, "manta.default.reply.") && !seen[subject] {
				seen[subject] = true
				replies = append(replies, subject)
			}
		}
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.callAll()
	if err := errors.Join(s.nc.Flush(), sub.Unsubscribe()); err != nil {
		s.t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	return replies
}

func TestForgedAnswersHarmNobody(t *testing.T) {
	s := besiege(t)
	replies := s.overhear()
	if len(replies) < 3 {
		t.Fatalf("the node hears answers at %v", replies)
	}
	before := runtime.NumGoroutine()
	counted := s.rejected()
	var forged [][]byte
	for _, host := range []string{"stranger", "\x00\x00\x00\x00\x00\x00\x00\x00", s.id} {
		for _, kind := range []byte("rmolg?") {
			for _, lane := range []uint64{0, 1, 2, 1 << 40, math.MaxUint64} {
				forged = append(forged,
					guestFrame(kind, host, lane, 1, 1, 1<<31),
					guestFrame(kind, host, lane, math.MaxUint64, math.MaxUint64, math.MaxUint32, 0xff, 0xff, 0xff),
					guestFrame(kind, host, lane, 7, 9, 0, bytes.Repeat([]byte{1}, 1000)...))
			}
		}
	}
	for _, kind := range []byte("aoiqrxpm") {
		forged = append(forged, bus.AppendFrame(nil, kind), append(bus.AppendFrame(nil, kind), bytes.Repeat([]byte{0xff}, 64)...),
			append(bus.AppendFrame(nil, kind), make([]byte, 64)...))
	}
	forged = append(forged, nil, []byte("7"), []byte{bus.FrameMark, 0, 'r'}, []byte{bus.FrameMark, 2, 'r'})
	for _, subject := range replies {
		for _, data := range forged {
			if err := s.nc.Publish(subject, data); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.c.Await("garbage is counted", func() bool { return s.rejected() >= counted+int64(len(replies)) })
	s.callAll()
	s.settled(before)
}

func TestGarbageInTheBucketsHarmsNobody(t *testing.T) {
	s := besiege(t)
	js, err := jetstream.New(s.nc)
	if err != nil {
		t.Fatal(err)
	}
	for bucket, entries := range map[string]map[string]string{
		"manta_default_nodes": {
			"stranger": "{", "0000000000009": `[]`, "0000000000000": `{"Frames":1,"Resources":{"CPU":"many"}}`, "0000000000001": `[[[`, "0000000000002": `{"Frames":99,"Version":"9"}`,
			s.id: `{"Functions":7`,
		},
		"manta_default_leases": {"stranger": "x", "0000000000002": "claimed by nobody"},
		"manta_default_actors": {
			"actor.garbage": "{", "actor.odd": `{"state":"asleep"}`, "actor.of-nobody": `{"class":"keeper","state":"alive","node":"0000000000008","limit":3}`,
			"at.0000000000008.garbage": "", "at.0000000000008.of-nobody": "", "at.x.y": "x", "start.garbage": "x", "other": "x",
		},
	} {
		kv, err := js.KeyValue(t.Context(), bucket)
		if err != nil {
			t.Fatal(err)
		}
		for key, value := range entries {
			if _, err := kv.PutString(t.Context(), key, value); err != nil {
				t.Fatalf("%s of %s: %v", key, bucket, err)
			}
		}
	}
	for _, name := range []string{"garbage", "odd"} {
		msg := nats.NewMsg("manta.default.create.keeper")
		msg.Header.Set("Manta-Name", name)
		reply, err := s.nc.RequestMsg(msg, patience)
		if err != nil || !strings.Contains(reply.Header.Get("Nats-Service-Error"), "does not decode") || reply.Header.Get("Manta-Error") == "" {
			t.Errorf("a new actor called %s: %v, %v", name, reply, err)
		}
		reply, err = s.nc.Request("manta.default.call.keeper."+name+".Keep", []byte("1"), patience)
		if err != nil || reply.Header.Get("Manta-Error") == "" {
			t.Errorf("a call of %s: %v, %v", name, reply, err)
		}
	}
	kv, err := js.KeyValue(t.Context(), "manta_default_nodes")
	if err != nil {
		t.Fatal(err)
	}
	s.c.Await("the node writes its record again", func() bool {
		entry, err := kv.Get(t.Context(), s.id)
		var record struct{ ID string }
		return err == nil && json.Unmarshal(entry.Value(), &record) == nil && record.ID == s.id
	})
	for payload, code := range map[string]string{"NaN": "argument", string([]byte{bus.FrameMark, 2, 'D'}): "error"} {
		key := "garbage." + code
		if _, err := js.Publish(t.Context(), "manta.default.durable.kept."+key, []byte(payload)); err != nil {
			t.Fatal(err)
		}
		results, err := js.KeyValue(t.Context(), "manta_default_results")
		if err != nil {
			t.Fatal(err)
		}
		s.c.Await(key+" has a result", func() bool { _, err := results.Get(t.Context(), key); return err == nil })
	}
	s.callAll()
}

func TestGarbageOfANodeThatIsGoneIsNotTakenOver(t *testing.T) {
	srv := runServerTaking(t, 0)
	first, _ := start(t, node.Config{URL: srv.ClientURL(), Registry: besieged, SharedDir: "off"})
	nc, err := nats.Connect(srv.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	actors, err := js.KeyValue(t.Context(), "manta_default_actors")
	if err != nil {
		t.Fatal(err)
	}
	const record = `{"class":"keeper","state":"alive","node":"0000000000008","detached":true,"limit":3}`
	for key, value := range map[string]string{
		"actor.cut": "{", "actor.orphan": `{"class":"keeper","state":"alive","node":"0000000000008","limit":3}`, "actor.unasked": record, "actor.empty": record,
		"start.unasked": "garbage", "start.empty": string(append(bus.AppendFrame(nil, 'q'), make([]byte, 12)...)), // a request without arguments
	} {
		if _, err := actors.PutString(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
		_, id, _ := strings.Cut(key, ".")
		if _, err := actors.PutString(t.Context(), "at.0000000000008."+id, ""); err != nil {
			t.Fatal(err)
		}
	}
	closeNode(t, first)
	start(t, node.Config{URL: srv.ClientURL(), Registry: besieged, SharedDir: "off"}) // the heir of all whom it finds gone
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for begun := time.Now(); ; <-look.C {
		left, err := actors.ListKeysFiltered(t.Context(), "at.0000000000008.*")
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for range left.Keys() {
			n++
		}
		dead := 0
		for _, id := range []string{"orphan", "unasked", "empty"} {
			if entry, err := actors.Get(t.Context(), "actor."+id); err == nil && strings.Contains(string(entry.Value()), `"dead"`) {
				dead++
			}
		}
		if n == 0 && dead == 3 {
			return
		}
		if time.Since(begun) > patience {
			t.Fatalf("%d places are left, and %d of 3 actors are dead", n, dead)
		}
	}
}

func TestBundlesOfAGroupThatNobodyMadeAreFreeAgain(t *testing.T) {
	s := besiege(t)
	for creator, name := range map[string]string{"stranger": "a node that is not there", string(s.idBytes()): "the node itself"} {
		order := append(bus.AppendFrame(nil, 'r'), creator+"12345678"...)
		order = append(order, 1, 1, 1, 0) // attempt, final, one bundle, its index
		order = bus.AppendUint(bus.AppendString(append(order, 1), "CPU"), 40_000)
		if reply, err := s.nc.Request("manta.default.node."+s.id+".bundle", order, patience); err != nil || len(reply.Data) < 4 || reply.Data[3] != 1 {
			t.Fatalf("%s: got %v, %v", name, reply, err)
		}
		s.c.Await("what was reserved for "+name+" is free", func() bool {
			total, free := s.c.Node(0).Resources()
			return total["CPU"] == free["CPU"]
		})
	}
	s.callAll()
}

// runServerTaking runs a NATS server that takes messages of a size; it opens a port on loopback.
func runServerTaking(t *testing.T, maxPayload int32) *server.Server {
	t.Helper()
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), MaxPayload: maxPayload, MaxPending: 256 << 20, NoLog: true, NoSigs: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	if !srv.ReadyForConnections(patience) {
		t.Fatal("the server does not start")
	}
	return srv
}

func TestHeadersOfTenMegabytesAreRefusedByTheServerOrReadAndPassedOver(t *testing.T) {
	const size = 10 << 20
	headers := map[string]string{"X-Junk": "", "Manta-Deadline": "argument", "Content-Type": "argument", "Manta-Ahead": "argument"}
	t.Run("of a server as it is by default", func(t *testing.T) {
		srv := runServerTaking(t, 0)
		s := besiege(t, nodetest.At(srv.ClientURL()))
		raw, err := net.Dial("tcp", strings.TrimPrefix(srv.ClientURL(), "nats://"))
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		if err := raw.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		header := "NATS/1.0\r\nX-Junk: " + strings.Repeat("x", size) + "\r\n\r\n"
		go fmt.Fprintf(raw, "CONNECT {\"headers\":true,\"verbose\":false}\r\nHPUB manta.default.task.number r %d %d\r\n%s7\r\n", len(header), len(header)+1, header)
		refused := false
		for lines := bufio.NewScanner(raw); lines.Scan(); {
			refused = refused || strings.HasPrefix(lines.Text(), "-ERR 'Maximum Payload Violation'")
		}
		if !refused {
			t.Error("the server has taken it")
		}
		s.callAll()
	})
	t.Run("of a server that takes them", func(t *testing.T) {
		srv := runServerTaking(t, 64<<20)
		s := besiege(t, nodetest.At(srv.ClientURL()))
		before := runtime.NumGoroutine()
		for header, code := range headers {
			msg := nats.NewMsg("manta.default.task.number")
			if header == "Manta-Ahead" {
				msg.Subject = "manta.default.task.numbers"
				msg.Header.Set("Manta-Stream", "1")
			}
			msg.Data = []byte("7")
			msg.Header.Set(header, strings.Repeat("x", size))
			reply, err := s.nc.RequestMsg(msg, patience)
			if err != nil {
				t.Errorf("%s: %v", header, err)
			} else if got := reply.Header.Get("Manta-Error"); got != code || len(reply.Header.Get("Nats-Service-Error")) > 64<<10 {
				t.Errorf("%s: got %q, %d bytes, want %q", header, got, len(reply.Header.Get("Nats-Service-Error")), code)
			}
		}
		many := nats.NewMsg("manta.default.task.number")
		many.Data = []byte("7")
		for i := range size / 16 {
			many.Header[fmt.Sprintf("X-%d", i)] = []string{"12345678"}
		}
		if reply, err := s.nc.RequestMsg(many, patience); err != nil || string(reply.Data) != "7" {
			t.Errorf("%d headers: %v", len(many.Header), err)
		}
		s.callAll()
		s.settled(before)
	})
}
