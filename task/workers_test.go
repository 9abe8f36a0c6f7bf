package task

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"manta/bus"
	"manta/internal/member"
)

func TestWorkersThatHaveStoppedAreForgotten(t *testing.T) {
	l := newWorld(1).addOwner().lane(needs(1))
	conn := &bus.Conn{Subjects: bus.NewSubjects("default")}
	o := &owner{node: &member.Node{Conn: conn}, origin: time.Now().Add(-time.Hour), lanes: map[laneKey]*lane{{}: l}}
	ws := &workers{owner: o, known: make(map[string]*worker), errands: make(map[uint64]*errand)}
	o.workers = ws
	for i := range 100 { // one after another, under an id of its own each
		id := fmt.Sprintf("w%d", i)
		if err := ws.found(fmt.Appendf(nil, `{"id": %q, "endpoints": [{"subject": %q}]}`, id, conn.Worker(id, l.function))); err != nil {
			t.Fatal(err)
		}
		w := ws.known[id]
		w.has++
		ws.errands[1] = &errand{lane: l, peer: l.peers[w.id()]}
		ws.answered(1, nil, true) // nobody is there any more
		ws.look(o.now())
		if ws.known[id] == nil {
			t.Fatal("one that was there a moment ago is forgotten")
		}
		o.origin = o.origin.Add(-workersBackFor)
		ws.look(o.now())
	}
	if len(ws.known) > 0 || len(l.peers) > 0 || len(l.order) > 0 {
		t.Errorf("%d workers are known, the lane has %d peers", len(ws.known), len(l.peers))
	}
}

func FuzzReadWorker(f *testing.F) {
	subjects := bus.NewSubjects("default")
	f.Add([]byte(`{"name":"manta-default-worker","id":"abc","endpoints":[
		{"name":"f","subject":"manta.default.task.f","metadata":{"window":"4"}},
		{"name":"f","subject":"manta.default.worker.abc.f","metadata":{"window":"4"}},
		{"name":"g","subject":"manta.default.worker.abc.g"},
		{"name":"h","subject":"manta.default.worker.another.h","metadata":{"window":"99999999999999999999"}}]}`))
	f.Add([]byte(`{"id":"a.b","endpoints":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		name, windows, err := readWorker(subjects, data)
		if err != nil {
			return
		}
		if !json.Valid(data) || bus.CheckName("id", name) != nil {
			t.Fatalf("%q was read as worker %q", data, name)
		}
		for function, window := range windows {
			if bus.CheckName("function", function) != nil || window < 1 || window > mostWindow {
				t.Fatalf("%q: function %q with a window of %d", data, function, window)
			}
		}
	})
}
