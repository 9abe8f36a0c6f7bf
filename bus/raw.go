package bus

import (
	"fmt"
	"reflect"
	"unsafe"
)

// The formats of numeric slices: little-endian elements, one after the other. A slice of a named number type is stored as
// its kind; int and uint are 64 bits wide.
const (
	Int8s Format = 0x10 + iota
	Int16s
	Int32s
	Int64s
	Uint16s
	Uint32s
	Uint64s
	Float32s
	Float64s
	Complex64s
	Complex128s
)

// element describes the elements of a numeric slice.
type element struct {
	format Format
	size   int
	name   string
}

var elements = map[reflect.Kind]element{
	reflect.Int8: {Int8s, 1, "[]int8"}, reflect.Int16: {Int16s, 2, "[]int16"}, reflect.Int32: {Int32s, 4, "[]int32"},
	reflect.Int64: {Int64s, 8, "[]int64"}, reflect.Int: {Int64s, 8, "[]int64"},
	reflect.Uint16: {Uint16s, 2, "[]uint16"}, reflect.Uint32: {Uint32s, 4, "[]uint32"},
	reflect.Uint64: {Uint64s, 8, "[]uint64"}, reflect.Uint: {Uint64s, 8, "[]uint64"},
	reflect.Float32: {Float32s, 4, "[]float32"}, reflect.Float64: {Float64s, 8, "[]float64"},
	reflect.Complex64: {Complex64s, 8, "[]complex64"}, reflect.Complex128: {Complex128s, 16, "[]complex128"},
}

var formatNames = func() map[Format]string {
	names := map[Format]string{Msgpack: "MessagePack", JSON: "JSON", Bytes: "[]byte", Text: "string"}
	for _, e := range elements {
		names[e.format] = e.name
	}
	return names
}()

// String returns the type that a raw format holds, or the encoding's name.
func (f Format) String() string {
	if name, ok := formatNames[f]; ok {
		return name
	}
	return fmt.Sprintf("unknown format 0x%02x", byte(f))
}

// littleEndianWords says whether memory can be stored as it is: true on every platform that Go's own raw formats share.
var littleEndianWords = func() bool {
	word := uint16(1)
	return *(*byte)(unsafe.Pointer(&word)) == 1 && unsafe.Sizeof(int(0)) == 8
}()

// rawFormat returns the raw format of a type, or false if it has none.
func rawFormat(t reflect.Type) (format Format, size int, ok bool) {
	switch t.Kind() {
	case reflect.String:
		return Text, 1, true
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return Bytes, 1, true
		}
		e, ok := elements[t.Elem().Kind()]
		return e.format, e.size, ok && littleEndianWords
	default:
		return 0, 0, false
	}
}

// encodeRaw returns a view of v if its type has a raw format and encodes itself in no other way. A nil slice has none:
// MessagePack tells it from an empty one.
func encodeRaw(v reflect.Value) (Value, bool) {
	format, size, ok := rawFormat(v.Type())
	if !ok || encodesItself(v.Type()) || v.Kind() == reflect.Slice && encodesItself(v.Type().Elem()) {
		return Value{}, false
	}
	if format == Text {
		s := v.String()
		return Value{Format: format, Data: unsafe.Slice(unsafe.StringData(s), len(s))}, true
	}
	if v.IsNil() {
		return Value{}, false
	}
	return Value{Format: format, Data: unsafe.Slice((*byte)(v.UnsafePointer()), v.Len()*size)}, true
}

// decodeRaw sets *target to a view of the value's bytes, or to a copy where they are not aligned for the elements.
func decodeRaw(value Value, target any) error {
	into := reflect.ValueOf(target).Elem()
	if into.Kind() == reflect.Interface && into.NumMethod() == 0 {
		return decodeRawAny(value, into)
	}
	format, size, ok := rawFormat(into.Type())
	if !ok || format != value.Format {
		return fmt.Errorf("cannot decode into %s: the value is %s", into.Type(), value.Format)
	}
	if len(value.Data)%size != 0 {
		return fmt.Errorf("cannot decode into %s: %d bytes are no whole number of elements", into.Type(), len(value.Data))
	}
	if format == Text {
		into.SetString(unsafe.String(unsafe.SliceData(value.Data), len(value.Data)))
		return nil
	}
	data := unsafe.SliceData(value.Data)
	count := len(value.Data) / size
	if count == 0 || uintptr(unsafe.Pointer(data))%uintptr(into.Type().Elem().Align()) != 0 {
		own := reflect.MakeSlice(into.Type(), count, count)
		copy(unsafe.Slice((*byte)(own.UnsafePointer()), len(value.Data)), value.Data)
		into.Set(own)
		return nil
	}
	into.Set(reflect.SliceAt(into.Type().Elem(), unsafe.Pointer(data), count).Convert(into.Type()))
	return nil
}

// decodeRawAny gives an `any` the type that the format names.
func decodeRawAny(value Value, into reflect.Value) error {
	var typed reflect.Value
	switch value.Format {
	case Bytes:
		typed = reflect.New(reflect.TypeFor[[]byte]())
	case Text:
		typed = reflect.New(reflect.TypeFor[string]())
	default:
		t, ok := anyTypes[value.Format]
		if !ok {
			return fmt.Errorf("cannot decode: %s", value.Format)
		}
		typed = reflect.New(t)
	}
	if err := decodeRaw(value, typed.Interface()); err != nil {
		return err
	}
	into.Set(typed.Elem())
	return nil
}

var anyTypes = map[Format]reflect.Type{
	Int8s: reflect.TypeFor[[]int8](), Int16s: reflect.TypeFor[[]int16](), Int32s: reflect.TypeFor[[]int32](),
	Int64s: reflect.TypeFor[[]int64](), Uint16s: reflect.TypeFor[[]uint16](), Uint32s: reflect.TypeFor[[]uint32](),
	Uint64s: reflect.TypeFor[[]uint64](), Float32s: reflect.TypeFor[[]float32](), Float64s: reflect.TypeFor[[]float64](),
	Complex64s: reflect.TypeFor[[]complex64](), Complex128s: reflect.TypeFor[[]complex128](),
}
