package call

import (
	"time"

	"manta/bus"
)

// Entry is a call inside a frame.
type Entry struct {
	Number   uint64 // the owner's number of the result object
	Attempt  int    // 1 the first time
	Deadline time.Time
	Plain    bool     // the result is wanted as JSON, for a plain client
	Args     WireArgs // of an entry that was read: a view into the frame
	wire     string   // of one that is to be written
}

// entryOverhead is about how many bytes an entry takes beside its arguments.
const entryOverhead = 8

// The flags of an entry.
const (
	flagPlain = 1 << iota
	flagDeadline
	flagAgain // the attempt follows; else it is the first
)

// AppendTo appends the entry to a frame.
func (e *Entry) AppendTo(b []byte) []byte {
	b = bus.AppendUint(b, e.Number)
	flags := byte(0)
	if e.Plain {
		flags |= flagPlain
	}
	if !e.Deadline.IsZero() {
		flags |= flagDeadline
	}
	if e.Attempt != 1 {
		flags |= flagAgain
	}
	b = append(b, flags)
	if flags&flagDeadline != 0 {
		b = bus.AppendInt(b, e.Deadline.UnixNano())
	}
	if flags&flagAgain != 0 {
		b = bus.AppendUint(b, uint64(e.Attempt))
	}
	if e.Args != nil {
		return bus.AppendBytes(b, e.Args)
	}
	return bus.AppendString(b, e.wire)
}

// ReadEntry reads what AppendTo wrote. Its arguments are a view; they are well-formed if the reader has no error.
func ReadEntry(r *bus.Reader) (e Entry) {
	e.Number, e.Attempt = r.Uint(), 1
	flags := r.Byte()
	e.Plain = flags&flagPlain != 0
	if flags&flagDeadline != 0 {
		e.Deadline = time.Unix(0, r.Int())
	}
	if flags&flagAgain != 0 {
		e.Attempt = int(min(r.Uint(), maxAttempt))
	}
	e.Args = r.Bytes()
	if err := e.Args.check(); err != nil {
		r.Fail(err.Error())
	}
	return e
}

// maxAttempt bounds what an owner can say.
const maxAttempt = 1<<16 - 1

// check reads the arguments and forgets them.
func (w WireArgs) check() error {
	r := bus.ReadFields(w)
	for r.Left() > 0 && r.Err() == nil {
		readArg(&r)
	}
	return r.Err()
}
