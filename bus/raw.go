package bus

import (
	"fmt"
	"reflect"
	"unsafe"
)

// The formats of numeric slices: little-endian elements, one after the other. A slice of a named number type is stored as
// its kind; int and uint are 64 bits wide. A format's number never changes its meaning.
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
	Structs // of numbers; beside it stands how they lie in memory
)

// String returns the type that a raw format holds, or the encoding's name.
func (f Format) String() string {
	switch f {
	case Msgpack:
		return "MessagePack"
	case JSON:
		return "JSON"
	case Text:
		return "string"
	}
	if n, ok := numbers[f]; ok {
		return n.name
	}
	if f.kind() == Structs {
		return "[]" + f.layout().String()
	}
	return fmt.Sprintf("in the unknown format 0x%02x, of another version of Manta", uint32(f))
}

// littleEndian says whether numbers lie in memory as they do in a value; tests take it away.
var littleEndian = func() bool {
	word := uint16(1)
	return *(*byte)(unsafe.Pointer(&word)) == 1
}()

// rawFormat returns the raw format of a type, or false if it has none, or one that encodes itself.
func rawFormat(t reflect.Type) (Format, bool) {
	switch t.Kind() {
	case reflect.String:
		return Text, !encodesItself(t)
	case reflect.Slice:
		if encodesItself(t) || encodesItself(t.Elem()) {
			return 0, false
		}
		if t.Elem().Kind() == reflect.Struct {
			return structsFormat(t.Elem())
		}
		format, ok := numberKinds[t.Elem().Kind()]
		return format, ok
	}
	return 0, false
}

// elementSize is how many bytes an element of the format takes in a value.
func (f Format) elementSize() int {
	if f.kind() == Structs {
		return f.layout().size
	}
	return numbers[f].size
}

// asInMemory says whether the elements of a slice lie in memory as they do in a value of the format.
func asInMemory(slice reflect.Type, f Format) bool {
	return f == Bytes || littleEndian && int(slice.Elem().Size()) == f.elementSize()
}

// encodeRaw returns a view of v if its type has a raw format. A nil slice has none: MessagePack tells it from an empty one; and neither
// have a few structs.
func encodeRaw(v reflect.Value) (Value, bool) {
	format, ok := rawFormat(v.Type())
	if !ok {
		return Value{}, false
	}
	if format == Text {
		s := v.String()
		return Value{Format: format, Data: unsafe.Slice(unsafe.StringData(s), len(s))}, true
	}
	if v.IsNil() {
		return Value{}, false
	}
	size := v.Len() * format.elementSize()
	switch same := asInMemory(v.Type(), format); {
	case format.kind() == Structs && (!same || size < leastStructs):
		return Value{}, false
	case same:
		return Value{Format: format, Data: unsafe.Slice((*byte)(v.UnsafePointer()), size)}, true
	}
	data := make([]byte, size)
	n := numbers[format]
	for i := range v.Len() {
		n.put(data[i*n.size:], v.Index(i))
	}
	return Value{Format: format, Data: data}, true
}

// decodeRaw sets *target to a view of the value's bytes, or to a copy where they do not lie as the elements do in memory.
func decodeRaw(value Value, target any) error {
	into := reflect.ValueOf(target).Elem()
	if into.Kind() == reflect.Interface && into.NumMethod() == 0 {
		return decodeRawAny(value, into)
	}
	format, ok := rawFormat(into.Type())
	structs := value.Format.kind() == Structs && into.Kind() == reflect.Slice
	if (!ok || format != value.Format) && !structs {
		return fmt.Errorf("cannot decode into %s: the value is %s", into.Type(), value.Format)
	}
	if value.Format == Text {
		into.SetString(unsafe.String(unsafe.SliceData(value.Data), len(value.Data)))
		return nil
	}
	size := value.Format.elementSize()
	if size == 0 || len(value.Data)%size != 0 {
		return fmt.Errorf("cannot decode into %s: %d bytes are no whole number of elements", into.Type(), len(value.Data))
	}
	count := len(value.Data) / size
	switch {
	case structs && (format != value.Format || !asInMemory(into.Type(), format)):
		return decodeStructs(value, into, count)
	case !asInMemory(into.Type(), format):
		return decodeNumbers(value, into, count)
	}
	data := unsafe.SliceData(value.Data)
	if count == 0 || uintptr(unsafe.Pointer(data))%uintptr(into.Type().Elem().Align()) != 0 {
		own := reflect.MakeSlice(into.Type(), count, count)
		copy(unsafe.Slice((*byte)(own.UnsafePointer()), len(value.Data)), value.Data)
		into.Set(own)
		return nil
	}
	into.Set(reflect.SliceAt(into.Type().Elem(), unsafe.Pointer(data), count).Convert(into.Type()))
	return nil
}

// MakeRaw returns n elements in memory that room gives: so many bytes, all zero, or nil. False: it gave none, or a []T is not encoded as it lies
// in memory.
func MakeRaw[T any](n int, room func(size int64) []byte) ([]T, bool) {
	slice := reflect.TypeFor[[]T]()
	format, ok := rawFormat(slice)
	if !ok || !asInMemory(slice, format) || n <= 0 {
		return nil, false
	}
	data := room(int64(n) * int64(slice.Elem().Size()))
	if data == nil {
		return nil, false
	}
	v, err := Decode[[]T](Value{Format: format, Data: data})
	return v, err == nil
}

// decodeNumbers reads numbers one by one, where they lie otherwise in memory.
func decodeNumbers(value Value, into reflect.Value, count int) error {
	own := reflect.MakeSlice(into.Type(), count, count)
	n := numbers[value.Format]
	for i := range count {
		read := reflect.ValueOf(n.read(value.Data[i*n.size:]))
		to := own.Index(i)
		if read.CanInt() && to.OverflowInt(read.Int()) || read.CanUint() && to.OverflowUint(read.Uint()) {
			return fmt.Errorf("cannot decode into %s: element %d is %v", into.Type(), i, read)
		}
		to.Set(read.Convert(to.Type()))
	}
	into.Set(own)
	return nil
}

// decodeStructs reads structs field by field, by their names, into elements of another type: as MessagePack would.
func decodeStructs(value Value, into reflect.Value, count int) error {
	l := value.Format.layout()
	own := reflect.MakeSlice(into.Type(), count, count)
	for i := range count {
		if into.Type().Elem() == reflect.TypeFor[any]() {
			own.Index(i).Set(reflect.ValueOf(l.value(value.Data[i*l.size:])))
			continue
		}
		packed, err := marshalMsgpack(l.value(value.Data[i*l.size:]))
		if err == nil {
			err = unmarshalMsgpack(packed.Data, own.Index(i).Addr().Interface())
		}
		if err != nil {
			return fmt.Errorf("cannot decode into %s: element %d of %s: %w", into.Type(), i, value.Format, err)
		}
	}
	into.Set(own)
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
		if value.Format.kind() == Structs {
			typed = reflect.New(reflect.TypeFor[[]any]())
			break
		}
		t, ok := anyTypes[value.Format]
		if !ok {
			return fmt.Errorf("cannot decode: the value is %s", value.Format)
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
