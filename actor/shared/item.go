package shared

import (
	"fmt"
	"reflect"
	"runtime"

	"manta/bus"
	"manta/objstore"
)

// item is a value in a queue, which does not know its type. The refs inside it are named beside it, so that whoever has the item keeps what they
// name alive.
type item struct {
	Data []byte              `json:"data"`
	Refs []objstore.Ref[any] `json:"refs,omitempty"`
}

// pack encodes values.
func pack[T any](vs []T) ([]item, error) {
	items := make([]item, len(vs))
	for i, v := range vs {
		value, err := bus.Encode(v)
		if err != nil {
			return nil, err
		}
		items[i].Data = bus.Value{Format: value.Format, Data: value.Data}.AppendTo(nil)
		if value.Refs != nil {
			for _, id := range value.Refs.IDs {
				items[i].Refs = append(items[i].Refs, objstore.RefTo[any](objstore.Named(id)))
			}
			runtime.KeepAlive(value.Refs)
		}
	}
	return items, nil
}

// unpack decodes items.
func unpack[T any](items []item) ([]T, error) {
	defer runtime.KeepAlive(items) // what decodes as a ref finds its object alive
	vs := make([]T, len(items))
	for i, it := range items {
		r := bus.ReadFields(it.Data)
		value, err := r.ReadValue(), r.Err()
		if err == nil {
			vs[i], err = bus.Decode[T](value)
		}
		if err != nil {
			return nil, fmt.Errorf("an item is no %s, and stays in the queue: %w", reflect.TypeFor[T](), err)
		}
	}
	return vs, nil
}
