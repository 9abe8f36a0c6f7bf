package actor_test

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/vmihailenco/msgpack/v5"
	"go.opentelemetry.io/otel/trace"

	"manta/actor"
	"manta/node"
	"manta/node/nodetest"
)

// plain is a NATS client that knows nothing of Manta.
type plain struct {
	t  *testing.T
	nc *nats.Conn
}

func startWithPlainClient(t *testing.T, n int) (*nodetest.Cluster, plain) {
	t.Helper()
	c := nodetest.Start(t, n)
	return c, plain{t, c.Connect()}
}

// ask sends a request, with a header for each pair of words, and returns the reply.
func (p plain) ask(subject, payload string, header ...string) *nats.Msg {
	p.t.Helper()
	msg := nats.NewMsg("manta.default." + subject)
	msg.Data = []byte(payload)
	for i := 0; i < len(header); i += 2 {
		msg.Header.Set(header[i], header[i+1])
	}
	reply, err := p.nc.RequestMsg(msg, patience)
	if err != nil {
		p.t.Fatalf("%s of %s: %v", subject, payload, err)
	}
	return reply
}

// get returns the payload of a reply that must be no error.
func (p plain) get(subject, payload string, header ...string) string {
	p.t.Helper()
	reply := p.ask(subject, payload, header...)
	if word := reply.Header.Get("Nats-Service-Error"); word != "" {
		p.t.Fatalf("%s of %s: %s", subject, payload, word)
	}
	return string(reply.Data)
}

// born is the reply to a request for an actor.
type born struct {
	ID, Name string
	Ref      json.RawMessage
}

func (p plain) create(class, start string, header ...string) (b born) {
	p.t.Helper()
	if err := json.Unmarshal([]byte(p.get("create."+class, start, header...)), &b); err != nil || b.ID == "" {
		p.t.Fatalf("got %+v, %v", b, err)
	}
	return b
}

// notebook keeps words. It travels in JSON too, with names of its own.
type notebook struct {
	Title string `json:"title"`

	words []string
}

type page struct {
	Words []string `json:"words"`
	Title string   `json:"title,omitempty"`
}

func (n *notebook) Start(context.Context) error {
	if n.Title == "torn" {
		return errors.New("it is torn")
	}
	return nil
}

func (n *notebook) Write(_ context.Context, word string) (page, error) {
	if word == "" {
		return page{}, errEmptyWord
	}
	n.words = append(n.words, word)
	return page{n.words, n.Title}, nil
}

func (n *notebook) Read(context.Context) (page, error) { return page{n.words, n.Title}, nil }

// Trace is what OpenTelemetry has of a call's ctx.
func (n *notebook) Trace(ctx context.Context) (string, error) {
	return trace.SpanContextFromContext(ctx).TraceID().String(), nil
}

func (n *notebook) Replace(_ context.Context, from, to string) (int, error) {
	changed := 0
	for i, w := range n.words {
		if w == from {
			n.words[i], changed = to, changed+1
		}
	}
	return changed, nil
}

var (
	errEmptyWord = errors.New("an empty word")
	notebooks    = actor.Define[notebook]("notebook")
)

// ledger has a method that a notebook has too.
type ledger struct{}

func (l *ledger) Write(_ context.Context, word string) (string, error) { return word, nil }

var _ = actor.Define[ledger]("ledger")

// fragile does not take what it is made of.
type fragile struct{ Parts []int }

func (f *fragile) UnmarshalJSON(data []byte) error {
	return errors.New(string(data[:len(data)+1+len(f.Parts)]))
}

func (f *fragile) Size(context.Context) (int, error) { return len(f.Parts), nil }

var _ = actor.Define[fragile]("fragile")

func TestAPlainClientMakesAnActorCallsItAndStopsIt(t *testing.T) {
	c, p := startWithPlainClient(t, 2)
	for range 4 { // the door is on either node
		made := p.create("notebook", `{"title": "log"}`)
		for _, door := range []string{"actor." + made.ID, "call.notebook." + made.ID} {
			if got := p.get(door+".Write", `"a"`); !strings.HasPrefix(got, `{"words":["a"`) || !strings.HasSuffix(got, `"title":"log"}`) {
				t.Errorf("got %s", got)
			}
			if got := p.get(door+".Read", ""); !strings.Contains(got, `"title":"log"`) {
				t.Errorf("got %s", got)
			}
		}
		if got := p.get("actor."+made.ID+".Replace", `["a", "b"]`); got != "2" {
			t.Errorf("got %s", got)
		}
		var found actor.Ref[notebook] // a Go program takes what the client got
		if err := json.Unmarshal(made.Ref, &found); err != nil {
			t.Fatal(err)
		}
		if got, err := actor.Method0(found, (*notebook).Read).Call(c.Context(0)); err != nil || strings.Join(got.Words, "") != "bb" {
			t.Errorf("got %+v, %v", got, err)
		}
		if got := p.get("actor."+made.ID+".stop", ""); got != "" {
			t.Errorf("got %s", got)
		}
		if h := p.ask("call.notebook."+made.ID+".Read", "").Header; h.Get("Manta-Error") != "actor_not_found" || h.Get("Nats-Service-Error-Code") != "404" {
			t.Errorf("an actor that has stopped: %v", h)
		}
	}
}

func TestAPlainClientFindsAnActorByItsName(t *testing.T) {
	c, p := startWithPlainClient(t, 2)
	made := p.create("notebook", "", "Manta-Name", "diary")
	if made.ID != "diary" || made.Name != "diary" {
		t.Errorf("got %+v", made)
	}
	p.get("actor.diary.Write", `"one"`)
	if again := p.create("notebook", "", "Manta-Name", "diary", "Manta-Get-Or-New", "1"); again.ID != "diary" {
		t.Errorf("got %+v", again)
	}
	if h := p.ask("create.notebook", "", "Manta-Name", "diary").Header; h.Get("Manta-Error") != "actor_exists" || h.Get("Nats-Service-Error-Code") != "409" {
		t.Errorf("a name that is taken: %v", h)
	}
	found, err := notebooks.Lookup(c.Context(1), "diary")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := actor.Method0(found, (*notebook).Read).Call(c.Context(1)); err != nil || len(got.Words) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := found.Kill(c.Context(1)); err != nil {
		t.Fatal(err)
	}
	p.create("notebook", "", "Manta-Name", "diary") // calls of the old one do not stand in the way
	if got := p.get("call.notebook.diary.Read", ""); got != `{"words":null}` {
		t.Errorf("got %s", got)
	}
}

// The same words are methods of both classes.
func TestAPlainClientFindsAnActorAtTheDoorOfItsClassAlone(t *testing.T) {
	_, p := startWithPlainClient(t, 2)
	for _, name := range []string{"tome", ""} { // in the directory, and not
		made := p.create("notebook", "", "Manta-Name", name)
		for range 4 { // the door is on either node
			h := p.ask("call.ledger."+made.ID+".Write", `"forged"`).Header
			if h.Get("Manta-Error") != "actor_not_found" || !strings.Contains(h.Get("Nats-Service-Error"), "of class notebook, not ledger") {
				t.Errorf("%s: %v", made.ID, h)
			}
		}
		if got := p.get("call.notebook."+made.ID+".Read", ""); got != `{"words":null}` {
			t.Errorf("%s: got %s", made.ID, got)
		}
	}
}

func TestAPlainClientSpeaksMessagePackToActors(t *testing.T) {
	_, p := startWithPlainClient(t, 1)
	pack := func(v any) string {
		data, err := msgpack.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	header := []string{"Content-Type", "application/msgpack"}
	var b struct {
		ID string `msgpack:"id"`
	}
	if err := msgpack.Unmarshal([]byte(p.get("create.notebook", pack(map[string]string{"title": "packed"}), header...)), &b); err != nil {
		t.Fatal(err)
	}
	reply := p.ask("actor."+b.ID+".Write", pack("x"), header...)
	var got map[string]any
	if err := msgpack.Unmarshal(reply.Data, &got); err != nil || got["title"] != "packed" || reply.Header.Get("Content-Type") != "application/msgpack" {
		t.Errorf("got %v, %v, %v", got, reply.Header, err)
	}
}

func TestAPlainClientWakesAnActorThatSleeps(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		_, p := startWithPlainClient(t, 2)
		s := newStage(t)
		start, err := json.Marshal(player{Stage: s.name})
		if err != nil {
			t.Fatal(err)
		}
		p.create("sleeper", string(start), "Manta-Name", "dozer")
		for i, door := range []string{"actor.dozer.Count", "call.sleeper.dozer.Count"} {
			if got, want := p.get(door, ""), strconv.Itoa(i+1); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			time.Sleep(2 * time.Minute) // virtual
			s.awaits(i+1, "close")
		}
	})
}

func TestAPlainClientsCallWaitsForAnActorThatIsMadeAgain(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		p := plain{t, c.Connect()}
		phoenixes.New(c.Context(0), s.phoenix(), actor.Name("ash"), actor.Detached())
		if got := p.get("call.phoenix.ash.Count", ""); got != "1" {
			t.Errorf("got %s", got)
		}
		c.Add()
		c.Kill(1)
		time.Sleep(time.Second) // virtual: the server knows, and nobody else does
		if got := p.get("call.phoenix.ash.Count", ""); got != "1" {
			t.Errorf("got %s from the next life", got)
		}
		s.awaits(2, "start")
	})
}

// colonist needs room where it lives, and is made again elsewhere.
type colonist struct{ phoenix }

var colonists = actor.Define[colonist]("colonist", actor.Restarts(-1), actor.CPUs(1))

func TestAPlainClientHearsInTimeThatNoNodeHasRoomToMakeAnActorAgain(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1, nodetest.CPUs(1)), newStage(t)
		p := plain{t, c.Connect()}
		colonists.New(c.Context(0), colonist{s.phoenix()}, actor.Name("ash"), actor.Detached())
		if got := p.get("call.colonist.ash.Count", ""); got != "1" {
			t.Errorf("got %s", got)
		}
		c.Add(nodetest.CPUs(1))
		tenant := p.create("resident", "")
		c.Kill(1)
		time.Sleep(time.Second) // virtual: until the server knows, it may give requests to the node that is gone
		for range 2 {
			begun := time.Now()
			h := p.ask("call.colonist.ash.Count", "").Header
			if h.Get("Manta-Error") != "overload" || time.Since(begun) > 5*time.Second {
				t.Errorf("got %v after %v", h, time.Since(begun))
			}
		}
		p.ask("actor."+tenant.ID+".stop", "")
		if got := p.get("call.colonist.ash.Count", ""); got != "1" {
			t.Errorf("got %s: a call that was refused has run", got)
		}
	})
}

func TestAPlainClientsCallEndsAtItsDeadline(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := nodetest.Start(t, 2), newStage(t)
		p := plain{t, c.Connect()}
		start, err := json.Marshal(player{Stage: s.name})
		if err != nil {
			t.Fatal(err)
		}
		made := p.create("phoenix", string(start))
		begun := time.Now()
		h := p.ask("actor."+made.ID+".Hold", `"never"`, "Manta-Deadline", "1500ms").Header
		if h.Get("Manta-Error") != "deadline" || h.Get("Nats-Service-Error-Code") != "504" {
			t.Errorf("got %v", h)
		}
		if took := time.Since(begun); took != 1500*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		for _, deadline := range []string{"1999-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "1s"} {
			if deadline == "1s" { // nobody answers
				c.Drop(1)
			}
			h := p.ask("create.phoenix", string(start), "Manta-Name", "late", "Manta-Deadline", deadline).Header
			if h.Get("Manta-Error") != "deadline" || h.Get("Nats-Service-Error-Code") != "504" {
				t.Errorf("created until %s: got %v", deadline, h)
			}
			c.Drop(0)
			time.Sleep(10 * time.Second) // virtual
			if h := p.ask("call.phoenix.late.Count", "").Header; h.Get("Manta-Error") != "actor_not_found" {
				t.Errorf("created until %s: it lives: %v", deadline, h)
			}
		}
	})
}

func TestAPlainClientHearsInTimeThatNoNodeHasRoomForAnActor(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := nodetest.Start(t, 2, nodetest.CPUs(1))
		p := plain{t, c.Connect()}
		first := p.create("resident", "")
		p.create("resident", "")
		begun := time.Now()
		h := p.ask("create.resident", "", "Manta-Name", "third").Header
		if h.Get("Manta-Error") != "overload" || h.Get("Nats-Service-Error-Code") != "429" || time.Since(begun) > 5*time.Second {
			t.Errorf("got %v after %v", h, time.Since(begun))
		}
		if h := p.ask("create.painter", "").Header; h.Get("Manta-Error") != "infeasible" {
			t.Errorf("what no node could have: %v", h)
		}
		p.ask("actor."+first.ID+".stop", "")
		time.Sleep(time.Minute) // virtual
		if h := p.ask("call.resident.third.Say", `"x"`).Header; h.Get("Manta-Error") != "actor_not_found" {
			t.Errorf("what was refused was made: %v", h)
		}
		p.create("resident", "")
	})
}

func TestANodeTakesOnlySoManyRequestsOfPlainClientsForActors(t *testing.T) {
	c, s := nodetest.Start(t, 1, nodetest.Configure(func(_ int, cfg *node.Config) { cfg.MaxPending = 2 })), newStage(t)
	p := plain{t, c.Connect()}
	start, err := json.Marshal(player{Stage: s.name})
	if err != nil {
		t.Fatal(err)
	}
	made := p.create("phoenix", string(start))
	replies := make(chan *nats.Msg, 3)
	sub, err := p.nc.ChanSubscribe("replies", replies)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := p.nc.PublishRequest("manta.default.actor."+made.ID+".Hold", sub.Subject, []byte(`"gate"`)); err != nil {
			t.Fatal(err)
		}
	}
	if h := (<-replies).Header; h.Get("Manta-Error") != "overload" || h.Get("Nats-Service-Error-Code") != "429" {
		t.Errorf("got %v", h)
	}
	s.open("gate")
	for range 2 {
		if reply := <-replies; reply.Header.Get("Manta-Error") != "" {
			t.Errorf("got %v", reply.Header)
		}
	}
}

func TestAPlainClientHearsWhatIsWrongWithItsRequestOfAnActor(t *testing.T) {
	_, p := startWithPlainClient(t, 2)
	made := p.create("notebook", `{"title": "log"}`)
	for _, test := range []struct{ subject, payload, header, status, code, says string }{
		{"actor." + made.ID + ".Burn", "", "", "400", "argument", "it has Read, Replace, Trace, Write"},
		{"actor." + made.ID + ".Start", "", "", "400", "argument", "no method Start"},
		{"actor." + made.ID + ".burn", "", "", "400", "argument", "no method burn"},
		{"call.notebook." + made.ID + ".Burn", "", "", "400", "argument", "it has Read, Replace, Trace, Write"},
		{"actor." + made.ID + ".Write", "", "", "400", "argument", "an empty payload"},
		{"actor." + made.ID + ".Write", "{", "", "400", "argument", "cannot decode into string"},
		{"actor." + made.ID + ".Read", "1", "", "400", "argument", "takes no argument"},
		{"actor." + made.ID + ".Replace", `["a"]`, "", "400", "argument", "send an array of 2"},
		{"actor." + made.ID + ".Write", `""`, "", "500", "failed", "an empty word"},
		{"actor." + made.ID + ".stop", "now", "", "400", "argument", "it takes none"},
		{"call.notebook.nobody.Read", "", "", "404", "actor_not_found", "actor nobody"},
		{"create.notebook", `{"title": "torn"}`, "", "500", "actor_dead", "it did not start: it is torn"},
		{"create.notebook", `{"title": 1}`, "", "400", "argument", "cannot decode into"},
		{"call.phoenix.*.Count", "", "", "400", "argument", "letters, digits"},
		{"create.fragile", "[1]", "", "400", "argument", "panic"},
		{"create.notebook", "", "a b", "400", "argument", "a b"},
	} {
		var header []string
		if test.header != "" {
			header = []string{"Manta-Name", test.header}
		}
		h := p.ask(test.subject, test.payload, header...).Header
		if h.Get("Nats-Service-Error-Code") != test.status || h.Get("Manta-Error") != test.code || !strings.Contains(h.Get("Nats-Service-Error"), test.says) {
			t.Errorf("%s of %s: got %v, want %s, %s: %s", test.subject, test.payload, h, test.status, test.code, test.says)
		}
	}
	if got := p.get("actor."+made.ID+".Read", ""); got != `{"words":null,"title":"log"}` {
		t.Errorf("a wrong request has changed it: %s", got)
	}
}

func TestAPlainClientsRequestForAnActorIsMadeOnceAndBelongsToItsTrace(t *testing.T) {
	_, p := startWithPlainClient(t, 2)
	first := p.create("notebook", `{"title": "once"}`, "Manta-Id", "make-one")
	if again := p.create("notebook", `{"title": "once"}`, "Manta-Id", "make-one"); again.ID != first.ID {
		t.Errorf("made twice: %s and %s", first.ID, again.ID)
	}
	for range 3 {
		if got := p.get("actor."+first.ID+".Write", `"a"`, "Manta-Id", "write-a"); got != `{"words":["a"],"title":"once"}` {
			t.Errorf("got %s", got)
		}
	}
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	if got := p.get("actor."+first.ID+".Trace", "", "traceparent", parent); got != `"4bf92f3577b34da6a3ce929d0e0e4736"` {
		t.Errorf("its trace is %s", got)
	}
	if got := p.get("actor."+first.ID+".Trace", "", "traceparent", "nonsense"); got != `"00000000000000000000000000000000"` {
		t.Errorf("its trace is %s", got)
	}
}
