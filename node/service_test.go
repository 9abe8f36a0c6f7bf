package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"manta/actor"
	"manta/node"
	"manta/node/nodetest"
	"manta/task"
)

// order is what the service's functions are of.
type order struct {
	Item  string `json:"item"`
	Count int    `json:"count,omitempty"`
}

type basket struct{ Orders []order }

func (b *basket) Put(_ context.Context, o order) (int, error) {
	b.Orders = append(b.Orders, o)
	return len(b.Orders), nil
}

var (
	shop = task.NewRegistry()
	_    = task.Define("price", func(_ context.Context, o order) (float64, error) { return float64(o.Count), nil }, task.In(shop))
	_    = task.Define("sold_out", func(context.Context, string) (bool, error) { return false, errors.New("sold out") }, task.In(shop))
	_    = task.DefineStream("orders", func(context.Context, int, func(order) error) error { return nil }, task.In(shop))
	_    = actor.Define[basket]("basket", actor.In(shop))
)

// answers are what all services say to a question.
func answers[T any](t *testing.T, nc *nats.Conn, question string, n int) (said []T) {
	t.Helper()
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	if err := nc.PublishRequest(question, inbox, nil); err != nil {
		t.Fatal(err)
	}
	for range n {
		msg, err := sub.NextMsg(10 * time.Second)
		if err != nil {
			t.Fatalf("%s: %v", question, err)
		}
		var v T
		if err := json.Unmarshal(msg.Data, &v); err != nil {
			t.Fatalf("%s: %s: %v", question, msg.Data, err)
		}
		said = append(said, v)
	}
	return said
}

type identity struct {
	Name, ID, Version, Type string
	Metadata                map[string]string
	Endpoints               []endpoint
}

type endpoint struct {
	Name, Subject string
	QueueGroup    string `json:"queue_group"`
	Metadata      map[string]string
	NumRequests   int    `json:"num_requests"`
	NumErrors     int    `json:"num_errors"`
	LastError     string `json:"last_error"`
}

func (i identity) endpoint(t *testing.T, name string) endpoint {
	t.Helper()
	at := slices.IndexFunc(i.Endpoints, func(e endpoint) bool { return e.Name == name })
	if at < 0 {
		t.Fatalf("there is no endpoint %s: %+v", name, i.Endpoints)
	}
	return i.Endpoints[at]
}

func TestANodeIsANATSServiceThatDescribesItsFunctionsAndClasses(t *testing.T) {
	c := nodetest.Start(t, 2, nodetest.Configure(func(_ int, cfg *node.Config) { cfg.Registry = shop }))
	nc := c.Connect()
	ids := []string{c.Node(0).ID(), c.Node(1).ID()}
	for _, question := range []string{"$SRV.PING", "$SRV.PING.manta-default"} {
		for _, p := range answers[identity](t, nc, question, 2) {
			if p.Type != "io.nats.micro.v1.ping_response" || p.Name != "manta-default" || !slices.Contains(ids, p.ID) {
				t.Errorf("%s: got %+v", question, p)
			}
		}
	}
	info := answers[identity](t, nc, "$SRV.INFO.manta-default."+ids[0], 1)[0]
	for name, want := range map[string]endpoint{
		"price": {Subject: "manta.default.task.price", Metadata: map[string]string{"kind": "task",
			"signature": `{"args":[{"type":"object","properties":{"item":{"type":"string"},"count":{"type":"integer"}}}],"result":{"type":"number"}}`}},
		"orders":        {Subject: "manta.default.task.orders", Metadata: map[string]string{"kind": "streaming task"}},
		"create-basket": {Subject: "manta.default.create.basket", Metadata: map[string]string{"kind": "new actor"}},
		"call-basket":   {Subject: "manta.default.call.basket.*.*", Metadata: map[string]string{"kind": "actor"}},
	} {
		got := info.endpoint(t, name)
		if got.Subject != want.Subject || got.QueueGroup != "workers" {
			t.Errorf("got %+v", got)
		}
		for key, value := range want.Metadata {
			if got.Metadata[key] != value {
				t.Errorf("%s: %s is %s, want %s", name, key, got.Metadata[key], value)
			}
		}
	}

	for subject, payload := range map[string]string{"price": `{"item":"x","count":3}`, "sold_out": `"x"`} {
		if _, err := nc.Request("manta.default.task."+subject, []byte(payload), 10*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	requests, failures := 0, 0
	for _, stats := range answers[identity](t, nc, "$SRV.STATS.manta-default", 2) {
		good, bad := stats.endpoint(t, "price"), stats.endpoint(t, "sold_out")
		requests += good.NumRequests + bad.NumRequests
		failures += good.NumErrors + bad.NumErrors
		if bad.NumErrors > 0 && bad.LastError == "" {
			t.Errorf("got %+v", bad)
		}
	}
	if requests != 2 || failures != 1 {
		t.Errorf("%d requests and %d failures are counted, want 2 and 1", requests, failures)
	}

	if err := c.Node(0).Drain(c.Context(0)); err != nil {
		t.Fatal(err)
	}
	if left := answers[identity](t, nc, "$SRV.PING.manta-default", 1); left[0].ID != ids[1] {
		t.Errorf("a node that drains says that it serves: %+v", left)
	}
}
