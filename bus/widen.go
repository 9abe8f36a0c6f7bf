package bus

import (
	"math"
	"reflect"
)

// widen gives the numbers inside every `any` in v the widest type of their kind: int64, or uint64 above its range, and
// float64. Package msgpack leaves them in the width that they had on the wire, which depends on the number.
func widen(v reflect.Value) {
	if plain(v.Kind()) || encodesItself(v.Type()) {
		return
	}
	switch v.Kind() {
	case reflect.Interface:
		if !v.IsNil() && v.NumMethod() == 0 && v.CanSet() {
			v.Set(reflect.ValueOf(widened(v.Interface())))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			widen(v.Elem())
		}
	case reflect.Slice, reflect.Array:
		for i := 0; i < v.Len() && !plain(v.Type().Elem().Kind()); i++ {
			widen(v.Index(i))
		}
	case reflect.Map:
		if !v.IsNil() && !(plain(v.Type().Key().Kind()) && plain(v.Type().Elem().Kind())) {
			widenMap(v)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if travels(v.Type().Field(i)) {
				widen(v.Field(i))
			}
		}
	}
}

// widenMap fills the map again: its keys and values cannot be changed in place.
func widenMap(m reflect.Value) {
	type pair struct{ key, value reflect.Value }
	pairs := make([]pair, 0, m.Len())
	for it := m.MapRange(); it.Next(); {
		p := pair{reflect.New(m.Type().Key()).Elem(), reflect.New(m.Type().Elem()).Elem()}
		p.key.Set(it.Key())
		p.value.Set(it.Value())
		widen(p.key)
		widen(p.value)
		pairs = append(pairs, p)
	}
	m.Clear()
	for _, p := range pairs {
		m.SetMapIndex(p.key, p.value)
	}
}

// widened returns what an `any` is to hold instead of v.
func widened(v any) any {
	switch v := v.(type) {
	case int8:
		return int64(v)
	case int16:
		return int64(v)
	case int32:
		return int64(v)
	case uint8:
		return int64(v)
	case uint16:
		return int64(v)
	case uint32:
		return int64(v)
	case uint64:
		if v <= math.MaxInt64 {
			return int64(v)
		}
	case float32:
		return float64(v)
	case []any:
		for i := range v {
			v[i] = widened(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = widened(v[key])
		}
	}
	return v
}
