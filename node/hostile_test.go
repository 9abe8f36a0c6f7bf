package node_test

import (
	"encoding/json"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"manta/bus"
)

func TestARequestThatIsNotOneOfOursGetsAnErrorWithACode(t *testing.T) {
	s := besiege(t, 1)
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
	s := besiege(t, 1)
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
		"an object to JetStream":           {"node." + s.id + ".object", "$JS.API.STREAM.DELETE.KV_manta_default_nodes", question},
		"a chunk to a node":                {"node." + s.id + ".object.chunk", "manta.default.node." + s.id + ".task.echo", question},
		"bundles to a bucket":              {"node." + s.id + ".bundle", "$KV.manta_default_nodes.stranger", string(bus.AppendFrame(nil, 'r'))},
		"a group to a function":            {"node." + s.id + ".group", "manta.default.task.number", string(append(bus.AppendFrame(nil, 'q'), make([]byte, 17)...))},
		"a birth to another namespace":     {"node." + s.id + ".birth", "manta.other.reply.x.y", string(bus.AppendFrame(nil, 'i'))},
		"a ping to JetStream":              {"node." + s.id + ".task.echo", "$JS.API.INFO", string(laneFrame('p', "stranger", 1, 0, 1, 0))},
		"tasks to JetStream":               {"work.echo", "$JS.API.INFO", string(laneFrame('t', "stranger", 1, 0, 0, 0, 0))},
		"a generation to a node":           {"node." + s.id + ".generation", "manta.default.node." + s.id + ".why", ""},
		"a generation without a reply":     {"node." + s.id + ".generation", "", ""},
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
