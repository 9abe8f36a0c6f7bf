package task

import (
	"encoding/json"
	"testing"

	"manta/bus"
)

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
