package bus

import (
	"bytes"
	"fmt"
	"reflect"
)

// Errors that are values of a registered type, rather than one registered value, travel with their exported fields.

// maxFields bounds the encoded fields of an error in bytes, which travel with others in a message.
const maxFields = 32 << 10

// RegisterErrorTypeAt gives the errors of a type, which implements error, the code under which they travel with their fields. place is
// the file and line that says so. It panics if the code is taken or the type cannot come back.
func RegisterErrorTypeAt(place, code string, t reflect.Type) {
	if problem := noErrorType(t); problem != nil {
		panic(fmt.Sprintf("bus: error code %s at %s: %v", code, place, problem))
	}
	register(code, registered{typ: t, place: place})
}

// noErrorType says why errors of a type would not come back from a trip, nil if they would.
func noErrorType(t reflect.Type) error {
	if t.Kind() == reflect.Interface {
		return fmt.Errorf("%v is an interface: register the types that implement it", t)
	}
	if problem := shapeOf(t).problem; problem != nil {
		return problem
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || encodesItself(t) {
		return nil
	}
	for i := range t.NumField() {
		if f := t.Field(i); travels(f) && f.Type.Kind() == reflect.Interface && f.Type.NumMethod() > 0 {
			return fmt.Errorf("%v.%s is of the interface type %v, of which no value comes back; leave it out with the tag `json:\"-\"`", t, f.Name, f.Type)
		}
	}
	return nil
}

// encodeFields returns an error as MessagePack, nil if that is too large or the error has no encoding.
func encodeFields(err error) []byte {
	v := reflect.New(reflect.TypeOf(err))
	v.Elem().Set(reflect.ValueOf(err))
	if checkEncodable(v.Elem()) != nil {
		return nil
	}
	var out bytes.Buffer // no sink: nobody keeps what a ref in an error names, so such a ref leaves the system
	if wrong := writeMsgpack(&out, v.Interface()); wrong == nil && out.Len() <= maxFields {
		return out.Bytes()
	}
	return nil
}

// decodeFields returns the error that encodeFields encoded, nil if it is none of that type.
func decodeFields(t reflect.Type, fields []byte) error {
	v := reflect.New(t)
	if len(fields) == 0 || unmarshalMsgpack(fields, v.Interface()) != nil {
		return nil
	}
	return v.Elem().Interface().(error)
}
