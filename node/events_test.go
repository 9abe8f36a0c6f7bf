package node_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"manta/node/nodetest"
)

func TestWhatHappensToATaskIsAnEvent(t *testing.T) {
	cluster := nodetest.Start(t, 2)
	heard := make(chan *nats.Msg, 64)
	if _, err := cluster.Connect().ChanSubscribe("manta.default.event.>", heard); err != nil {
		t.Fatal(err)
	}
	if _, err := where.Call(cluster.Context(0)); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(10 * time.Second)
	for {
		select {
		case m := <-heard:
			t.Logf("%s %s", m.Subject, m.Data)
			var b struct{ Tasks []map[string]any }
			if err := json.Unmarshal(m.Data, &b); err != nil {
				t.Fatal(err)
			}
			for _, task := range b.Tasks {
				if task["state"] == "finished" {
					return
				}
			}
		case <-deadline:
			t.Fatal("not heard of")
		}
	}
}
