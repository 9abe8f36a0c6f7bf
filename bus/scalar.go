package bus

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// Scalars are encoded and decoded without package msgpack: reflection and its buffers cost ten times what the bytes do, and
// an int is what most calls carry. The bytes are the very ones that package msgpack writes. Only the predeclared types take
// this path; a named one may bring an encoding of its own.

// AppendScalar appends the encoding of v, a bool, an integer, a float or a string of a predeclared type, to b. It returns
// false, and b as it was, for any other type.
func AppendScalar[T any](b []byte, v T) (out []byte, format Format, ok bool) {
	return appendScalar(b, &v)
}

// appendScalar is AppendScalar of what v points to. It does not keep v. Each case appends once, so that an empty b is
// allocated in the size that it needs.
func appendScalar(b []byte, v any) ([]byte, Format, bool) {
	switch v := v.(type) {
	case *bool:
		if *v {
			return append(b, 0xc3), Msgpack, true
		}
		return append(b, 0xc2), Msgpack, true
	case *int:
		return appendInt(b, int64(*v)), Msgpack, true
	case *int8:
		return append(b, 0xd0, byte(*v)), Msgpack, true
	case *int16:
		return append2(b, 0xd1, uint16(*v)), Msgpack, true
	case *int32:
		return append4(b, 0xd2, uint32(*v)), Msgpack, true
	case *int64:
		return append8(b, 0xd3, uint64(*v)), Msgpack, true
	case *uint:
		return appendUint(b, uint64(*v)), Msgpack, true
	case *uint8:
		return append(b, 0xcc, *v), Msgpack, true
	case *uint16:
		return append2(b, 0xcd, *v), Msgpack, true
	case *uint32:
		return append4(b, 0xce, *v), Msgpack, true
	case *uint64:
		return append8(b, 0xcf, *v), Msgpack, true
	case *float32:
		return append4(b, 0xca, math.Float32bits(*v)), Msgpack, true
	case *float64:
		return append8(b, 0xcb, math.Float64bits(*v)), Msgpack, true
	case *string:
		return append(b, *v...), Text, true
	}
	return b, 0, false
}

// encodeScalar encodes what v points to if it is a scalar, into room if there is enough. A string becomes a view.
func encodeScalar(v any, room []byte) (Value, bool) {
	if s, ok := v.(*string); ok {
		return Value{Format: Text, Data: unsafe.Slice(unsafe.StringData(*s), len(*s))}, true
	}
	data, format, ok := appendScalar(room[:0], v)
	return Value{Format: format, Data: data}, ok
}

// appendInt writes an int in as few bytes as it needs. Integers whose type states a width are written in that width.
func appendInt(b []byte, n int64) []byte {
	switch {
	case n >= 0:
		return appendUint(b, uint64(n))
	case n >= -32:
		return append(b, byte(n))
	case n >= math.MinInt8:
		return append(b, 0xd0, byte(n))
	case n >= math.MinInt16:
		return append2(b, 0xd1, uint16(n))
	case n >= math.MinInt32:
		return append4(b, 0xd2, uint32(n))
	}
	return append8(b, 0xd3, uint64(n))
}

func appendUint(b []byte, n uint64) []byte {
	switch {
	case n <= math.MaxInt8:
		return append(b, byte(n))
	case n <= math.MaxUint8:
		return append(b, 0xcc, byte(n))
	case n <= math.MaxUint16:
		return append2(b, 0xcd, uint16(n))
	case n <= math.MaxUint32:
		return append4(b, 0xce, uint32(n))
	}
	return append8(b, 0xcf, n)
}

func append2(b []byte, code byte, n uint16) []byte { return append(b, code, byte(n>>8), byte(n)) }

func append4(b []byte, code byte, n uint32) []byte {
	return append(b, code, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

func append8(b []byte, code byte, n uint64) []byte {
	return append(b, code, byte(n>>56), byte(n>>48), byte(n>>40), byte(n>>32), byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

// decodeScalar decodes a value into what target points to if both are scalars of one kind. It returns false for everything
// else, and for every value that is out of the ordinary: package msgpack takes it, or says what is wrong with it. It does not
// keep target.
func decodeScalar(value Value, target any) bool {
	if value.Format == Text {
		s, ok := target.(*string)
		if ok {
			*s = unsafe.String(unsafe.SliceData(value.Data), len(value.Data))
		}
		return ok
	}
	if value.Format != Msgpack || len(value.Data) == 0 {
		return false
	}
	switch t := target.(type) {
	case *bool:
		return decodeBool(value.Data, t)
	case *int:
		return decodeInteger(value.Data, t)
	case *int8:
		return decodeInteger(value.Data, t)
	case *int16:
		return decodeInteger(value.Data, t)
	case *int32:
		return decodeInteger(value.Data, t)
	case *int64:
		return decodeInteger(value.Data, t)
	case *uint:
		return decodeInteger(value.Data, t)
	case *uint8:
		return decodeInteger(value.Data, t)
	case *uint16:
		return decodeInteger(value.Data, t)
	case *uint32:
		return decodeInteger(value.Data, t)
	case *uint64:
		return decodeInteger(value.Data, t)
	case *float32:
		return decodeFloat32(value.Data, t)
	case *float64:
		return decodeFloat64(value.Data, t)
	}
	return false
}

func decodeBool(data []byte, t *bool) bool {
	if len(data) != 1 || data[0] != 0xc2 && data[0] != 0xc3 {
		return false
	}
	*t = data[0] == 0xc3
	return true
}

// decodeInteger takes every width of integer for every type of integer, and keeps the low bits of one that is too large, as
// package msgpack does.
func decodeInteger[T int | int8 | int16 | int32 | int64 | uint | uint8 | uint16 | uint32 | uint64](data []byte, t *T) bool {
	n, ok := readInteger(data)
	if ok {
		*t = T(n)
	}
	return ok
}

func readInteger(data []byte) (n int64, ok bool) {
	code := data[0]
	switch len(data) {
	case 1:
		return int64(int8(code)), code <= 0x7f || code >= 0xe0
	case 2:
		if code == 0xcc {
			return int64(data[1]), true
		}
		return int64(int8(data[1])), code == 0xd0
	case 3:
		u := uint16(data[1])<<8 | uint16(data[2])
		if code == 0xcd {
			return int64(u), true
		}
		return int64(int16(u)), code == 0xd1
	case 5:
		u := read4(data)
		if code == 0xce {
			return int64(u), true
		}
		return int64(int32(u)), code == 0xd2
	case 9:
		return int64(read8(data)), code == 0xcf || code == 0xd3
	}
	return 0, false
}

func decodeFloat32(data []byte, t *float32) bool {
	if len(data) != 5 || data[0] != 0xca {
		return false
	}
	*t = math.Float32frombits(read4(data))
	return true
}

func decodeFloat64(data []byte, t *float64) bool {
	switch {
	case len(data) == 9 && data[0] == 0xcb:
		*t = math.Float64frombits(read8(data))
	case len(data) == 5 && data[0] == 0xca:
		*t = float64(math.Float32frombits(read4(data)))
	default:
		return false
	}
	return true
}

// read4 reads the four bytes after an item's first one.
func read4(data []byte) uint32 { return binary.BigEndian.Uint32(data[1:]) }

func read8(data []byte) uint64 { return binary.BigEndian.Uint64(data[1:]) }
