package call

import (
	"context"
	"time"

	"manta/bus"
)

// Entry is a call inside a frame. A node may hold many.
type Entry struct {
	Number   uint64   // the owner's number of the result object
	Args     WireArgs // of an entry that was read: a view into the frame
	Deadline int64    // in nanoseconds of Unix time; 0 means none
	Attempt  uint16   // 1 the first time
	Plain    bool     // the result is wanted as JSON, for a plain client
	Told     bool     // what happens to it is an event: its owner has decided
}

// entryOverhead is about how many bytes an entry takes beside its arguments.
const entryOverhead = 8

// The flags of an entry.
const (
	flagPlain = 1 << iota
	flagDeadline
	flagAgain // the attempt follows; else it is the first
	flagTold
)

// Until returns the deadline, and false if there is none.
func (e *Entry) Until() (time.Time, bool) {
	if e.Deadline == 0 {
		return time.Time{}, false
	}
	return time.Unix(0, e.Deadline), true
}

// Trace is the one that the call belongs to.
func (e *Entry) Trace() Trace {
	t, _ := e.Args.trace()
	return t
}

// Context returns a ctx for the call beneath parent, with the call's deadline, and what ends it.
func (e *Entry) Context(parent context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, stop := context.WithCancelCause(e.Trace().Context(parent))
	deadline, ok := e.Until()
	if !ok {
		return ctx, stop
	}
	timed, release := context.WithDeadline(ctx, deadline)
	return timed, func(cause error) {
		stop(cause)
		release()
	}
}

// AppendTo appends the entry to a frame.
func (e *Entry) AppendTo(b []byte) []byte { return bus.AppendBytes(e.appendHead(b), e.Args) }

// AppendTo appends the call to a frame, for its current attempt, as an entry; its arguments must be ready.
func (c *Call) AppendTo(b []byte) []byte {
	head := c.head()
	return bus.AppendString(head.appendHead(b), c.wire)
}

// Entry returns the call as an entry, for its current attempt; its arguments must be ready.
func (c *Call) Entry() Entry {
	e := c.head()
	e.Args = WireArgs(c.wire)
	return e
}

// head returns the call as an entry without its arguments.
func (c *Call) head() Entry {
	e := Entry{Number: c.Number(), Attempt: c.Attempt, Plain: c.Plain, Told: c.Told}
	if c.watch != nil && !c.watch.deadline.IsZero() {
		e.Deadline = c.watch.deadline.UnixNano()
	}
	return e
}

func (e *Entry) appendHead(b []byte) []byte {
	b = bus.AppendUint(b, e.Number)
	flags := byte(0)
	if e.Plain {
		flags |= flagPlain
	}
	if e.Deadline != 0 {
		flags |= flagDeadline
	}
	if e.Attempt != 1 {
		flags |= flagAgain
	}
	if e.Told {
		flags |= flagTold
	}
	b = append(b, flags)
	if flags&flagDeadline != 0 {
		b = bus.AppendInt(b, e.Deadline)
	}
	if flags&flagAgain != 0 {
		b = bus.AppendUint(b, uint64(e.Attempt))
	}
	return b
}

// ReadEntry reads what AppendTo wrote. Its arguments are a view; they are well-formed if the reader has no error.
func ReadEntry(r *bus.Reader) (e Entry) {
	e.Number, e.Attempt = r.Uint(), 1
	flags := r.Byte()
	e.Plain, e.Told = flags&flagPlain != 0, flags&flagTold != 0
	if flags&flagDeadline != 0 {
		e.Deadline = r.Int()
	}
	if flags&flagAgain != 0 {
		e.Attempt = uint16(min(r.Uint(), maxAttempt))
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
	_, rest := w.trace()
	r := bus.ReadFields(rest)
	for r.Left() > 0 && r.Err() == nil {
		readArg(&r, &WireArg{})
	}
	return r.Err()
}
