package member

import (
	"encoding/json"
	"testing"
	"time"

	"manta/bus"
	"manta/internal/recorded"
)

func TestARecordedRecordOfANodeIsReadAsItWasMeant(t *testing.T) {
	recorded.Play(t, bus.FrameVersion, "node", Info{
		ID: ID{1, 2, 3}, Name: "alice", Resources: map[string]float64{CPU: 2}, Labels: map[string]string{"zone": "eu"}, Functions: []string{"square"},
		Classes: []string{"counter"}, Version: "0.1.0", Frames: bus.FrameVersion, Started: time.Unix(1e9, 0).UTC(),
	}, func(info Info) []byte { b, _ := json.Marshal(info); return b }, func(data []byte) (info Info, err error) { return info, json.Unmarshal(data, &info) })
}
