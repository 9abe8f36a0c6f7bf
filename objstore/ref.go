package objstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime"

	"github.com/vmihailenco/msgpack/v5"

	"manta/bus"
)

// Ref names a value of type T that exists or will exist. The zero Ref names nothing. Two Refs are equal when they name the
// same object.
type Ref[T any] struct{ object *Object }

// RefTo gives an object its type. It is for the packages that make objects; there is no other way to get one.
func RefTo[T any](o *Object) Ref[T] { return Ref[T]{o} }

// Object returns the object without its type.
func (r Ref[T]) Object() *Object { return r.object }

// Put stores a value and returns its name at once; with [Durable] when it is stored. Byte slices, strings and slices of numbers, or of structs
// of numbers, are handed over and not copied: do not change them afterwards. Everything else is encoded before Put returns. What goes wrong
// (no node in ctx, a value that cannot be encoded, a failed upload) is the error of every Get.
func Put[T any](ctx context.Context, v T, opts ...Option) Ref[T] {
	s, scope, err := storeAndScope(ctx)
	if err != nil {
		return Ref[T]{FailedObject(err)}
	}
	how := collectOptions(opts)
	if how.durable && scope.Node.Confined {
		how.err = bus.ErrConfined
	}
	if how.err != nil {
		return Ref[T]{FailedObject(how.err)}
	}
	value, err := bus.Encode(v)
	if err != nil {
		return Ref[T]{FailedObject(err)}
	}
	if how.durable {
		return Ref[T]{s.keepDurable(ctx, scope, value, how.ttl)}
	}
	o := s.Keep(value)
	if how.ttl > 0 {
		s.freeAfter(o, how.ttl)
	}
	return Ref[T]{o}
}

// Get waits for the value and returns it, or the error that took its place. If ctx ends first it returns ctx's cause, and
// the ref can be asked again.
func (r Ref[T]) Get(ctx context.Context) (v T, err error) {
	value, err := read(ctx, r.object)
	if err != nil {
		return v, err
	}
	v, err = bus.Decode[T](value)
	runtime.KeepAlive(r.object) // and with it what the value names, until it has handles of its own
	return v, err
}

// Stored waits until the value is in the bucket. Values up to InlineLimit never go there: for them it waits until the
// value exists.
func (r Ref[T]) Stored(ctx context.Context) error { return stored(ctx, r.object) }

// ID returns the object's name; the zero ID if it has none because it failed before it got one. Nobody can say when a name that was
// read is not needed any more, so the object is kept for its node's RefTTL.
func (r Ref[T]) ID() ID {
	if r.object == nil {
		return ID{}
	}
	if o := r.object; o.failure() == nil {
		o.findable() // whoever asks for the name may ask by it
		o.give()
	}
	return r.object.id
}

// Any forgets the type, for Wait and Free over refs of several types.
func (r Ref[T]) Any() Ref[any] { return Ref[any](r) }

// String returns for example Ref[float64](0000…).
func (r Ref[T]) String() string {
	var id ID
	if r.object != nil {
		id = r.object.id
	}
	return fmt.Sprintf("Ref[%s](%s)", reflect.TypeFor[T](), id)
}

// Free deletes objects in every place: once it has returned, every read fails with ErrFreed. Freeing twice is no error. Nodes that have
// read a durable object are told, and may go on with it for a moment.
func Free[T any](ctx context.Context, refs ...Ref[T]) error {
	s, err := storeIn(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range refs {
		errs = append(errs, s.free(ctx, r.object))
	}
	return errors.Join(errs...)
}

// refExtension is the MessagePack extension type of a ref: its data are the ID's 16 bytes.
const refExtension = 77

func init() {
	// Inside an `any` a ref comes back as a Ref[any].
	msgpack.RegisterExtDecoder(refExtension, Ref[any]{}, func(d *msgpack.Decoder, v reflect.Value, n int) error {
		id, err := decodeID(d, n)
		if err == nil {
			v.Set(reflect.ValueOf(Ref[any]{intern(id)}))
		}
		return err
	})
}

// EncodeMsgpack implements msgpack.CustomEncoder: a ref travels as a ref.
func (r Ref[T]) EncodeMsgpack(enc *msgpack.Encoder) error {
	if r.object == nil {
		return enc.EncodeNil()
	}
	if err := r.object.Leave(enc.Writer()); err != nil {
		return err
	}
	if err := enc.EncodeExtHeader(refExtension, len(r.object.id)); err != nil {
		return err
	}
	_, err := enc.Writer().Write(r.object.id[:])
	return err
}

// DecodeMsgpack implements msgpack.CustomDecoder.
func (r *Ref[T]) DecodeMsgpack(dec *msgpack.Decoder) error {
	if code, err := dec.PeekCode(); err != nil || code == 0xc0 { // nil
		r.object = nil
		if err == nil {
			err = dec.DecodeNil()
		}
		return err
	}
	kind, n, err := dec.DecodeExtHeader()
	if err != nil {
		return err
	}
	if kind != refExtension {
		return fmt.Errorf("MessagePack extension %d is no ref: want %d", kind, refExtension)
	}
	id, err := decodeID(dec, n)
	if err != nil {
		return err
	}
	r.object = intern(id)
	return nil
}

func decodeID(dec *msgpack.Decoder, n int) (id ID, err error) {
	if n != len(id) {
		return id, fmt.Errorf("a ref of %d bytes: want %d", n, len(id))
	}
	return id, dec.ReadFull(id[:])
}

// jsonRef is a ref's form for plain clients.
type jsonRef struct {
	Ref string `json:"$ref"`
}

// MarshalJSON writes {"$ref": id}, and null for the zero Ref.
func (r Ref[T]) MarshalJSON() ([]byte, error) {
	if r.object == nil {
		return []byte("null"), nil
	}
	if err := r.object.Leave(nil); err != nil {
		return nil, err
	}
	return json.Marshal(jsonRef{r.object.id.String()})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *Ref[T]) UnmarshalJSON(data []byte) error {
	var form *jsonRef
	if err := json.Unmarshal(data, &form); err != nil {
		return fmt.Errorf("a ref in JSON is {\"$ref\": id}: %w", err)
	}
	if form == nil {
		r.object = nil
		return nil
	}
	id, err := ParseID(form.Ref)
	if err != nil {
		return err
	}
	r.object = intern(id)
	return nil
}
