package call

import (
	"manta/bus"
	"manta/internal/member"
	"manta/objstore"
)

// The kinds of frames between the caller of an actor and its host.
const (
	requestFrame = 'q'
	replyFrame   = 'r'
)

// Status is what a host says of a call.
type Status byte

// The statuses.
const (
	Accepted Status = 'a' // it will run here; the outcome follows
	Busy     Status = 'b' // it did not run and will not run here
	Done     Status = 'd' // the outcome is here
	Refused  Status = 'n' // it can never run here: the outcome is why
	Moved    Status = 'm' // it did not run: the epoch of the actor that it is for has ended, or has not begun, here
)

// Request asks a host to run one call.
type Request struct {
	Owner member.ID // node that submitted the call
	Need  member.Amounts
	Entry
}

// AppendTo appends the request as a frame.
func (q *Request) AppendTo(b []byte) []byte {
	b = append(bus.AppendFrame(b, requestFrame), q.Owner[:]...)
	b = AppendNeed(b, q.Need)
	return q.Entry.AppendTo(b)
}

// ReadRequest reads what AppendTo wrote; values are views into the frame.
func ReadRequest(frame []byte) (q Request, err error) {
	r, kind := bus.ReadFrame(frame)
	if r.Err() == nil && kind != requestFrame {
		r.Fail("no request")
	}
	copy(q.Owner[:], r.Raw(len(q.Owner)))
	q.Need = ReadNeed(&r)
	q.Entry = ReadEntry(&r)
	return q, r.Err()
}

// AppendNeed appends what a call takes of resources.
func AppendNeed(b []byte, need member.Amounts) []byte {
	b = bus.AppendUint(b, uint64(len(need)))
	for name, amount := range need {
		b = bus.AppendUint(bus.AppendString(b, name), uint64(amount))
	}
	return b
}

// maxNeed bounds the resources of a need on the wire.
const maxNeed = 1 << 12

// ReadNeed reads what AppendNeed wrote.
func ReadNeed(r *bus.Reader) member.Amounts {
	n := r.Count()
	if n == 0 {
		return nil
	}
	if n > maxNeed {
		r.Fail("a need of too many resources")
		return nil
	}
	need := make(member.Amounts)
	for range n {
		name := r.String()
		amount := int64(r.Uint())
		if _, twice := need[name]; amount <= 0 || twice {
			r.Fail("a need that is not positive, or stands there twice")
			break
		}
		need[name] = amount
	}
	return need
}

// Reply is a host's word on one call.
type Reply struct {
	Host    member.ID
	Number  uint64
	Attempt int
	Status  Status
	Outcome objstore.Outcome // if Done or Refused
}

// AppendTo appends the reply as a frame.
func (p *Reply) AppendTo(b []byte) []byte {
	b = append(bus.AppendFrame(b, replyFrame), p.Host[:]...)
	b = bus.AppendUint(b, p.Number)
	b = bus.AppendUint(b, uint64(p.Attempt))
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
	p.Attempt = int(min(r.Uint(), maxAttempt))
	p.Status = Status(r.Byte())
	switch p.Status {
	case Accepted, Busy, Moved:
	case Done, Refused:
		p.Outcome = objstore.ReadOutcome(&r)
	default:
		r.Fail("unknown status")
	}
	return p, r.Err()
}
