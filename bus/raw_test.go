package bus_test

import (
	"reflect"
	"slices"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"manta/bus"
)

type (
	octet   byte
	octets  []byte
	heights []float32
	level   int16
)

func TestSlicesOfEveryKindOfNumberComeBackEqualFromAnyAddress(t *testing.T) {
	t.Run("int8", slicesOf[[]int8](bus.Int8s))
	t.Run("int16", slicesOf[[]int16](bus.Int16s))
	t.Run("int32", slicesOf[[]int32](bus.Int32s))
	t.Run("int64", slicesOf[[]int64](bus.Int64s))
	t.Run("int", slicesOf[[]int](bus.Int64s))
	t.Run("uint16", slicesOf[[]uint16](bus.Uint16s))
	t.Run("uint32", slicesOf[[]uint32](bus.Uint32s))
	t.Run("uint64", slicesOf[[]uint64](bus.Uint64s))
	t.Run("uint", slicesOf[[]uint](bus.Uint64s))
	t.Run("float32", slicesOf[[]float32](bus.Float32s))
	t.Run("float64", slicesOf[[]float64](bus.Float64s))
	t.Run("bytes", slicesOf[[]byte](bus.Bytes))
	t.Run("named bytes", slicesOf[octets](bus.Bytes))
	t.Run("bytes of a named type", slicesOf[[]octet](bus.Bytes))
	t.Run("named slice", slicesOf[heights](bus.Float32s))
	t.Run("named number", slicesOf[[]level](bus.Int16s))
}

// slicesOf says that any S is stored in a format, and comes back equal whatever address its bytes have.
func slicesOf[S ~[]E, E comparable](format bus.Format) func(*testing.T) {
	numbers := rapid.Make[S]()
	return rapid.MakeCheck(func(t *rapid.T) {
		want := numbers.Draw(t, "numbers")
		if want == nil {
			want = S{}
		}
		value, err := bus.Encode(want)
		if err != nil || value.Format != format {
			t.Fatalf("encoded as %v, %v; want %v", value.Format, err, format)
		}
		moved := append(make([]byte, rapid.IntRange(0, 15).Draw(t, "offset")), value.Data...)
		moved = moved[len(moved)-len(value.Data):]
		got, err := bus.Decode[S](bus.Value{Format: value.Format, Data: moved})
		if err != nil || got == nil || !slices.Equal(got, want) {
			t.Fatalf("%v came back as %#v, %v", want, got, err)
		}
	})
}

func TestComplexNumbersComeBackEqual(t *testing.T) {
	t.Run("complex64", same([]complex64{1 + 2i, -3i}))
	t.Run("complex128", same([]complex128{1 + 2i, -3i}))
}

func TestAnAlignedSliceIsReadWithoutACopy(t *testing.T) {
	numbers := []float64{1, 2, 3}
	value := encoded(t, numbers)
	got, err := bus.Decode[[]float64](value)
	if err != nil {
		t.Fatal(err)
	}
	if unsafe.SliceData(got) != unsafe.SliceData(numbers) {
		t.Error("decoding copied the numbers")
	}
	if cap(got) != len(got) {
		t.Errorf("the view has room for %d numbers, which would overwrite what follows it", cap(got)-len(got))
	}
}

func TestACloneHasMemoryOfItsOwn(t *testing.T) {
	numbers := []int32{1, 2}
	clone := encoded(t, numbers).Clone()
	numbers[0] = 9
	if got, err := bus.Decode[[]int32](clone); err != nil || got[0] != 1 {
		t.Errorf("got %v, %v; want the numbers as they were", got, err)
	}
}

func TestAnAnyGetsTheTypeThatARawFormatNames(t *testing.T) {
	for _, want := range []any{
		[]int8{1}, []int16{-1}, []int32{1}, []int64{1}, []uint16{1}, []uint32{1}, []uint64{1}, []float32{1}, []float64{1},
		[]complex64{1i}, []complex128{1i}, []byte{1}, "text",
	} {
		value, err := bus.EncodeFrom(addressable(want), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := bus.Decode[any](value); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%#v came back as %#v, %v", want, got, err)
		}
	}
}

func addressable(v any) reflect.Value {
	pointer := reflect.New(reflect.TypeOf(v))
	pointer.Elem().Set(reflect.ValueOf(v))
	return pointer.Elem()
}
