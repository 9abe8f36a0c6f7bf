package call

import (
	"time"

	"manta/bus"
	"manta/objstore"
)

const (
	argValue  = 'v'
	argObject = 'r'
	argBlob   = 'b'
	argKeep   = 'd' // no argument: what stands before those of a durable task
	argTrace  = 't' // no argument: stands before those of a call that belongs to a trace
)

// maxArgs is how many arguments a call can have.
const maxArgs = 2

// Arg is an argument: a value, or an object that will have one.
type Arg struct {
	wire   string    // a small value as it travels
	large  bus.Value // one above objstore.InlineLimit, which travels as the object that is made of it; of a small one only the refs in it
	object *objstore.Object
	err    error
}

// Args are a call's arguments, by value: submitting a call allocates nothing for them.
type Args struct {
	list  [maxArgs]Arg
	n     int
	trace Trace
	span  *span // of the call, nil if none is wanted
}

// ArgsOf collects arguments, at most two.
func ArgsOf(args ...Arg) (a Args) {
	a.n = copy(a.list[:], args)
	return a
}

// Traced returns the arguments of a call that belongs to a trace.
func (a Args) Traced(t Trace) Args {
	a.trace = t
	return a
}

// Trace is that of the call.
func (a Args) Trace() Trace { return a.trace }

// Value returns an argument that is v as it is at this moment.
func Value[T any](v T) Arg {
	var room [64]byte
	if b, format, ok := bus.AppendScalar(room[:3], v); ok && len(b)-3 < 128 {
		b[0], b[1], b[2] = argValue, byte(format), byte(len(b)-3)
		return Arg{wire: string(b)}
	}
	value, err := bus.Encode(v)
	if err != nil {
		return Arg{err: err}
	}
	if len(value.Data) > objstore.InlineLimit && value.Format != bus.Msgpack {
		value = value.Clone() // a view of v, which its giver may change
	}
	return Encoded(value)
}

// Encoded returns an argument that is encoded already, and is not changed any more.
func Encoded(v bus.Value) Arg {
	if len(v.Data) > objstore.InlineLimit {
		return Arg{large: v}
	}
	return Arg{wire: string(v.AppendTo([]byte{argValue})), large: bus.Value{Refs: v.Refs}}
}

// Ref returns an argument that is the value of an object.
func Ref[T any](r objstore.Ref[T]) Arg { return Arg{object: r.Object()} }

// WireArg is an argument on its way: a value, or the name of an object to fetch.
type WireArg struct {
	Value  bus.Value // if it has a Format
	Object objstore.ID
	Blob   *objstore.StoredBlob // of a durable task: in the bucket, and nobody's
}

// Keep is what stands before the arguments of a durable task: the name of its result, and how long that is kept.
type Keep struct {
	ID  objstore.ID
	For time.Duration
}

// WireArgs are a call's arguments as they travel: each with its kind before it. The zero WireArgs are none.
type WireArgs []byte

// AppendArg appends an argument.
func (w WireArgs) AppendArg(a WireArg) WireArgs {
	if a.Value.Format != 0 {
		return a.Value.AppendTo(append(w, argValue))
	}
	if b := a.Blob; b != nil {
		return b.Blob.AppendTo(append(w, argBlob, byte(b.Format)))
	}
	return append(append(w, argObject), a.Object[:]...)
}

// AppendKeep begins the arguments of a durable task.
func (w WireArgs) AppendKeep(k Keep) WireArgs {
	return bus.AppendUint(append(append(w, argKeep), k.ID[:]...), uint64(k.For))
}

// Keep returns what stands before the arguments of a durable task, and false if they are of another; then the arguments.
func (w WireArgs) Keep() (k Keep, durable bool, args WireArgs) {
	if len(w) == 0 || w[0] != argKeep {
		return k, false, w
	}
	r := bus.ReadFields(w[1:])
	copy(k.ID[:], r.Raw(len(k.ID)))
	if k.For = time.Duration(r.Uint()); r.Err() != nil {
		return Keep{}, false, w // which is no argument either
	}
	return k, true, w[len(w)-r.Left():]
}

// AppendTrace says which trace the call belongs to. Arguments follow; Keep comes before.
func (w WireArgs) AppendTrace(t Trace) WireArgs {
	if t == "" {
		return w
	}
	return bus.AppendString(append(w, argTrace), string(t))
}

// trace returns what AppendTrace wrote, and the arguments.
func (w WireArgs) trace() (t Trace, args WireArgs) {
	_, _, w = w.Keep()
	if len(w) == 0 || w[0] != argTrace {
		return "", w
	}
	r := bus.ReadFields(w[1:])
	text := r.Bytes()
	if r.Err() != nil || len(text) > mostTrace {
		return "", w // which is no argument either
	}
	return Trace(text), w[len(w)-r.Left():]
}

// Wired returns an argument that stands for all arguments of a call, as they travel.
func Wired(w WireArgs) Arg { return Arg{wire: string(w)} }

// List returns the arguments, which are views, or an error if they are malformed.
func (w WireArgs) List() (args []WireArg, err error) {
	_, rest := w.trace()
	r := bus.ReadFields(rest)
	for r.Left() > 0 {
		var a WireArg
		if readArg(&r, &a); r.Err() == nil {
			args = append(args, a)
		}
	}
	return args, r.Err()
}

// readArg reads what AppendArg wrote into a zero WireArg.
func readArg(r *bus.Reader, a *WireArg) {
	switch r.Byte() {
	case argValue:
		if r.ReadValueTo(&a.Value); a.Value.Format == 0 {
			r.Fail("argument without a format")
		}
	case argObject:
		copy(a.Object[:], r.Raw(len(a.Object)))
	case argBlob:
		format := bus.Format(r.Byte())
		a.Blob = &objstore.StoredBlob{Blob: r.ReadBlob(), Format: format}
	default:
		r.Fail("unknown kind of argument")
	}
}
