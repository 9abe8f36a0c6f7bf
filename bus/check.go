package bus

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/vmihailenco/msgpack/v5"
)

// shape is what can be said of a type before any value of it is seen.
type shape struct {
	problem error // the type holds what cannot be encoded
	walk    bool  // values must be walked: they may hold other types in interfaces, or cycles
}

var shapes sync.Map // reflect.Type → shape

// checkEncodable returns an error, with the path to the culprit, if v holds a channel, a function, an unsafe pointer or
// a cycle. Package msgpack would answer the first three without a path and the last with a stack overflow.
func checkEncodable(v reflect.Value) error {
	known, ok := shapes.Load(v.Type())
	if !ok {
		sh := shape{}
		sh.problem = sh.learn(v.Type(), v.Type().String(), nil)
		known, _ = shapes.LoadOrStore(v.Type(), sh)
	}
	sh := known.(shape)
	if sh.problem != nil || !sh.walk {
		return sh.problem
	}
	return walkValue(v, v.Type().String(), nil)
}

// learn looks through a type's parts; above are the types that hold it.
func (sh *shape) learn(t reflect.Type, path string, above []reflect.Type) error {
	if encodesItself(t) {
		return nil
	}
	for _, a := range above {
		if a == t {
			sh.walk = true
			return nil
		}
	}
	above = append(above, t)
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return unencodable(t, path)
	case reflect.Interface:
		sh.walk = true
	case reflect.Pointer:
		return sh.learn(t.Elem(), path, above)
	case reflect.Slice, reflect.Array:
		return sh.learn(t.Elem(), path+"[]", above)
	case reflect.Map:
		if err := sh.learn(t.Key(), path+" key", above); err != nil {
			return err
		}
		return sh.learn(t.Elem(), path+"[]", above)
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); travels(f) {
				if err := sh.learn(f.Type, path+"."+f.Name, above); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// walkValue looks through a value's parts; above are the pointers, maps and slices that hold it.
func walkValue(v reflect.Value, path string, above []uintptr) error {
	if encodesItself(v.Type()) {
		return nil
	}
	switch v.Kind() {
	case reflect.Interface:
		if v.IsNil() {
			return nil
		}
		if v.Elem().Kind() == reflect.Chan || v.Elem().Kind() == reflect.Func || v.Elem().Kind() == reflect.UnsafePointer {
			return unencodable(v.Elem().Type(), path)
		}
		return walkValue(v.Elem(), path, above)
	case reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return unencodable(v.Type(), path)
	case reflect.Pointer, reflect.Map, reflect.Slice:
		if v.IsNil() {
			return nil
		}
		for _, a := range above {
			if a == v.Pointer() && (v.Kind() != reflect.Slice || v.Len() > 0) {
				return fmt.Errorf("cannot encode %s: %s leads back to itself", path, v.Type())
			}
		}
		return walkParts(v, path, append(above, v.Pointer()))
	case reflect.Array, reflect.Struct:
		return walkParts(v, path, above)
	}
	return nil
}

func walkParts(v reflect.Value, path string, above []uintptr) error {
	switch v.Kind() {
	case reflect.Pointer:
		return walkValue(v.Elem(), path, above)
	case reflect.Slice, reflect.Array:
		if plain(v.Type().Elem().Kind()) {
			return nil
		}
		for i := range v.Len() {
			if err := walkValue(v.Index(i), fmt.Sprintf("%s[%d]", path, i), above); err != nil {
				return err
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			at := fmt.Sprintf("%s[%v]", path, it.Key())
			if err := walkValue(it.Value(), at, above); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); travels(f) {
				if err := walkValue(v.Field(i), path+"."+f.Name, above); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func unencodable(t reflect.Type, path string) error {
	return fmt.Errorf("cannot encode %s: a %s (%s) has no encoding; leave it out with the tag `json:\"-\"`", path, t.Kind(), t)
}

// travels says whether a struct field is part of the encoding.
func travels(f reflect.StructField) bool {
	if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag == "-" {
		return false
	}
	if tag, _, _ := strings.Cut(f.Tag.Get("msgpack"), ","); tag == "-" {
		return false
	}
	return f.IsExported() || f.Anonymous
}

// plain says whether values of a kind can hold nothing else.
func plain(k reflect.Kind) bool {
	return k >= reflect.Bool && k <= reflect.Complex128 || k == reflect.String
}

var encoders = []reflect.Type{
	reflect.TypeFor[msgpack.CustomEncoder](), reflect.TypeFor[msgpack.Marshaler](),
	reflect.TypeFor[encoding.BinaryMarshaler](), reflect.TypeFor[encoding.TextMarshaler](),
}

// encodesItself says whether a type brings its own encoding.
func encodesItself(t reflect.Type) bool {
	if t.Kind() == reflect.Interface {
		return false
	}
	for _, enc := range encoders {
		if t.Implements(enc) || t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(enc) {
			return true
		}
	}
	return false
}
