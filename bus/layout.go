package bus

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// layout is how a struct of numbers lies in memory: little-endian, at the offsets that Go gives its fields on 64-bit platforms. A slice of
// such structs is stored as it is, with its layout beside it: so a reader whose struct is another finds the fields by their names.
type layout struct {
	size   int
	fields []layoutField
}

type layoutField struct {
	name   string // as MessagePack and JSON have it
	offset int
	kind   Format // of a number, or Structs
	count  int    // of an array; 0 is a number by itself
	inner  *layout
}

const (
	// leastStructs is from how many bytes on a slice of structs is stored as it is. A smaller one is MessagePack, which costs less than to
	// say how it lies in memory.
	leastStructs = 4 << 10

	// What is read from the wire is bounded: so many fields in all, and structs of so many bytes.
	maxLayoutFields = 1000
	maxLayoutSize   = 1 << 20
	maxFieldName    = 255
	// maxLayouts is how many different ones a process takes from the wire and its own types.
	maxLayouts = 1 << 16
)

// layouts are all that this process knows, numbered from 1. The number of one is the upper part of a [Format].
var layouts struct {
	sync.RWMutex
	all    []*layout
	byText map[string]Format
	byType sync.Map // reflect.Type of an element → Format, 0 if it has no layout
}

const kindBits = 8

func (f Format) kind() Format { return f & (1<<kindBits - 1) }

// layout returns the layout of a slice of structs.
func (f Format) layout() *layout {
	layouts.RLock()
	defer layouts.RUnlock()
	if n := int(f >> kindBits); n > 0 && n <= len(layouts.all) {
		return layouts.all[n-1]
	}
	return &layout{}
}

// formatOf returns the format of a slice of structs of that layout.
func formatOf(l *layout) (Format, error) {
	text := string(l.appendTo(nil))
	layouts.Lock()
	defer layouts.Unlock()
	if f, ok := layouts.byText[text]; ok {
		return f, nil
	}
	if len(layouts.all) == maxLayouts {
		return 0, fmt.Errorf("more than %d different kinds of structs", maxLayouts)
	}
	if layouts.byText == nil {
		layouts.byText = make(map[string]Format)
	}
	layouts.all = append(layouts.all, l)
	f := Structs | Format(len(layouts.all))<<kindBits
	layouts.byText[text] = f
	return f, nil
}

// structsFormat returns the format of a slice of such elements, or false if they are more than numbers or have an encoding of their own.
func structsFormat(elem reflect.Type) (Format, bool) {
	if known, ok := layouts.byType.Load(elem); ok {
		return known.(Format), known.(Format) != 0
	}
	var format Format
	fields := 0
	if l := learnLayout(elem, &fields); l != nil && l.size > 0 && l.size <= maxLayoutSize && fields <= maxLayoutFields {
		format, _ = formatOf(l) // with too many layouts it has none
	}
	layouts.byType.Store(elem, format)
	return format, format != 0
}

// learnLayout returns the layout of a type, nil if it has none.
func learnLayout(t reflect.Type, fields *int) *layout {
	if t.Kind() != reflect.Struct || encodesItself(t) {
		return nil
	}
	l := &layout{size: int(t.Size())}
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = f.Name
		}
		if !f.IsExported() || f.Anonymous || len(name) > maxFieldName || name == "-" || strings.Contains(options, "string") || f.Tag.Get("msgpack") != "" {
			return nil // its other encodings leave something out, or write it in another way
		}
		field := layoutField{name: name, offset: int(f.Offset)}
		elem := f.Type
		if elem.Kind() == reflect.Array && !encodesItself(elem) {
			if field.count = elem.Len(); field.count == 0 {
				return nil
			}
			elem = elem.Elem()
		}
		kind, ok := numberKinds[elem.Kind()]
		switch {
		case ok && kind != Complex64s && kind != Complex128s && !encodesItself(elem) && int(elem.Size()) == numbers[kind].size:
			field.kind = kind
		default:
			if field.kind, field.inner = Structs, learnLayout(elem, fields); field.inner == nil {
				return nil
			}
		}
		*fields++
		l.fields = append(l.fields, field)
	}
	return l
}

// appendTo appends the layout to a frame.
func (l *layout) appendTo(b []byte) []byte {
	b = AppendUint(AppendUint(b, uint64(l.size)), uint64(len(l.fields)))
	for _, f := range l.fields {
		b = AppendUint(append(AppendUint(AppendString(b, f.name), uint64(f.offset)), byte(f.kind)), uint64(f.count))
		if f.inner != nil {
			b = f.inner.appendTo(b)
		}
	}
	return b
}

// readLayout reads what appendTo wrote. Fields lie within their struct, one behind the other.
func (r *Reader) readLayout(fields *int) *layout {
	l := &layout{size: int(r.Uint())}
	n := r.Count()
	if *fields += n; l.size <= 0 || l.size > maxLayoutSize || *fields > maxLayoutFields {
		r.Fail("impossible layout of structs")
		return l
	}
	for end := 0; n > 0; n-- {
		f := layoutField{name: r.String(), offset: int(r.Uint()), kind: Format(r.Byte()), count: int(r.Uint())}
		if f.kind == Structs {
			f.inner = r.readLayout(fields)
		}
		size := f.elementSize()
		if size == 0 || len(f.name) > maxFieldName || f.offset < end || f.offset > l.size || f.count < 0 || f.count > l.size {
			r.Fail("impossible field of a struct")
		}
		if end = f.offset + size*max(1, f.count); end > l.size {
			r.Fail("impossible field of a struct")
		}
		if r.Err() != nil {
			return l
		}
		l.fields = append(l.fields, f)
	}
	return l
}

// elementSize is how many bytes one number or struct of the field takes; 0 if there is no such kind.
func (f layoutField) elementSize() int {
	if f.inner != nil {
		return f.inner.size
	}
	return numbers[f.kind].size
}

// String returns for example struct{x float64; at [3]int32}.
func (l *layout) String() string {
	parts := make([]string, len(l.fields))
	for i, f := range l.fields {
		parts[i] = f.name + " "
		if f.count > 0 {
			parts[i] += fmt.Sprintf("[%d]", f.count)
		}
		if f.inner != nil {
			parts[i] += f.inner.String()
		} else {
			parts[i] += strings.TrimPrefix(numbers[f.kind].name, "[]")
		}
	}
	return "struct{" + strings.Join(parts, "; ") + "}"
}

// value returns one struct as what MessagePack makes of it for whoever knows no such struct: a map by field names.
func (l *layout) value(data []byte) map[string]any {
	fields := make(map[string]any, len(l.fields))
	for _, f := range l.fields {
		fields[f.name] = f.value(data[f.offset:])
	}
	return fields
}

func (f layoutField) value(data []byte) any {
	one := func(data []byte) any {
		if f.inner != nil {
			return f.inner.value(data)
		}
		return widened(numbers[f.kind].read(data))
	}
	switch {
	case f.count == 0:
		return one(data)
	case f.kind == Bytes:
		return data[:f.count:f.count]
	}
	array := make([]any, f.count)
	for i := range array {
		array[i] = one(data[i*f.elementSize():])
	}
	return array
}

// readStructs reads the layout of a slice of structs, and returns its format.
func (r *Reader) readStructs() Format {
	fields := 0
	l := r.readLayout(&fields)
	if r.Err() != nil {
		return 0
	}
	f, err := formatOf(l)
	if err != nil {
		r.Fail(err.Error())
	}
	return f
}
