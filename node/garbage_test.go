package node_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"manta/bus"
	"manta/node"
)

func TestGarbageInTheBucketsHarmsNobody(t *testing.T) {
	s := besiege(t, 1)
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
	s := besiege(t, 1)
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
