package bus

import (
	"encoding/binary"
	"fmt"
)

// FrameMark is the first byte of a frame: MessagePack never uses it and JSON never starts with it.
const FrameMark = 0xC1

// FrameVersion is the version of frames, and of the records that nodes keep for each other, that this code writes and reads. Fields that are
// added to a record in JSON leave it as it is: who does not know them passes them over.
const FrameVersion = 1

// IsFrame says whether a message is a frame, of whatever version; else it is a plain client's.
func IsFrame(b []byte) bool { return len(b) > 0 && b[0] == FrameMark }

// AppendFrame starts a frame of a kind; the caller appends the fields.
func AppendFrame(b []byte, kind byte) []byte { return append(b, FrameMark, FrameVersion, kind) }

// AppendUint appends an unsigned number in 1 to 10 bytes.
func AppendUint(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }

// AppendInt appends a signed number in 1 to 10 bytes.
func AppendInt(b []byte, v int64) []byte { return binary.AppendVarint(b, v) }

// AppendBytes appends a length and the bytes.
func AppendBytes(b, v []byte) []byte { return append(AppendUint(b, uint64(len(v))), v...) }

// AppendString appends a length and the string's bytes.
func AppendString(b []byte, v string) []byte { return append(AppendUint(b, uint64(len(v))), v...) }

// Reader takes a frame apart, field by field. After the first malformed field every method returns zero values and Err
// tells what is wrong, so a decoder reads all its fields and asks once.
type Reader struct {
	rest []byte
	err  error
}

// ReadFrame starts reading a frame and returns its kind.
func ReadFrame(b []byte) (Reader, byte) {
	switch {
	case len(b) < 2 || b[0] != FrameMark:
		return Reader{err: fmt.Errorf("%w: not a frame", ErrMalformed)}, 0
	case b[1] != FrameVersion:
		return Reader{err: fmt.Errorf("%w: %w: it is of version %d, this process reads version %d", ErrMalformed, ErrVersion, b[1], FrameVersion)}, 0
	case len(b) < 3:
		return Reader{err: fmt.Errorf("%w: cut short", ErrMalformed)}, 0
	}
	return Reader{rest: b[3:]}, b[2]
}

// ReadFields starts reading fields that have no frame around them.
func ReadFields(b []byte) Reader { return Reader{rest: b} }

// Left returns how many bytes are left.
func (r *Reader) Left() int { return len(r.rest) }

// Err returns what was malformed, nil if nothing was.
func (r *Reader) Err() error { return r.err }

// Fail marks the frame as malformed, unless it is already.
func (r *Reader) Fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrMalformed, what)
	}
	r.rest = nil
}

// Uint reads what AppendUint wrote.
func (r *Reader) Uint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.Fail("number cut short")
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// Int reads what AppendInt wrote.
func (r *Reader) Int() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.Fail("number cut short")
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// Count reads a number of items that take at least one byte each: more than the frame has bytes left is malformed.
func (r *Reader) Count() int {
	v := r.Uint()
	if v > uint64(len(r.rest)) {
		r.Fail("count exceeds the frame")
		return 0
	}
	return int(v)
}

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if len(r.rest) == 0 {
		r.Fail("byte missing")
		return 0
	}
	v := r.rest[0]
	r.rest = r.rest[1:]
	return v
}

// Raw reads n bytes without a length before them, as a view into the frame.
func (r *Reader) Raw(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.Fail("bytes cut short")
		return nil
	}
	v := r.rest[:n:n]
	r.rest = r.rest[n:]
	return v
}

// Bytes reads what AppendBytes wrote, as a view into the frame.
func (r *Reader) Bytes() []byte { return r.Raw(r.Count()) }

// String reads what AppendString wrote.
func (r *Reader) String() string { return string(r.Bytes()) }
