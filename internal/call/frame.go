package call

import (
	"time"

	"manta/bus"
	"manta/internal/member"
	"manta/objstore"
)

// The kinds of frames between an owner and a host.
const (
	requestFrame = 'q'
	replyFrame   = 'r'
	cancelFrame  = 'x'
)

// Status is what a host says of a call.
type Status byte

// The statuses.
const (
	Accepted Status = 'a' // it will run here; the outcome follows
	Busy     Status = 'b' // it did not run and will not run here
	Room     Status = 'w' // after Busy: there is room for it
	Done     Status = 'd' // the outcome is here
	Refused  Status = 'n' // it can never run here: the outcome is why
)

const (
	argValue  = 'v'
	argObject = 'r'
)

// The flags of a request.
const (
	flagPlain = 1 << iota
	flagBirth // a birth follows
)

// Request asks a host to run a call.
type Request struct {
	Owner    member.ID // node that submitted the call
	Number   uint64    // the owner's number of the result object
	Attempt  int       // 1 the first time
	Need     member.Amounts
	Deadline time.Time   // zero means none
	Plain    bool        // the result is wanted as JSON, for a plain client
	Birth    objstore.ID // of the actor that is meant, zero for a task
	Args     []WireArg
}

// WireArg is an argument on its way: a value, or the name of an object to fetch.
type WireArg struct {
	Value  bus.Value // if it has a Format
	Object objstore.ID
}

// AppendTo appends the request as a frame.
func (q *Request) AppendTo(b []byte) []byte {
	b = append(bus.AppendFrame(b, requestFrame), q.Owner[:]...)
	b = bus.AppendUint(b, q.Number)
	b = bus.AppendUint(b, uint64(q.Attempt))
	b = bus.AppendUint(b, uint64(len(q.Need)))
	for name, amount := range q.Need {
		b = bus.AppendUint(bus.AppendString(b, name), uint64(amount))
	}
	deadline := int64(0)
	if !q.Deadline.IsZero() {
		deadline = q.Deadline.UnixNano()
	}
	b = bus.AppendInt(b, deadline)
	flags := byte(0)
	if q.Plain {
		flags |= flagPlain
	}
	if q.Birth != (objstore.ID{}) {
		flags |= flagBirth
	}
	b = append(b, flags)
	if flags&flagBirth != 0 {
		b = append(b, q.Birth[:]...)
	}
	b = bus.AppendUint(b, uint64(len(q.Args)))
	for _, a := range q.Args {
		if a.Value.Format != 0 {
			b = a.Value.AppendTo(append(b, argValue))
		} else {
			b = append(append(b, argObject), a.Object[:]...)
		}
	}
	return b
}

// ReadRequest reads what AppendTo wrote; values are views into the frame.
func ReadRequest(frame []byte) (q Request, err error) {
	r, kind := bus.ReadFrame(frame)
	if r.Err() == nil && kind != requestFrame {
		r.Fail("no request")
	}
	copy(q.Owner[:], r.Raw(len(q.Owner)))
	q.Number = r.Uint()
	q.Attempt = int(r.Uint())
	if n := r.Count(); n > 0 {
		q.Need = make(member.Amounts)
		for range n {
			name := r.String()
			q.Need[name] = int64(r.Uint())
			if q.Need[name] <= 0 {
				r.Fail("a need that is not positive")
				break
			}
		}
	}
	if d := r.Int(); d != 0 {
		q.Deadline = time.Unix(0, d)
	}
	flags := r.Byte()
	q.Plain = flags&flagPlain != 0
	if flags&flagBirth != 0 {
		copy(q.Birth[:], r.Raw(len(q.Birth)))
	}
	for range r.Count() {
		q.Args = append(q.Args, readArg(&r))
		if r.Err() != nil {
			break
		}
	}
	return q, r.Err()
}

func readArg(r *bus.Reader) (a WireArg) {
	switch r.Byte() {
	case argValue:
		a.Value = r.ReadValue()
		if a.Value.Format == 0 {
			r.Fail("argument without a format")
		}
	case argObject:
		copy(a.Object[:], r.Raw(len(a.Object)))
	default:
		r.Fail("unknown kind of argument")
	}
	return a
}

// Reply is a host's word on a call.
type Reply struct {
	Host    member.ID
	Number  uint64
	Attempt int
	Window  int // how many calls of this lane the owner may have outstanding at this host
	Status  Status
	Outcome objstore.Outcome // if Done or Refused
}

// AppendTo appends the reply as a frame.
func (p *Reply) AppendTo(b []byte) []byte {
	b = append(bus.AppendFrame(b, replyFrame), p.Host[:]...)
	b = bus.AppendUint(b, p.Number)
	b = bus.AppendUint(b, uint64(p.Attempt))
	b = bus.AppendUint(b, uint64(p.Window))
	b = append(b, byte(p.Status))
	if p.Status == Done || p.Status == Refused {
		b = p.Outcome.AppendTo(b)
	}
	return b
}

// ReadReply reads what AppendTo wrote; values are views into the frame.
func ReadReply(frame []byte) (p Reply, err error) {
	r, kind := bus.ReadFrame(frame)
	if r.Err() == nil && kind != replyFrame {
		r.Fail("no reply")
	}
	copy(p.Host[:], r.Raw(len(p.Host)))
	p.Number = r.Uint()
	p.Attempt = int(r.Uint())
	p.Window = int(min(r.Uint(), maxWindow))
	p.Status = Status(r.Byte())
	switch p.Status {
	case Accepted, Busy, Room:
	case Done, Refused:
		p.Outcome = objstore.ReadOutcome(&r)
	default:
		r.Fail("unknown status")
	}
	return p, r.Err()
}

// maxWindow bounds what a host can announce.
const maxWindow = 1 << 20

// Cancel tells a host that the outcome of a call is no longer wanted.
type Cancel struct {
	Owner  member.ID
	Number uint64
}

// AppendTo appends the cancellation as a frame.
func (c Cancel) AppendTo(b []byte) []byte {
	return bus.AppendUint(append(bus.AppendFrame(b, cancelFrame), c.Owner[:]...), c.Number)
}

// ReadCancel reads what AppendTo wrote; false means that the frame is something else.
func ReadCancel(frame []byte) (c Cancel, ok bool) {
	r, kind := bus.ReadFrame(frame)
	if kind != cancelFrame {
		return c, false
	}
	copy(c.Owner[:], r.Raw(len(c.Owner)))
	c.Number = r.Uint()
	return c, r.Err() == nil
}
