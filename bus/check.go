package bus

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"github.com/vmihailenco/msgpack/v5"
)

// shape is what can be said of a type before any value of it is seen.
type shape struct {
	problem error // the type holds what cannot be encoded
	walk    bool  // values must be walked: they may hold other types in interfaces, or cycles
	untyped bool  // values may hold interfaces
}

var shapes sync.Map // reflect.Type → shape

// checkEncodable returns an error, with the path to the culprit, if v holds what has no encoding (a channel, a function, a
// complex number), a cycle, or more levels than decoding allows. Package msgpack would answer the first without a path,
// and the others with a stack overflow.
func checkEncodable(v reflect.Value) error {
	sh := shapeOf(v.Type())
	if sh.problem != nil || !sh.walk {
		return sh.problem
	}
	w := walk{above: make(map[visit]struct{})}
	if found := w.value(v); found != nil {
		return found.err(v.Type())
	}
	return nil
}

func shapeOf(t reflect.Type) shape {
	known, ok := shapes.Load(t)
	if !ok {
		sh := shape{}
		sh.problem = sh.learn(t, t.String(), nil)
		known, _ = shapes.LoadOrStore(t, sh)
	}
	return known.(shape)
}

// learn looks through a type's parts; above are the types that hold it.
func (sh *shape) learn(t reflect.Type, path string, above []reflect.Type) error {
	if encodesItself(t) {
		return nil
	}
	if slices.Contains(above, t) {
		sh.walk = true
		return nil
	}
	above = append(above, t)
	switch t.Kind() {
	case reflect.Interface:
		sh.walk, sh.untyped = true, true
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
	default:
		if !plain(t.Kind()) {
			return fmt.Errorf("cannot encode %s: %w", path, noEncoding(t))
		}
	}
	return nil
}

// walk looks through a value's parts.
type walk struct {
	above map[visit]struct{} // the pointers, maps and slices that hold the part at hand
	depth int                // how many structs, maps, slices and arrays do
}

// visit is one pointer, map or slice. Its type tells a pointer to a struct from one to the struct's first field, its length
// a slice from a shorter one of the same elements.
type visit struct {
	kind   reflect.Type
	memory unsafe.Pointer
	length int
}

func (w *walk) value(v reflect.Value) *culprit {
	if plain(v.Kind()) || encodesItself(v.Type()) {
		return nil
	}
	switch v.Kind() {
	case reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return w.value(v.Elem())
	case reflect.Pointer, reflect.Map, reflect.Slice:
		if v.IsNil() {
			return nil
		}
		return w.reference(v)
	case reflect.Array, reflect.Struct:
		return w.parts(v)
	}
	return &culprit{problem: noEncoding(v.Type())}
}

// reference looks behind a pointer, map or slice, unless that leads back to it.
func (w *walk) reference(v reflect.Value) *culprit {
	here := visit{kind: v.Type(), memory: v.UnsafePointer()}
	if v.Kind() == reflect.Slice {
		here.length = v.Len()
	}
	if _, back := w.above[here]; back {
		return &culprit{problem: fmt.Errorf("%s leads back to itself", v.Type())}
	}
	w.above[here] = struct{}{}
	defer delete(w.above, here)
	if v.Kind() == reflect.Pointer {
		return w.value(v.Elem())
	}
	return w.parts(v)
}

func (w *walk) parts(v reflect.Value) *culprit {
	if w.depth++; w.depth > maxDepth {
		return &culprit{problem: errTooDeep}
	}
	defer func() { w.depth-- }()
	switch v.Kind() {
	case reflect.Slice, reflect.Array:
		if plain(v.Type().Elem().Kind()) {
			return nil
		}
		for i := range v.Len() {
			if found := w.value(v.Index(i)); found != nil {
				return found.in(fmt.Sprintf("[%d]", i))
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if found := w.value(it.Key()); found != nil {
				return found.in(" key")
			}
			if found := w.value(it.Value()); found != nil {
				return found.in(fmt.Sprintf("[%v]", it.Key()))
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); travels(f) {
				if found := w.value(v.Field(i)); found != nil {
					return found.in("." + f.Name)
				}
			}
		}
	}
	return nil
}

// culprit is what keeps a value from being encoded, and the way to it. The way is written only when there is a culprit:
// writing it ahead would make a long list cost the square of its length.
type culprit struct {
	problem error
	steps   []string // the innermost first
}

func (c *culprit) in(step string) *culprit {
	c.steps = append(c.steps, step)
	return c
}

func (c *culprit) err(t reflect.Type) error {
	const shown = 16 // steps that say where to look; a cycle or a deep list has many more
	path := t.String()
	for i, step := range slices.Backward(c.steps) {
		if len(c.steps)-i > shown {
			path += "…"
			break
		}
		path += step
	}
	return fmt.Errorf("cannot encode %s: %w", path, c.problem)
}

func noEncoding(t reflect.Type) error {
	return fmt.Errorf("a %s (%s) has no encoding; leave it out with the tag `json:\"-\"`", t.Kind(), t)
}

// travels says whether a struct field is part of the encoding. As in package msgpack, a msgpack tag hides a json tag.
func travels(f reflect.StructField) bool {
	tag := f.Tag.Get("msgpack")
	if tag == "" {
		tag = f.Tag.Get("json")
	}
	if name, _, _ := strings.Cut(tag, ","); name == "-" {
		return false
	}
	return f.IsExported() || f.Anonymous
}

// plain says whether values of a kind hold nothing else and have a form in MessagePack.
func plain(k reflect.Kind) bool {
	return k >= reflect.Bool && k <= reflect.Uint64 || k == reflect.Float32 || k == reflect.Float64 || k == reflect.String
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
