package call

import (
	"context"
	"sync/atomic"

	"manta/bus"
	"manta/objstore"
)

// What becomes of arguments that are to outlive their owner: they are awaited and then taken as values, large ones too.

// Small returns the arguments as they travel, and false if one is large or an object.
func (a *Args) Small() (WireArgs, bool) {
	var wire WireArgs
	for _, arg := range a.list[:a.n] {
		if arg.wire == "" {
			return nil, false
		}
		wire = append(wire, arg.wire...)
	}
	return wire, true
}

// WhenSettled calls f once every argument that is an object has an outcome. f must not block.
func (a *Args) WhenSettled(store *objstore.Store, f func()) {
	var missing atomic.Int32
	missing.Store(int32(a.n) + 1)
	arrived := func() {
		if missing.Add(-1) == 0 {
			f()
		}
	}
	for _, arg := range a.list[:a.n] {
		if arg.object == nil {
			arrived()
			continue
		}
		store.When(arg.object, func(objstore.Outcome) { arrived() })
	}
	arrived()
}

// Values waits for the arguments and returns them, or the error of the first that has none.
func (a *Args) Values(ctx context.Context, store *objstore.Store) (values []bus.Value, err error) {
	for _, arg := range a.list[:a.n] {
		value := arg.large
		switch {
		case arg.wire != "":
			r := bus.ReadFields([]byte(arg.wire))
			var a WireArg
			readArg(&r, &a)
			value = a.Value
		case arg.object != nil:
			if value, err = store.Value(ctx, arg.object); err != nil {
				return nil, err
			}
		}
		values = append(values, value)
	}
	return values, nil
}
