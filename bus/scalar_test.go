package bus_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"

	"manta/bus"
)

// Named types of every scalar kind: they do not take the path that the predeclared ones take.
type (
	namedBool    bool
	namedInt     int
	namedInt8    int8
	namedInt16   int16
	namedInt32   int32
	namedInt64   int64
	namedUint    uint
	namedUint8   uint8
	namedUint16  uint16
	namedUint32  uint32
	namedUint64  uint64
	namedFloat32 float32
	namedFloat64 float64
	namedString  string
)

func TestScalarsAreEncodedAsPackageMsgpackDoes(t *testing.T) {
	for power := range 64 { // at the powers of two the width of an int changes
		for off := range int64(5) {
			edge := int64(1)<<power + off - 2
			if err := errors.Join(encodesAllAlike(edge, math.Inf(1)), encodesAllAlike(-edge, math.NaN())); err != nil {
				t.Error(err)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		if err := encodesAllAlike(rapid.Int64().Draw(t, "n"), rapid.Float64().Draw(t, "f")); err != nil {
			t.Fatal(err)
		}
	})
}

func encodesAllAlike(n int64, f float64) error {
	return errors.Join(
		encodesAlike(n%2 == 0), encodesAlike(int(n)), encodesAlike(int8(n)), encodesAlike(int16(n)), encodesAlike(int32(n)),
		encodesAlike(n), encodesAlike(uint(n)), encodesAlike(uint8(n)), encodesAlike(uint16(n)), encodesAlike(uint32(n)),
		encodesAlike(uint64(n)), encodesAlike(float32(f)), encodesAlike(f),
	)
}

// encodesAlike compares Encode and AppendScalar with package msgpack, which takes the pointer as Encode gives it.
func encodesAlike[T any](v T) error {
	want, err := msgpack.Marshal(&v)
	if err != nil {
		return err
	}
	value, err := bus.Encode(v)
	if err != nil || value.Format != bus.Msgpack || !bytes.Equal(value.Data, want) {
		return fmt.Errorf("%T %v is encoded as %s % x, %v: want % x", v, v, value.Format, value.Data, err, want)
	}
	out, format, ok := bus.AppendScalar([]byte("head"), v)
	if !ok || format != bus.Msgpack || string(out) != "head"+string(want) {
		return fmt.Errorf("%T %v is appended as %s % x, %v: want % x", v, v, format, out, ok, want)
	}
	return nil
}

func TestAStringIsAppendedAsText(t *testing.T) {
	out, format, ok := bus.AppendScalar([]byte("head"), "tail")
	if string(out) != "headtail" || format != bus.Text || !ok {
		t.Errorf("%q, %s, %v", out, format, ok)
	}
}

func TestOnlyPredeclaredScalarsAreAppended(t *testing.T) {
	b := []byte("head")
	for name, is := range map[string]func() ([]byte, bus.Format, bool){
		"named":        func() ([]byte, bus.Format, bool) { return bus.AppendScalar(b, celsius(1)) },
		"named string": func() ([]byte, bus.Format, bool) { return bus.AppendScalar(b, namedString("x")) },
		"slice":        func() ([]byte, bus.Format, bool) { return bus.AppendScalar(b, []int{1}) },
		"bytes":        func() ([]byte, bus.Format, bool) { return bus.AppendScalar(b, []byte{1}) },
		"pointer":      func() ([]byte, bus.Format, bool) { return bus.AppendScalar(b, new(int)) },
		"any":          func() ([]byte, bus.Format, bool) { return bus.AppendScalar[any](b, 1) },
		"struct":       func() ([]byte, bus.Format, bool) { return bus.AppendScalar(b, point{}) },
	} {
		if out, _, ok := is(); ok || string(out) != "head" {
			t.Errorf("%s: %q, %v", name, out, ok)
		}
	}
}

func TestScalarsAreDecodedAsPackageMsgpackDoesWhateverTheFirstByte(t *testing.T) {
	for code := range 256 {
		for size := 1; size <= 10; size++ {
			data := append([]byte{byte(code)}, bytes.Repeat([]byte{0x81}, size-1)...)
			if err := decodesAllAlike(bus.Value{Format: bus.Msgpack, Data: data}); err != nil {
				t.Error(err)
			}
		}
	}
}

func FuzzScalars(f *testing.F) {
	f.Add(byte(bus.Msgpack), []byte{0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0})
	f.Add(byte(bus.Msgpack), []byte{0xcb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0})
	f.Add(byte(bus.Msgpack), []byte{0xce, 0xff, 0xff, 0xff, 0xff})
	f.Add(byte(bus.Msgpack), []byte{})
	f.Add(byte(bus.Text), []byte("text"))
	f.Add(byte(bus.JSON), []byte("12"))
	f.Add(byte(bus.Bytes), []byte("12"))
	f.Fuzz(func(t *testing.T, format byte, data []byte) {
		if err := decodesAllAlike(bus.Value{Format: bus.Format(format), Data: data}); err != nil {
			t.Error(err)
		}
	})
}

// decodesAllAlike decodes a value into every scalar type and into the named type of its kind.
func decodesAllAlike(value bus.Value) error {
	return errors.Join(
		decodesAlike[bool, namedBool](value), decodesAlike[int, namedInt](value), decodesAlike[int8, namedInt8](value),
		decodesAlike[int16, namedInt16](value), decodesAlike[int32, namedInt32](value), decodesAlike[int64, namedInt64](value),
		decodesAlike[uint, namedUint](value), decodesAlike[uint8, namedUint8](value), decodesAlike[uint16, namedUint16](value),
		decodesAlike[uint32, namedUint32](value), decodesAlike[uint64, namedUint64](value),
		decodesAlike[float32, namedFloat32](value), decodesAlike[float64, namedFloat64](value),
		decodesAlike[string, namedString](value),
	)
}

func decodesAlike[T, Named any](value bus.Value) error {
	got, err := bus.Decode[T](value)
	want, wantErr := bus.Decode[Named](value)
	// As text, so that NaNs are equal.
	if (err == nil) != (wantErr == nil) || err == nil && fmt.Sprint(got) != fmt.Sprint(want) {
		return fmt.Errorf("%s % x is decoded into a %T as %v, %v, and into a %T as %v, %v", value.Format, value.Data, got, got, err, want, want, wantErr)
	}
	return nil
}

func TestScalarsAreDecodedWithoutAnAllocation(t *testing.T) {
	for name, allocs := range map[string]float64{
		"bool": decodeAllocs(t, true), "int": decodeAllocs(t, 1<<40), "int8": decodeAllocs(t, int8(-1)), "uint16": decodeAllocs(t, uint16(7)),
		"uint64": decodeAllocs(t, uint64(math.MaxUint64)), "float32": decodeAllocs(t, float32(1.5)), "float64": decodeAllocs(t, 1.5), "string": decodeAllocs(t, "text"),
	} {
		if allocs > 0 {
			t.Errorf("decoding a %s takes %v allocations", name, allocs)
		}
	}
	if allocs := testing.AllocsPerRun(100, func() { value, _ := bus.Encode(1 << 40); sink = value.Data }); allocs > 1 {
		t.Errorf("encoding an int takes %v allocations, want one", allocs)
	}
}

var sink []byte

func decodeAllocs[T comparable](t *testing.T, v T) float64 {
	t.Helper()
	value, err := bus.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return testing.AllocsPerRun(100, func() {
		if got, err := bus.Decode[T](value); err != nil || got != v {
			t.Errorf("got %v, %v, want %v", got, err, v)
		}
	})
}

func BenchmarkScalar(b *testing.B) {
	b.Run("int", benchmarkScalar(1<<20))
	b.Run("named int", benchmarkScalar(namedInt(1<<20)))
	b.Run("float64", benchmarkScalar(1.5))
	b.Run("string", benchmarkScalar("text"))
}

func benchmarkScalar[T any](v T) func(*testing.B) {
	return func(b *testing.B) {
		value, err := bus.Encode(v)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("encode", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = bus.Encode(v)
			}
		})
		b.Run("decode", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = bus.Decode[T](value)
			}
		})
	}
}
