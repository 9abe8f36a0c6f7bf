package bus_test

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
	"time"

	"manta/bus"
)

func TestDecodingIntoAnotherTypeNamesBothTypes(t *testing.T) {
	tests := []struct {
		name   string
		decode func(bus.Value) error
		value  bus.Value
		want   []string // in the error
	}{
		{"numbers into strings", into[[]string], encoded(t, []float64{1}), []string{"[]string", "[]float64"}},
		{"numbers into wider ones", into[[]float64], encoded(t, []float32{1}), []string{"[]float64", "[]float32"}},
		{"numbers into a struct", into[point], encoded(t, []int8{1}), []string{"bus_test.point", "[]int8"}},
		{"a string into a number", into[int], encoded(t, "x"), []string{"int", "string"}},
		{"a string into an error", into[error], encoded(t, "x"), []string{"error", "string"}},
		{"a number into a string", into[string], encoded(t, 42), []string{"string", "MessagePack integer"}},
		{"a float into a struct", into[point], encoded(t, 4.2), []string{"bus_test.point", "MessagePack float"}},
		{"a struct into a number", into[int64], encoded(t, point{1, 2}), []string{"int64", "MessagePack map"}},
		{"strings into a struct", into[map[string]int], encoded(t, []string{"a"}), []string{"map[string]int", "MessagePack array"}},
		{"a bool into bytes", into[[]byte], encoded(t, true), []string{"[]uint8", "MessagePack bool"}},
		{"JSON text into a number", into[int], bus.Value{Format: bus.JSON, Data: []byte(`"x"`)}, []string{"int", "string"}},
		{"an unknown format", into[int], bus.Value{Format: 0xee}, []string{"int", "unknown format 0xee"}},
		{"an unknown format into any", into[any], bus.Value{Format: 0xee}, []string{"unknown format 0xee"}},
		{"a part of a number", into[[]int32], bus.Value{Format: bus.Int32s, Data: make([]byte, 5)}, []string{"[]int32", "5 bytes"}},
		{"a part of a number into any", into[any], bus.Value{Format: bus.Int32s, Data: make([]byte, 5)}, []string{"[]int32", "5 bytes"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.decode(test.value)
			if err == nil {
				t.Fatal("it was decoded")
			}
			for _, want := range append(test.want, "cannot decode") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error is %q: want %q in it", err, want)
				}
			}
		})
	}
}

func into[T any](v bus.Value) error {
	_, err := bus.Decode[T](v)
	return err
}

func TestMalformedMessagePackIsRefusedBeforeAnythingIsAllocatedForIt(t *testing.T) {
	tests := map[string][]byte{
		"nothing":                        nil,
		"an unused code":                 {0xc1},
		"an array of 4 billion":          {0xdd, 0xff, 0xff, 0xff, 0xff},
		"a map of 4 billion":             {0xdf, 0xff, 0xff, 0xff, 0xff},
		"4 GB of bytes":                  {0xc6, 0xff, 0xff, 0xff, 0xff, 0},
		"4 GB of text":                   {0xdb, 0xff, 0xff, 0xff, 0xff, 0},
		"4 GB of extension":              {0xc9, 0xff, 0xff, 0xff, 0xff, 1, 0},
		"a length cut short":             {0xdd, 0xff},
		"a number cut short":             {0xd3, 1, 2, 3},
		"a map without its last value":   {0x82, 0xa1, 'a', 1, 0xa1, 'b'},
		"arrays that all claim the rest": bytes.Repeat([]byte{0xdc, 0x03, 0xe0}, 1000),
		"two values":                     {1, 2},
		"a million levels":               bytes.Repeat([]byte{0x91}, 1<<20),
		"levels behind an unknown field": append([]byte{0x81, 0xa1, 'x'}, bytes.Repeat([]byte{0x91}, 1<<20)...),
	}
	for name, data := range tests {
		value := bus.Value{Format: bus.Msgpack, Data: data}
		t.Run(name, func(t *testing.T) {
			for _, decode := range decoders {
				if err := decode(value); err == nil {
					t.Error("it was decoded")
				}
			}
			if used := allocated(func() { _ = into[any](value) }); used > uint64(64<<10+8*len(data)) {
				t.Errorf("decoding %d bytes allocated %d", len(data), used)
			}
		})
	}
}

// decoders decode into types of every kind.
var decoders = []func(bus.Value) error{
	into[any], into[int], into[string], into[[]byte], into[[]string], into[[]any], into[[]float64], into[map[string]any],
	into[map[string]string], into[map[int]point], into[record], into[*list], into[time.Time], into[[3]int], into[linked],
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func FuzzDecode(f *testing.F) {
	for _, format := range []bus.Format{bus.Msgpack, bus.JSON, bus.Bytes, bus.Text, bus.Int32s, bus.Complex128s, 0, 0xff} {
		f.Add(byte(format), []byte{})
		f.Add(byte(format), []byte{0xdd, 0xff, 0xff, 0xff, 0xff})
		f.Add(byte(format), []byte(`{"text":"x","Path":[{"X":1}],"Any":[1.5,null]}`))
	}
	full, err := bus.Encode(record{
		Text: "t", Tags: map[string][]string{"a": {"b"}}, Origin: &point{}, Path: []point{{}}, ByKey: map[point]bool{{}: true},
		Any: []any{1, "s", []byte{1}, time.Unix(0, 0), map[string]any{"a": 1.5}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(byte(full.Format), full.Data)
	f.Fuzz(func(t *testing.T, format byte, data []byte) {
		value := bus.Value{Format: bus.Format(format), Data: data}
		for _, decode := range decoders {
			// 64 KiB for what decoding takes in any case, and for each byte as much as the largest element of a slice.
			if used := allocated(func() { _ = decode(value) }); used > uint64(64<<10+1024*len(data)) {
				t.Fatalf("decoding %d bytes allocated %d", len(data), used)
			}
		}
		v, err := bus.Decode[any](value)
		if err != nil || value.Format == bus.Complex64s || value.Format == bus.Complex128s {
			return // complex numbers have an encoding as slices alone, not inside an any
		}
		again, err := bus.Encode(v)
		if err != nil {
			t.Fatalf("%#v was decoded and cannot be encoded: %v", v, err)
		}
		if _, err := bus.Decode[any](again); err != nil {
			t.Fatalf("%#v was encoded and cannot be decoded: %v", v, err)
		}
	})
}
