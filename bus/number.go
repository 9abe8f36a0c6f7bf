package bus

import (
	"encoding/binary"
	"math"
	"reflect"
)

// number is how the numbers of a raw format lie in its bytes: little-endian, whatever the platform.
type number struct {
	size int
	name string
	read func([]byte) any
	put  func([]byte, reflect.Value)
}

var le = binary.LittleEndian

// numberKinds are the formats of slices by the kinds of their elements.
var numberKinds = map[reflect.Kind]Format{
	reflect.Int8: Int8s, reflect.Int16: Int16s, reflect.Int32: Int32s, reflect.Int64: Int64s, reflect.Int: Int64s,
	reflect.Uint8: Bytes, reflect.Uint16: Uint16s, reflect.Uint32: Uint32s, reflect.Uint64: Uint64s, reflect.Uint: Uint64s,
	reflect.Float32: Float32s, reflect.Float64: Float64s, reflect.Complex64: Complex64s, reflect.Complex128: Complex128s,
}

// numbers are the raw formats whose elements are numbers.
var numbers = map[Format]number{
	Int8s:   {1, "[]int8", func(b []byte) any { return int8(b[0]) }, func(b []byte, v reflect.Value) { b[0] = byte(v.Int()) }},
	Bytes:   {1, "[]byte", func(b []byte) any { return b[0] }, func(b []byte, v reflect.Value) { b[0] = byte(v.Uint()) }},
	Int16s:  {2, "[]int16", func(b []byte) any { return int16(le.Uint16(b)) }, func(b []byte, v reflect.Value) { le.PutUint16(b, uint16(v.Int())) }},
	Int32s:  {4, "[]int32", func(b []byte) any { return int32(le.Uint32(b)) }, func(b []byte, v reflect.Value) { le.PutUint32(b, uint32(v.Int())) }},
	Int64s:  {8, "[]int64", func(b []byte) any { return int64(le.Uint64(b)) }, func(b []byte, v reflect.Value) { le.PutUint64(b, uint64(v.Int())) }},
	Uint16s: {2, "[]uint16", func(b []byte) any { return le.Uint16(b) }, func(b []byte, v reflect.Value) { le.PutUint16(b, uint16(v.Uint())) }},
	Uint32s: {4, "[]uint32", func(b []byte) any { return le.Uint32(b) }, func(b []byte, v reflect.Value) { le.PutUint32(b, uint32(v.Uint())) }},
	Uint64s: {8, "[]uint64", func(b []byte) any { return le.Uint64(b) }, func(b []byte, v reflect.Value) { le.PutUint64(b, v.Uint()) }},
	Float32s: {4, "[]float32", func(b []byte) any { return math.Float32frombits(le.Uint32(b)) },
		func(b []byte, v reflect.Value) { le.PutUint32(b, math.Float32bits(float32(v.Float()))) }},
	Float64s: {8, "[]float64", func(b []byte) any { return math.Float64frombits(le.Uint64(b)) },
		func(b []byte, v reflect.Value) { le.PutUint64(b, math.Float64bits(v.Float())) }},
	Complex64s: {8, "[]complex64", func(b []byte) any {
		return complex(math.Float32frombits(le.Uint32(b)), math.Float32frombits(le.Uint32(b[4:])))
	}, func(b []byte, v reflect.Value) {
		le.PutUint32(b, math.Float32bits(float32(real(v.Complex()))))
		le.PutUint32(b[4:], math.Float32bits(float32(imag(v.Complex()))))
	}},
	Complex128s: {16, "[]complex128", func(b []byte) any {
		return complex(math.Float64frombits(le.Uint64(b)), math.Float64frombits(le.Uint64(b[8:])))
	}, func(b []byte, v reflect.Value) {
		le.PutUint64(b, math.Float64bits(real(v.Complex())))
		le.PutUint64(b[8:], math.Float64bits(imag(v.Complex())))
	}},
}
