package bus

import (
	"bytes"
	"fmt"
)

// RefID is the name of an object, as package objstore gives it.
type RefID = [16]byte

// MaxRefs bounds how many refs a value may hold: their names travel beside it, and with that of its blob, in one message of at most
// 1 MiB by default.
const MaxRefs = 32_768

// withRefs is the bit of a format byte which says that the names of refs stand before the value's bytes. No format has it.
const withRefs = 0x80

// Refs are the refs inside a value: whoever has the value keeps what they name alive. A value that holds none has no Refs.
type Refs struct {
	IDs []RefID // as they were found; some may be there twice

	// Loan is what the Lender, a node, calls its promise to keep the objects until it hears that they are kept elsewhere; 0 if it
	// gave none.
	Lender [8]byte
	Loan   uint64

	Held []any // what keeps the objects alive on this node, for package objstore; it does not travel. Nil until somebody does
}

// Nester is the Writer of a MessagePack encoder whose output becomes a [Value]. What is encoded as the name of an object tells it.
type Nester interface {
	// Nest notes an object's name, and what keeps the object alive.
	Nest(id RefID, handle any)
}

// sink is where package msgpack writes a value.
type sink struct {
	bytes.Buffer
	refs *Refs
}

// Nest implements Nester.
func (s *sink) Nest(id RefID, handle any) {
	if s.refs == nil {
		s.refs = &Refs{}
	}
	if n := len(s.refs.IDs); n > 0 && s.refs.IDs[n-1] == id {
		return
	}
	s.refs.IDs = append(s.refs.IDs, id)
	s.refs.Held = append(s.refs.Held, handle)
}

// check returns an error if there are more than can travel.
func (r *Refs) check() error {
	if r != nil && len(r.IDs) > MaxRefs {
		return fmt.Errorf("it holds %d refs, at most %d can travel in one value: put them into several", len(r.IDs), MaxRefs)
	}
	return nil
}

// AppendFormat appends a value's format to a frame, and the names of the refs in it, if there are some.
func AppendFormat(b []byte, f Format, refs *Refs) []byte {
	if refs == nil {
		b = append(b, byte(f.kind()))
		if f.kind() == Structs {
			b = f.layout().appendTo(b) // there are no refs in numbers
		}
		return b
	}
	b = AppendUint(append(b, byte(f)|withRefs), uint64(len(refs.IDs)))
	for i := range refs.IDs {
		b = append(b, refs.IDs[i][:]...)
	}
	if b = AppendUint(b, refs.Loan); refs.Loan != 0 {
		b = append(b, refs.Lender[:]...)
	}
	return b
}

// ReadFormat reads what AppendFormat wrote.
func (r *Reader) ReadFormat() (Format, *Refs) {
	f := r.Byte()
	switch {
	case Format(f) == Structs:
		return r.readStructs(), nil
	case f&withRefs == 0:
		return Format(f), nil
	}
	n := r.Count()
	raw := r.Raw(n * len(RefID{}))
	if n == 0 || n > MaxRefs || len(raw) == 0 {
		r.Fail("impossible number of refs")
		return 0, nil
	}
	refs := &Refs{IDs: make([]RefID, n)}
	for i := range refs.IDs {
		refs.IDs[i] = RefID(raw[i*len(RefID{}):])
	}
	if refs.Loan = r.Uint(); refs.Loan != 0 {
		copy(refs.Lender[:], r.Raw(len(refs.Lender)))
	}
	return Format(f &^ withRefs), refs
}

// Extensions calls found for every MessagePack extension of one type in data, up to the first malformed item.
func Extensions(data []byte, kind byte, found func(data []byte)) {
	for len(data) > 0 {
		size, _, err := scanItem(data)
		if err != nil || size > len(data) {
			return
		}
		form := msgpackForms[data[0]]
		if body := data[1+form.length : size]; form.kind == "extension" && len(body) > 0 && body[0] == kind {
			found(body[1:])
		}
		data = data[size:]
	}
}
