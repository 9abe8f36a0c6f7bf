package objstore

import (
	"context"
	"encoding/json"

	"manta/bus"
)

// Untyped is the value of an object whose Go type its reader does not have: a command line's, say, or a web page's.
type Untyped struct{ value bus.Value }

// Read waits for the value of an object by its name, which may be a task's result, and returns what came to be. It fails as Get does.
func Read(ctx context.Context, id ID) (Untyped, error) {
	value, err := read(ctx, intern(id))
	return Untyped{value}, err
}

// JSON returns the value as a plain NATS client gets it.
func (u Untyped) JSON() (json.RawMessage, error) {
	value, err := bus.Recode(u.value, bus.JSON)
	return value.Data, err
}

// Bytes returns the bytes of a value that is a []byte or a string, and false for any other. They are not to be changed.
func (u Untyped) Bytes() ([]byte, bool) {
	if u.value.Format != bus.Bytes && u.value.Format != bus.Text {
		return nil, false
	}
	return u.value.Data, true
}

// Type says how the value is encoded: as a Go type of bytes, text or numbers, "MessagePack" or "JSON".
func (u Untyped) Type() string { return u.value.Format.String() }

// Size is how many bytes it takes so.
func (u Untyped) Size() int { return len(u.value.Data) }
