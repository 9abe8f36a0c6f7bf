package bus_test

import (
	"testing"

	"manta/bus"
)

func TestAPlainClientsJSONAndMessagePackAreRecodedFromEveryFormat(t *testing.T) {
	tests := []struct {
		name string
		in   bus.Value
		json string
	}{
		{"string", encoded(t, "x"), `"x"`},
		{"numbers", encoded(t, []int32{1, -2}), `[1,-2]`},
		{"struct", encoded(t, point{1, 2}), `{"X":1,"Y":2}`},
		{"JSON", bus.Value{Format: bus.JSON, Data: []byte(`{"a":1}`)}, `{"a":1}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			asJSON, err := bus.Recode(test.in, bus.JSON)
			if err != nil || string(asJSON.Data) != test.json {
				t.Errorf("as JSON: %s, %v; want %s", asJSON.Data, err, test.json)
			}
			asMsgpack, err := bus.Recode(test.in, bus.Msgpack)
			if err != nil || asMsgpack.Format != bus.Msgpack {
				t.Fatalf("as MessagePack: %v, %v", asMsgpack.Format, err)
			}
			back, err := bus.Recode(asMsgpack, bus.JSON)
			if err != nil || string(back.Data) != test.json {
				t.Errorf("as MessagePack and then JSON: %s, %v; want %s", back.Data, err, test.json)
			}
		})
	}
}
