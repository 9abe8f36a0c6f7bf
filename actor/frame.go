package actor

import (
	"encoding/binary"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// The kinds of frames between callers and cells.
const (
	mailFrame    = 'm'
	answersFrame = 'a'
	pingFrame    = 'p'
	pongFrame    = 'o'
	cancelFrame  = 'x'
	inquiryFrame = 'i' // to a host, about a request for an actor
)

// sender is a caller, as a cell knows it.
type sender struct {
	owner  member.ID // its node
	number uint64
}

func (s sender) append(b []byte) []byte { return bus.AppendUint(append(b, s.owner[:]...), s.number) }

func readSender(r *bus.Reader) (s sender) {
	copy(s.owner[:], r.Raw(len(s.owner)))
	s.number = r.Uint()
	return s
}

// mailHeader stands before the calls of a message.
type mailHeader struct {
	sender sender
	birth  objstore.ID // of the actor that is meant
	epoch  uint64      // of that actor's, 0 if it lives once

	generation uint64 // of the sender's connection: frames of an older one are late, and dropped

	lane    int
	stream  uint64
	origin  uint64 // the last place before the stream
	settled uint64 // all up to this place have outcomes
	first   uint64 // place of the first call
}

func (h mailHeader) append(b []byte) []byte {
	b = h.sender.append(bus.AppendFrame(b, mailFrame))
	b = append(b, h.birth[:]...)
	for _, v := range []uint64{h.epoch, h.generation, uint64(h.lane), h.stream, h.origin, h.settled, h.first} {
		b = bus.AppendUint(b, v)
	}
	return b
}

// readMail reads the header of a frame; behind it are the calls.
func readMail(frame []byte) (h mailHeader, r bus.Reader, err error) {
	r, kind := bus.ReadFrame(frame)
	if r.Err() == nil && kind != mailFrame {
		r.Fail("no calls")
	}
	h.sender = readSender(&r)
	copy(h.birth[:], r.Raw(len(h.birth)))
	h.epoch, h.generation = r.Uint(), r.ReadGeneration()
	h.lane = readLane(&r)
	h.stream, h.origin, h.settled, h.first = r.Uint(), r.Uint(), r.Uint(), r.Uint()
	if h.stream > maxStream {
		r.Fail("impossible stream of calls")
	}
	return h, r, r.Err()
}

// maxStream is more streams than any lane has begun: behind a higher one its caller could not go on.
const maxStream = 1 << 40

// maxLanes bounds the groups of methods that a class can have.
const maxLanes = 1 << 10

func readLane(r *bus.Reader) int {
	n := r.Uint()
	if n >= maxLanes {
		r.Fail("no such lane")
		return 0
	}
	return int(n)
}

// appendCall appends a call to a message.
func appendCall(b []byte, method string, c *call.Call) []byte {
	return c.AppendTo(bus.AppendString(b, method))
}

// readCall reads what appendCall wrote, as views.
func readCall(r *bus.Reader) (method []byte, e call.Entry) {
	method = r.Bytes()
	return method, call.ReadEntry(r)
}

// appendAnswers begins a message of answers to a lane. How many they are goes into its last byte, once that is known.
func appendAnswers(b []byte, host member.ID, epoch uint64, lane int) []byte {
	b = append(bus.AppendFrame(b, answersFrame), host[:]...)
	b = binary.LittleEndian.AppendUint64(b, epoch)
	return append(b, byte(lane), byte(lane>>8), 0)
}

// answersHead is how long the beginning is.
const answersHead = 3 + len(member.ID{}) + 8 + 3

// appendAnswer appends a call's outcome to a message.
func appendAnswer(b []byte, place, number uint64, out *objstore.Outcome) []byte {
	return out.AppendTo(bus.AppendUint(bus.AppendUint(b, place), number))
}

// answersHeader is what stands before answers.
type answersHeader struct {
	host  member.ID
	epoch uint64 // of the actor, to which the calls were sent
	lane  int
	count int
}

// readAnswers reads what appendAnswers wrote; behind it are the answers.
func readAnswers(frame []byte) (h answersHeader, r bus.Reader, err error) {
	r, kind := bus.ReadFrame(frame)
	if r.Err() == nil && kind != answersFrame {
		r.Fail("no answers")
	}
	copy(h.host[:], r.Raw(len(h.host)))
	if b := r.Raw(8); len(b) == 8 {
		h.epoch = binary.LittleEndian.Uint64(b)
	}
	h.lane = int(r.Byte()) | int(r.Byte())<<8
	h.count = int(r.Byte())
	return h, r, r.Err()
}

func readAnswer(r *bus.Reader) (place, number uint64, out objstore.Outcome) {
	return r.Uint(), r.Uint(), objstore.ReadOutcome(r)
}

// appendCancel says that the outcome of a call is not wanted any more.
func appendCancel(b []byte, from sender, lane int, place uint64) []byte {
	b = bus.AppendUint(from.append(bus.AppendFrame(b, cancelFrame)), uint64(lane))
	return bus.AppendUint(b, place)
}

func readCancel(frame []byte) (key visitorKey, place uint64, err error) {
	r, kind := bus.ReadFrame(frame)
	if r.Err() == nil && kind != cancelFrame {
		r.Fail("no cancellation")
	}
	key.sender = readSender(&r)
	key.lane = readLane(&r)
	return key, r.Uint(), r.Err()
}

// ping asks whether an actor is behind its mailbox subject, and what has come to it.
type ping struct {
	sender sender
	birth  objstore.ID
	lanes  []lanePing
}

// lanePing is what a caller wants to know of a lane.
type lanePing struct {
	lane    int
	stream  uint64
	upTo    uint64   // the last place that was given away
	settled uint64   // as in mailHeader
	asked   []uint64 // places of calls that have no outcome
}

func (p *ping) append(b []byte) []byte {
	b = p.sender.append(bus.AppendFrame(b, pingFrame))
	b = bus.AppendUint(append(b, p.birth[:]...), uint64(len(p.lanes)))
	for _, l := range p.lanes {
		for _, v := range []uint64{uint64(l.lane), l.stream, l.upTo, l.settled} {
			b = bus.AppendUint(b, v)
		}
		b = appendNumbers(b, l.asked)
	}
	return b
}

func readPing(frame []byte) (p ping, err error) {
	r, kind := bus.ReadFrame(frame)
	if r.Err() == nil && kind != pingFrame {
		r.Fail("no ping")
	}
	p.sender = readSender(&r)
	copy(p.birth[:], r.Raw(len(p.birth)))
	for range r.Count() {
		l := lanePing{lane: readLane(&r), stream: r.Uint(), upTo: r.Uint(), settled: r.Uint()}
		l.asked = readNumbers(&r)
		// Each answer once: a few bytes must not ask for all of them many times.
		if n := len(p.lanes); n > 0 && l.lane <= p.lanes[n-1].lane {
			r.Fail("lanes out of order")
		}
		for i := 1; i < len(l.asked); i++ {
			if l.asked[i] <= l.asked[i-1] {
				r.Fail("places out of order")
			}
		}
		p.lanes = append(p.lanes, l)
	}
	return p, r.Err()
}

// pong is the answer to a ping, or says unasked that a lane has a hole.
type pong struct {
	host   member.ID
	epoch  uint64 // of the actor, 0 if it lives once
	status call.Status
	err    error // if Refused
	failed bool  // that is because Start failed; of a pong that does not travel
	lanes  []lanePong
	class  string // of the actor; empty: not said
}

// lanePong is what a cell says of a lane.
type lanePong struct {
	lane   int
	stream uint64   // the latest that it knows
	taken  uint64   // the last place that it took
	upTo   uint64   // the last place that should have come
	gone   []uint64 // of the calls that were asked for: those that are neither here nor is their answer
}

func (p *pong) append(b []byte) []byte {
	b = append(bus.AppendFrame(b, pongFrame), p.host[:]...)
	b = append(bus.AppendUint(b, p.epoch), byte(p.status))
	if p.status == call.Refused {
		out := objstore.Outcome{Err: p.err}
		b = out.AppendTo(b)
	}
	b = bus.AppendUint(b, uint64(len(p.lanes)))
	for _, l := range p.lanes {
		for _, v := range []uint64{uint64(l.lane), l.stream, l.taken, l.upTo} {
			b = bus.AppendUint(b, v)
		}
		b = appendNumbers(b, l.gone)
	}
	if p.class != "" {
		b = bus.AppendString(b, p.class)
	}
	return b
}

func readPong(frame []byte) (p pong, err error) {
	r, kind := bus.ReadFrame(frame)
	if r.Err() == nil && kind != pongFrame {
		r.Fail("no pong")
	}
	copy(p.host[:], r.Raw(len(p.host)))
	p.epoch = r.Uint()
	switch p.status = call.Status(r.Byte()); p.status {
	case call.Accepted, call.Busy, call.Moved:
	case call.Refused:
		out := objstore.ReadOutcome(&r)
		if p.err = out.Err; p.err == nil {
			r.Fail("a refusal without a reason")
		}
	default:
		r.Fail("unknown status")
	}
	for range r.Count() {
		l := lanePong{lane: readLane(&r), stream: r.Uint(), taken: r.Uint(), upTo: r.Uint()}
		l.gone = readNumbers(&r)
		p.lanes = append(p.lanes, l)
	}
	if r.Left() > 0 {
		p.class = r.String()
	}
	return p, r.Err()
}

func appendNumbers(b []byte, numbers []uint64) []byte {
	b = bus.AppendUint(b, uint64(len(numbers)))
	for _, n := range numbers {
		b = bus.AppendUint(b, n)
	}
	return b
}

func readNumbers(r *bus.Reader) (numbers []uint64) {
	for range r.Count() {
		numbers = append(numbers, r.Uint())
	}
	return numbers
}
