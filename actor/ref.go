package actor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/vmihailenco/msgpack/v5"

	"manta/bus"
	"manta/internal/member"
	"manta/objstore"
)

// Ref is a handle of an actor. It is comparable, travels inside arguments and results, and works in every process that
// defines the class. The zero Ref names no actor.
type Ref[T any] struct{ handle *handle }

var (
	errZeroRef   = errors.New("zero Ref: it names no actor; make one with Class.New or Class.Lookup")
	errZeroClass = errors.New("zero Class: make it with actor.Define")
)

// NewOption changes how an actor is created.
type NewOption func(*creation) error

// Name gives the actor a name, unique in the namespace, by which Lookup finds it: letters, digits, '_' and '-'.
func Name(name string) NewOption {
	return func(c *creation) error {
		c.name = name
		return bus.CheckName("actor name", name)
	}
}

// Detached makes the actor live until it is stopped or killed. Else it is also stopped when the node that created it leaves the cluster or
// dies, and when no process has a handle of it any more.
func Detached() NewOption {
	return func(c *creation) error {
		c.life.Detached = true
		return nil
	}
}

// New creates an actor on a node with room for it and returns its handle at once. Calls wait until it lives. What goes wrong is
// the error of every call, none of which runs: ErrNotRegistered, ErrExists, ErrDead with the error of Start, bus.ErrNoNode.
func (c Class[T]) New(ctx context.Context, start T, opts ...NewOption) Ref[T] {
	return Ref[T]{c.create(ctx, start, opts, false)}
}

// GetOrNew returns the actor of that name, or creates it; of several that try at once, one creates it. If an actor of another class has the
// name, every call fails with ErrExists. Which actor it is, is known later, so each handle is one of its own: two are not equal, and calls through
// them have no order among each other.
func (c Class[T]) GetOrNew(ctx context.Context, name string, start T, opts ...NewOption) Ref[T] {
	return Ref[T]{c.create(ctx, start, append(slices.Clip(opts), Name(name)), true)}
}

func (c Class[T]) create(ctx context.Context, start T, opts []NewOption, shared bool) *handle {
	if c.class == nil {
		return &handle{class: &class{name: reflect.TypeFor[T]().String()}, err: errZeroClass}
	}
	value, err := bus.Encode(start)
	cr := &creation{start: value, shared: shared}
	for _, opt := range opts {
		err = errors.Join(err, opt(cr))
	}
	scope, noNode := member.Unconfined(ctx)
	if err = errors.Join(err, noNode); err != nil {
		return &handle{class: c.class, err: fmt.Errorf("actor of class %s: %w", c.class.name, err)}
	}
	return part.Of(scope.Node).create(c.class, cr)
}

// Lookup returns the actor of that name, or ErrNotFound; another error if it is of another class, or the name is malformed. It does not say that the
// actor's Start has ended, or will: calls wait for that.
func (c Class[T]) Lookup(ctx context.Context, name string) (Ref[T], error) {
	scope, err := member.Unconfined(ctx)
	if err != nil {
		return Ref[T]{}, err
	}
	if c.class == nil {
		return Ref[T]{}, errZeroClass
	}
	if err := bus.CheckName("actor name", name); err != nil {
		return Ref[T]{}, err
	}
	rec, err := part.Of(scope.Node).directory.lookup(ctx, name)
	if err != nil {
		return Ref[T]{}, err
	}
	if rec.Class != c.class.name {
		return Ref[T]{}, fmt.Errorf("actor %q is of class %s, not %s", name, rec.Class, c.class.name)
	}
	h := known(c.class, name, rec.Birth, rec.Detached)
	h.lives(part.Of(scope.Node).callers, rec.Node)
	if err := h.hold(ctx, scope.Node); err != nil {
		return Ref[T]{}, err
	}
	return Ref[T]{h}, nil
}

// Stop ends the actor when the calls that wait in its mailbox have run; its Close runs last. It returns when the actor has
// ended, at once for one that is dead; for one that could not be made it returns why. If ctx ends first it returns ctx's cause, and the actor
// may end all the same.
func (r Ref[T]) Stop(ctx context.Context) error { return r.control(ctx, controlStop) }

// Kill ends the actor at once: calls under way are cancelled, and fail with ErrDead as those that wait do, which do not run; Close does not run. It
// returns as Stop does.
func (r Ref[T]) Kill(ctx context.Context) error { return r.control(ctx, controlKill) }

func (r Ref[T]) control(ctx context.Context, word string) error {
	scope, err := member.Unconfined(ctx)
	if err != nil {
		return err
	}
	if r.handle == nil {
		return errZeroRef
	}
	return part.Of(scope.Node).callers.control(ctx, r.handle, word)
}

// ID returns the token of the actor's mailbox subject: its name if it has one.
func (r Ref[T]) ID() string {
	if r.handle == nil {
		return ""
	}
	return r.handle.id
}

// String returns for example actor.Ref[main.ModelServer](prod).
func (r Ref[T]) String() string {
	return fmt.Sprintf("actor.Ref[%s](%s)", reflect.TypeFor[T](), r.ID())
}

// EncodeMsgpack implements msgpack.CustomEncoder: a handle travels as a handle.
func (r Ref[T]) EncodeMsgpack(enc *msgpack.Encoder) error {
	form, err := r.form(enc.Writer())
	if err != nil {
		return err
	}
	return enc.Encode(form)
}

// DecodeMsgpack implements msgpack.CustomDecoder.
func (r *Ref[T]) DecodeMsgpack(dec *msgpack.Decoder) error {
	var form *wireRef
	if err := dec.Decode(&form); err != nil {
		return err
	}
	return r.resolve(form)
}

// MarshalJSON writes {"class": …, "$actor": id}, and null for the zero Ref.
func (r Ref[T]) MarshalJSON() ([]byte, error) {
	form, err := r.form(nil)
	if err != nil {
		return nil, err
	}
	return json.Marshal(form)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *Ref[T]) UnmarshalJSON(data []byte) error {
	var form *wireRef
	if err := json.Unmarshal(data, &form); err != nil {
		return err
	}
	return r.resolve(form)
}

// form is what is written to w; nil if that is text.
func (r Ref[T]) form(w any) (*wireRef, error) {
	h := r.handle
	switch {
	case h == nil:
		return nil, nil
	case h.err != nil:
		return nil, h.err
	}
	form := h.wire()
	if life := h.kept(); life != nil {
		return &form, life.Leave(w)
	}
	return &form, nil
}

func (r *Ref[T]) resolve(form *wireRef) error {
	r.handle = nil
	if form == nil {
		return nil
	}
	c, ok := definedAs(form.Class, reflect.TypeFor[T]())
	if !ok {
		return fmt.Errorf("actor %s is of class %s, which this program does not define for %s", form.ID, form.Class, reflect.TypeFor[T]())
	}
	if err := bus.CheckName("actor id", form.ID); err != nil {
		return err
	}
	var birth objstore.ID
	if form.Birth != "" {
		var err error
		if birth, err = objstore.ParseID(form.Birth); err != nil {
			return err
		}
	}
	r.handle = known(c, form.ID, birth, form.Detached)
	return nil
}
