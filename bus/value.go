package bus

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"runtime"

	"github.com/vmihailenco/msgpack/v5"
)

// Format says how a Value's bytes are to be read. What it says of structs is this process's alone: it travels by AppendFormat.
type Format uint32

// The formats that are not numeric slices; those are in raw.go.
const (
	Msgpack Format = 'm' // MessagePack, as package msgpack writes it
	JSON    Format = 'j' // JSON, from and for plain NATS clients
	Bytes   Format = 'b' // a []byte as it is
	Text    Format = 's' // a string as it is
)

// Value is an encoded Go value. A numeric, []byte or string value is a view of the original's memory: whoever encodes it
// hands it over.
type Value struct {
	Format Format
	Data   []byte
	Refs   *Refs // nil if it holds none
}

// Clone returns the value with bytes of its own.
func (v Value) Clone() Value { return Value{Format: v.Format, Data: bytes.Clone(v.Data), Refs: v.Refs} }

// AppendTo appends the value to a frame.
func (v Value) AppendTo(b []byte) []byte {
	return AppendBytes(AppendFormat(b, v.Format, v.Refs), v.Data)
}

// ReadValue reads what AppendTo wrote, as a view into the frame.
func (r *Reader) ReadValue() (v Value) {
	r.ReadValueTo(&v)
	return v
}

// ReadValueTo is ReadValue into a zero Value.
func (r *Reader) ReadValueTo(v *Value) {
	v.Format, v.Refs = r.ReadFormat()
	v.Data = r.Bytes()
}

// Encode encodes v. The error of a value that cannot be encoded names its type and the field.
func Encode[T any](v T) (Value, error) { return EncodeIn(v, nil) }

// EncodeIn is Encode. A number may be put into room, whose content is lost.
func EncodeIn[T any](v T, room []byte) (Value, error) {
	if value, ok := encodeScalar(&v, room); ok {
		return value, nil
	}
	return encodeAny(v)
}

// encodeAny is apart from Encode because reflection moves its argument to the heap.
func encodeAny[T any](v T) (Value, error) { return encodeReflected(reflect.ValueOf(&v).Elem()) }

// EncodeFrom is EncodeIn of an addressable value.
func EncodeFrom(v reflect.Value, room []byte) (Value, error) {
	if value, ok := encodeScalar(v.Addr().Interface(), room); ok {
		return value, nil
	}
	return encodeReflected(v)
}

func encodeReflected(v reflect.Value) (Value, error) {
	if value, ok := encodeRaw(v); ok {
		return value, nil
	}
	if err := checkEncodable(v); err != nil {
		return Value{}, err
	}
	value, err := marshalMsgpack(v.Addr().Interface())
	if err != nil {
		return Value{}, fmt.Errorf("cannot encode %s: %w", v.Type(), err)
	}
	return value, nil
}

// Decode decodes a value into a T. The error of one that does not fit names both types.
func Decode[T any](value Value) (T, error) {
	var v T
	if decodeScalar(value, &v) {
		return v, nil
	}
	return decodeAny[T](value)
}

// decodeAny is apart from Decode because reflection moves its result to the heap.
func decodeAny[T any](value Value) (T, error) {
	var v T
	err := decodeInto(value, &v)
	return v, err
}

// DecodeTo decodes a value into what target, a non-nil pointer, points to.
func DecodeTo(value Value, target reflect.Value) error {
	if decodeScalar(value, target.Interface()) {
		return nil
	}
	return decodeInto(value, target.Interface())
}

func decodeInto(value Value, target any) error {
	defer runtime.KeepAlive(value.Refs) // what decodes as a ref finds its object alive
	var err error
	switch value.Format {
	case Msgpack:
		err = unmarshalMsgpack(value.Data, target)
	case JSON:
		err = unmarshalJSON(value.Data, target)
	default:
		return decodeRaw(value, target)
	}
	if err != nil {
		return fmt.Errorf("cannot decode into %s: %w", reflect.TypeOf(target).Elem(), err)
	}
	return nil
}

// EncodeJSON encodes v for a plain client.
func EncodeJSON(v any) (Value, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return Value{}, fmt.Errorf("cannot encode %T as JSON: %w", v, err)
	}
	return Value{Format: JSON, Data: data}, nil
}

// Recode turns a raw value into MessagePack or JSON, for a plain client; what is in that format already stays as it is.
func Recode(value Value, format Format) (Value, error) {
	if value.Format == format {
		return value, nil
	}
	v, err := Decode[any](value)
	if err != nil {
		return Value{}, err
	}
	if format == JSON {
		return EncodeJSON(v)
	}
	return marshalMsgpack(&v)
}

func marshalMsgpack(v any) (Value, error) {
	var out sink
	if err := writeMsgpack(&out, v); err != nil {
		return Value{}, err
	}
	return Value{Format: Msgpack, Data: out.Bytes(), Refs: out.refs}, out.refs.check()
}

func writeMsgpack(w io.Writer, v any) error {
	enc := msgpack.GetEncoder()
	defer msgpack.PutEncoder(enc)
	enc.Reset(w)
	enc.SetCustomStructTag("json")
	return enc.Encode(v)
}

// unmarshalJSON survives a type whose own UnmarshalJSON panics.
func unmarshalJSON(data []byte, target any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("decoding JSON: panic: %v", r)
		}
	}()
	return json.Unmarshal(data, target)
}

func unmarshalMsgpack(data []byte, target any) (err error) {
	if err := scanMsgpack(data); err != nil {
		return err
	}
	defer func() {
		if r := recover(); r != nil { // package msgpack sets fields by reflection: hostile input must not take the node down
			err = fmt.Errorf("malformed MessagePack: %v", r)
		}
	}()
	r := bytes.NewReader(data)
	dec := msgpack.GetDecoder()
	defer msgpack.PutDecoder(dec)
	dec.Reset(r)
	dec.SetCustomStructTag("json")
	if err := dec.Decode(target); err != nil {
		return fmt.Errorf("the value is a MessagePack %s: %w", msgpackForms[data[0]].kind, err)
	}
	if into := reflect.ValueOf(target).Elem(); shapeOf(into.Type()).untyped {
		widen(into)
	}
	return nil
}
