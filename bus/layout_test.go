package bus_test

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"

	"manta/bus"
)

type sample struct {
	ID    uint32 `json:"id"`
	Flags uint8
	At    [3]float64
	Span  time.Duration
	Pixel pixel `json:"px"`
	Hash  [4]byte
}

type pixel struct{ R, G, B uint8 }

func samples(n int) []sample {
	all := make([]sample, n)
	for i := range all {
		all[i] = sample{uint32(i), uint8(i), [3]float64{float64(i), -1, math.Pi}, time.Duration(-i), pixel{1, 2, uint8(i)}, [4]byte{3: uint8(i)}}
	}
	return all
}

func TestStructsOfNumbersAreReadWithoutACopy(t *testing.T) {
	want := samples(1000)
	value := sent(t, encoded(t, want))
	if name := value.Format.String(); name != "[]struct{id uint32; Flags byte; At [3]float64; Span int64; px struct{R byte; G byte; B byte}; Hash [4]byte}" {
		t.Errorf("the format is %s", name)
	}
	got, err := bus.Decode[[]sample](value)
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("they came back otherwise, %v", err)
	}
	if unsafe.Pointer(unsafe.SliceData(got)) != unsafe.Pointer(unsafe.SliceData(value.Data)) {
		t.Error("decoding copied the structs")
	}
}

// sent is a value as it comes out of a frame, at an address that is aligned.
func sent(t testing.TB, value bus.Value) bus.Value {
	t.Helper()
	r, _ := bus.ReadFrame(value.AppendTo(bus.AppendFrame(nil, 'k')))
	got := r.ReadValue()
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	got.Data = append(make([]byte, 0, len(got.Data)), got.Data...)
	return got
}

func TestStructsFromAnyAddressComeBackEqual(t *testing.T) {
	value := encoded(t, samples(200))
	for offset := range 9 {
		moved := append(make([]byte, offset), value.Data...)[offset:]
		if got, err := bus.Decode[[]sample](bus.Value{Format: value.Format, Data: moved}); err != nil || !slices.Equal(got, samples(200)) {
			t.Errorf("offset %d: they came back otherwise, %v", offset, err)
		}
	}
}

func TestStructsAreReadByTheNamesOfTheirFields(t *testing.T) {
	value := sent(t, encoded(t, samples(200)))
	type other struct {
		At    []float64
		ID    *int64          `json:"id"`
		Pixel struct{ B int } `json:"px"`
		More  string
	}
	got, err := bus.Decode[[]other](value)
	if err != nil {
		t.Fatal(err)
	}
	if last := got[199]; *last.ID != 199 || !slices.Equal(last.At, []float64{199, -1, math.Pi}) || last.Pixel.B != 199 || last.More != "" {
		t.Errorf("the last one is %+v", last)
	}
	untyped, err := bus.Decode[any](value)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"id": int64(7), "Flags": int64(7), "At": []any{7., -1., math.Pi}, "Span": int64(-7),
		"px": map[string]any{"R": int64(1), "G": int64(2), "B": int64(7)}, "Hash": []byte{0, 0, 0, 7},
	}
	if got := untyped.([]any)[7]; !reflect.DeepEqual(got, want) {
		t.Errorf("without a type: %v, want %v", got, want)
	}
	for _, into := range []func(bus.Value) error{into[[]string], into[string], into[map[string]any], into[[]struct{ At int }], into[[]float64]} {
		err := into(value)
		if err == nil || !strings.Contains(err.Error(), "cannot decode into") || !strings.Contains(err.Error(), "[]struct{id uint32;") {
			t.Errorf("got %v, want an error that names both types", err)
		}
	}
}

func TestAPlainClientGetsManyStructsAsItGetsOne(t *testing.T) {
	want := samples(200)
	as, err := bus.Recode(sent(t, encoded(t, want)), bus.JSON)
	if err != nil {
		t.Fatal(err)
	}
	small, err := bus.Recode(encoded(t, want[7:8]), bus.JSON)
	if err != nil {
		t.Fatal(err)
	}
	var many, one []any
	if err := errors.Join(json.Unmarshal(as.Data, &many), json.Unmarshal(small.Data, &one)); err != nil || !reflect.DeepEqual(many[7], one[0]) {
		t.Errorf("the seventh of many is %v, by itself it is %v, %v", many[7], one[0], err)
	}
	packed, err := bus.Recode(encoded(t, want), bus.Msgpack)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := bus.Decode[[]sample](packed); err != nil || !slices.Equal(got, want) {
		t.Errorf("as MessagePack they came back otherwise, %v", err)
	}
}

type (
	withText struct{ Name string }
	withBool struct{ On bool }
	hidden   struct{ X, y int64 }
	leftOut  struct {
		X int64
		Y int64 `json:"-"`
	}
	asText struct {
		X int64 `json:",string"`
	}
	embedding struct{ pixel }
	dated     struct{ At time.Time }
	empty     struct{}
)

func TestStructsOfMoreThanNumbersAreMessagePack(t *testing.T) {
	const n = bus.LeastStructs
	for _, v := range []any{
		make([]withText, n), make([]withBool, n), slices.Repeat([]hidden{{y: 1}}, n), make([]leftOut, n), make([]asText, n), make([]embedding, n),
		make([]dated, n), make([]empty, n), samples(3), []sample(nil),
	} {
		value, err := bus.EncodeFrom(addressable(v), nil)
		if err != nil || value.Format != bus.Msgpack {
			t.Errorf("%T is %v, %v", v, value.Format, err)
		}
	}
}

func TestNumbersAreReadOnAPlatformWhereTheyLieOtherwise(t *testing.T) {
	here := []any{
		[]int8{-1}, []int16{-2, 3}, []int32{-4}, []int64{math.MinInt64}, []int{5}, []uint16{6}, []uint32{7}, []uint64{math.MaxUint64}, []uint{8},
		[]float32{1.5}, []float64{math.Pi}, []complex64{1 + 2i}, []complex128{-3i}, []byte{9}, []level{-5}, samples(200),
	}
	var values []bus.Value
	for _, v := range here {
		value, err := bus.EncodeFrom(addressable(v), nil)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, value)
	}
	defer bus.ElsewhereNumbersLieOtherwise()()
	for i, want := range here {
		got := reflect.New(reflect.TypeOf(want))
		if err := bus.DecodeTo(sent(t, values[i]), got); err != nil || !reflect.DeepEqual(got.Elem().Interface(), want) {
			t.Errorf("%T came back as %v, %v", want, got.Elem(), err)
		}
		there, err := bus.EncodeFrom(addressable(want), nil)
		if err != nil || there.Format != values[i].Format && there.Format != bus.Msgpack || there.Format == values[i].Format && !slices.Equal(there.Data, values[i].Data) {
			t.Errorf("%T is written as %v, %v", want, there.Format, err)
		}
	}
}

func TestALayoutThatCannotBeIsMalformed(t *testing.T) {
	field := func(name string, offset uint64, kind bus.Format, count uint64) []byte {
		return bus.AppendUint(append(bus.AppendUint(bus.AppendString(nil, name), offset), byte(kind)), count)
	}
	layout := func(size uint64, fields ...[]byte) []byte {
		b := bus.AppendUint(bus.AppendUint([]byte{byte(bus.Structs)}, size), uint64(len(fields)))
		return append(b, slices.Concat(fields...)...)
	}
	for name, bytes := range map[string][]byte{
		"of no size":                  layout(0),
		"too large":                   layout(1<<20 + 1),
		"a field beyond the end":      layout(8, field("x", 1, bus.Float64s, 0)),
		"an array beyond the end":     layout(16, field("x", 0, bus.Float64s, 3)),
		"a field upon another":        layout(16, field("x", 0, bus.Float64s, 0), field("y", 7, bus.Float64s, 0)),
		"a field of an unknown kind":  layout(16, field("x", 0, 0xee, 0)),
		"a field of text":             layout(16, field("x", 0, bus.Text, 0)),
		"a huge count":                layout(16, field("x", 0, bus.Float64s, math.MaxUint64)),
		"a huge offset":               layout(16, field("x", math.MaxUint64, bus.Float64s, 0)),
		"a long name":                 layout(16, field(strings.Repeat("x", 256), 0, bus.Float64s, 0)),
		"cut off":                     layout(16, field("x", 0, bus.Float64s, 0))[:5],
		"an inner one beyond the end": layout(16, append(field("x", 0, bus.Structs, 0), layout(17)[1:]...)),
	} {
		r, _ := bus.ReadFrame(append(bus.AppendFrame(nil, 'k'), bytes...))
		if r.ReadFormat(); !errors.Is(r.Err(), bus.ErrMalformed) {
			t.Errorf("%s: got %v, want ErrMalformed", name, r.Err())
		}
	}
}

// FuzzStructs reads layouts and structs of which every byte may be hostile.
func FuzzStructs(f *testing.F) {
	f.Add(encodedFrame(f, samples(200)))
	f.Add(encodedFrame(f, make([]pixel, bus.LeastStructs)))
	f.Fuzz(func(t *testing.T, frame []byte) {
		r, _ := bus.ReadFrame(frame)
		value := r.ReadValue()
		if r.Err() != nil {
			return
		}
		if used := allocated(func() { _, _ = bus.Decode[any](value) }); used > uint64(64<<10+1024*len(frame)) {
			t.Fatalf("decoding %d bytes allocated %d", len(frame), used)
		}
		_, _ = bus.Decode[[]sample](value)
		_ = value.Format.String()
		again, _ := bus.ReadFrame(value.AppendTo(bus.AppendFrame(nil, 'k')))
		if got := again.ReadValue(); again.Err() != nil || got.Format != value.Format || !slices.Equal(got.Data, value.Data) {
			t.Fatalf("%v came back as %v, %v", value.Format, got.Format, again.Err())
		}
	})
}

func encodedFrame(t testing.TB, v any) []byte {
	value, err := bus.EncodeFrom(addressable(v), nil)
	if err != nil {
		t.Fatal(err)
	}
	return value.AppendTo(bus.AppendFrame(nil, 'k'))
}

func TestAnyStructsOfNumbersComeBackEqual(t *testing.T) {
	random := rapid.SliceOfN(rapid.Make[sample](), 1, 5)
	rapid.Check(t, func(t *rapid.T) {
		want := slices.Repeat(random.Draw(t, "structs"), 100)
		value, err := bus.Encode(want)
		if err != nil || value.Format == bus.Msgpack {
			t.Fatalf("%v, %v", value.Format, err)
		}
		var buf []map[string]any
		if buf, err = bus.Decode[[]map[string]any](value); err != nil || len(buf) != len(want) {
			t.Fatalf("%d maps, %v", len(buf), err)
		}
		if got, err := bus.Decode[[]sample](value); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("they came back otherwise, %v", err)
		}
	})
}
