package member

import (
	"encoding/json"
	"testing"
	"time"

	"go.uber.org/zap"

	"manta/bus"
)

// FuzzRecord has a table hear what stands in the bucket of nodes.
func FuzzRecord(f *testing.F) {
	id := ID{1}
	full, err := json.Marshal(Info{
		ID: ID{9}, Name: "n", Resources: map[string]float64{CPU: 2}, Labels: map[string]string{"zone": "a"}, Functions: []string{"f"}, Classes: []string{"C"},
		Version: "0.1.0", Frames: bus.FrameVersion, Started: time.Unix(0, 0),
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(id.String(), full)
	f.Add(id.String(), []byte(`{"Frames":2,"unknown":[{}]}`))
	f.Add("foreign", []byte("{"))
	f.Add(id.String(), []byte(`{"Resources":{"CPU":1e999}}`))
	f.Fuzz(func(t *testing.T, key string, record []byte) {
		var came, went []ID
		table := &Table{log: zap.NewNop(), roster: make(roster), changed: make(chan struct{}), stirred: make(chan struct{}, 1)}
		table.watchers = []*Watcher{{
			Joined: func(info Info) { came = append(came, info.ID) },
			Left:   func(id ID) { went = append(went, id) },
		}}
		table.recordChanged(0, bus.Entry{Key: id.String(), Value: full, Revision: 1})
		table.recordChanged(0, bus.Entry{Key: key, Value: record, Revision: 2})
		for _, info := range table.All() {
			if info.Frames != bus.FrameVersion {
				t.Fatalf("%+v is there", info)
			}
			if other, err := ParseID(info.ID.String()); err != nil || other != info.ID {
				t.Fatalf("%v is read back as %v, %v", info.ID, other, err)
			}
		}
		there := make(map[ID]int)
		for _, id := range came {
			there[id] = 1
		}
		for _, id := range went {
			there[id] = 0
		}
		for id, want := range there {
			if got := table.Alive(id); got != (want == 1) {
				t.Fatalf("%v is there: %v, and the watchers have heard %v and %v", id, got, came, went)
			}
		}
		for _, id := range table.roster.ids() {
			table.recordChanged(0, bus.Entry{Key: id.String(), Gone: true, Revision: 3})
		}
		if len(table.All()) > 0 {
			t.Fatalf("%v are left", table.All())
		}
	})
}
