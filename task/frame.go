package task

import (
	"encoding/binary"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// The kinds of frames between an owner and a host. Those of an owner begin with a [laneHeader], those of a host with a [guestHeader].
const (
	tasksFrame  = 't' // → tasks of one lane, perhaps none, and whether it has more
	pingFrame   = 'p' // → what do you have of this lane? Answered by a pong
	cancelFrame = 'x' // → tasks whose outcome is no longer wanted

	replyFrame = 'r' // ← outcomes, numbered without gaps
	goneFrame  = 'm' // ← a reply that was asked for again and is not kept any more
	offerFrame = 'o' // ← there is room
	leftFrame  = 'l' // ← the node has answered all that it got, and gets nothing more: what has no answer did not run there
	pongFrame  = 'g' // ← what is here of the lane; without a tick: unasked, of tasks that knocked
)

// laneHeader says which lane of which owner a frame is about.
type laneHeader struct {
	owner      member.ID
	generation uint64 // of the owner's connection: frames of an older one are late, and dropped
	lane       uint64 // the owner's number of it
	epoch      uint64 // of the replies that confirmed counts
	confirmed  uint64 // all replies up to this one have come
}

func (h laneHeader) appendTo(b []byte, kind byte) []byte {
	b = append(bus.AppendFrame(b, kind), h.owner[:]...)
	for _, v := range []uint64{h.generation, h.lane, h.epoch, h.confirmed} {
		b = bus.AppendUint(b, v)
	}
	return b
}

func readLaneHeader(r *bus.Reader) (h laneHeader) {
	copy(h.owner[:], r.Raw(len(h.owner)))
	h.generation, h.lane, h.epoch, h.confirmed = r.ReadGeneration(), r.Uint(), r.Uint(), r.Uint()
	return h
}

// tasksMessage is a tasksFrame.
type tasksMessage struct {
	laneHeader
	more bool       // the lane has more than it may send
	need []byte     // as call.AppendNeed wrote it: the same in all frames of a lane
	rest bus.Reader // at the entries
	n    int
}

// appendTasks begins a tasksFrame of n tasks; the entries follow.
func appendTasks(b []byte, h laneHeader, more bool, need []byte, n int) []byte {
	b = h.appendTo(b, tasksFrame)
	if more {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	return bus.AppendUint(bus.AppendBytes(b, need), uint64(n))
}

func readTasks(r bus.Reader) (m tasksMessage, err error) {
	m.laneHeader = readLaneHeader(&r)
	m.more = r.Byte() != 0
	m.need = r.Bytes()
	m.n = r.Count()
	m.rest = r
	return m, r.Err()
}

// jobs reads all entries: none unless all are well-formed.
func (m *tasksMessage) jobs() ([]job, error) {
	if m.n > m.rest.Left()/leastEntry {
		m.rest.Fail("count exceeds the frame")
		return nil, m.rest.Err()
	}
	jobs := make([]job, m.n)
	for i := range jobs {
		jobs[i].entry = call.ReadEntry(&m.rest)
	}
	return jobs, m.rest.Err()
}

// leastEntry is the size of the smallest entry: a number, its flags, and no arguments.
const leastEntry = 3

// pingMessage is a pingFrame.
type pingMessage struct {
	laneHeader
	tick    uint64
	missing []span // replies that have not come though later ones have, in order
}

func (m *pingMessage) append(b []byte) []byte {
	b = bus.AppendUint(m.laneHeader.appendTo(b, pingFrame), m.tick)
	b = bus.AppendUint(b, uint64(len(m.missing)))
	for _, s := range m.missing {
		b = bus.AppendUint(bus.AppendUint(b, s.from), s.to)
	}
	return b
}

func readPing(r bus.Reader) (m pingMessage, err error) {
	m.laneHeader = readLaneHeader(&r)
	m.tick = r.Uint()
	last := uint64(0)
	for range r.Count() {
		s := span{r.Uint(), r.Uint()}
		if s.from <= last || s.to < s.from { // each reply once: a few bytes must not ask for all of them many times
			r.Fail("replies out of order")
			break
		}
		m.missing, last = append(m.missing, s), s.to
	}
	return m, r.Err()
}

func appendCancel(b []byte, h laneHeader, numbers ...uint64) []byte {
	b = bus.AppendUint(h.appendTo(b, cancelFrame), uint64(len(numbers)))
	for _, n := range numbers {
		b = bus.AppendUint(b, n)
	}
	return b
}

func readCancel(r bus.Reader) (h laneHeader, numbers []uint64, err error) {
	h = readLaneHeader(&r)
	for range r.Count() {
		numbers = append(numbers, r.Uint())
	}
	return h, numbers, r.Err()
}

// guestHeader begins what a host says of a lane. Its fields have fixed places, so that a reply's window can be filled in last.
type guestHeader struct {
	host   member.ID
	lane   uint64
	epoch  uint64
	seq    uint64 // of a reply: its number; of other frames: the number of the newest reply
	window uint32 // how many tasks of the lane may be outstanding here
}

const (
	guestHeaderSize = 3 + len(member.ID{}) + 3*8 + 4
)

func (h guestHeader) put(b []byte, kind byte) {
	copy(b, bus.AppendFrame(nil, kind))
	copy(b[3:], h.host[:])
	binary.BigEndian.PutUint64(b[11:], h.lane)
	binary.BigEndian.PutUint64(b[19:], h.epoch)
	binary.BigEndian.PutUint64(b[27:], h.seq)
	binary.BigEndian.PutUint32(b[35:], h.window)
}

func (h guestHeader) frame(kind byte) []byte {
	b := make([]byte, guestHeaderSize, guestHeaderSize+32)
	h.put(b, kind)
	return b
}

func readGuestHeader(r *bus.Reader) (h guestHeader) {
	copy(h.host[:], r.Raw(len(h.host)))
	if fixed := r.Raw(3*8 + 4); fixed != nil {
		h.lane = binary.BigEndian.Uint64(fixed)
		h.epoch = binary.BigEndian.Uint64(fixed[8:])
		h.seq = binary.BigEndian.Uint64(fixed[16:])
		h.window = min(binary.BigEndian.Uint32(fixed[24:]), maxWindow)
	}
	return h
}

// maxWindow bounds what a host can announce.
const maxWindow = 1 << 20

// result is what a host says of one task.
type result struct {
	number  uint64
	attempt int
	status  call.Status       // Done, Busy or Refused
	outcome *objstore.Outcome // nil if Busy
}

func (p *result) appendTo(b []byte) []byte {
	b = append(bus.AppendUint(bus.AppendUint(b, p.number), uint64(p.attempt)), byte(p.status))
	if p.status != call.Busy {
		b = p.outcome.AppendTo(b)
	}
	return b
}

func (p *result) read(r *bus.Reader, fresh *outcomes) {
	p.number, p.attempt = r.Uint(), int(r.Uint())
	switch p.status = call.Status(r.Byte()); p.status {
	case call.Busy:
	case call.Done, call.Refused:
		p.outcome = fresh.read(r)
	default:
		r.Fail("unknown status")
	}
}

// guestMessage is what a host says of a lane.
type guestMessage struct {
	guestHeader
	kind    byte
	results []result // of a reply; values are views into the frame
	tick    uint64   // of the ping that a pong answers; 0 if nobody asked
	held    []uint64 // in a pong: the numbers of the tasks that are there
	to      uint64   // of a goneFrame: with seq the first and last reply that is not kept
}

// outcomes are allocated several in one piece: about as many as are left in the frame, if they are like the last one.
type outcomes struct {
	free []objstore.Outcome
	size int // of the last one in the frame, in bytes
}

// mostOutcomes bounds a piece, which stays as long as one of its outcomes.
const mostOutcomes = 32

// read reads an outcome. One that names objects has a piece of its own: the others must not keep those alive.
func (o *outcomes) read(r *bus.Reader) *objstore.Outcome {
	left := r.Left()
	if len(o.free) == 0 {
		n := 1
		if o.size > 0 {
			n = min(1+left/o.size, mostOutcomes)
		}
		o.free = make([]objstore.Outcome, n)
	}
	out := &o.free[0]
	out.Read(r)
	o.size = left - r.Left()
	if out.Refs() == nil && out.Blob == nil {
		o.free = o.free[1:]
		return out
	}
	own := *out
	*out = objstore.Outcome{}
	return &own
}

// readGuestMessage reads a host's frame: all of it, or nothing. Results are put into room.
func readGuestMessage(frame []byte, room []result) (m guestMessage, err error) {
	r, kind := bus.ReadFrame(frame)
	m.guestHeader, m.kind = readGuestHeader(&r), kind
	switch kind {
	case replyFrame:
		m.results = room[:0]
		var fresh outcomes
		for r.Left() > 0 && r.Err() == nil {
			m.results = append(m.results, result{})
			m.results[len(m.results)-1].read(&r, &fresh)
		}
	case pongFrame:
		m.tick = r.Uint()
		for r.Left() > 0 && r.Err() == nil {
			m.held = append(m.held, r.Uint())
		}
	case goneFrame:
		if m.to = r.Uint(); m.to < m.seq {
			r.Fail("replies out of order")
		}
	case offerFrame, leftFrame:
	default:
		r.Fail("a frame for something else")
	}
	return m, r.Err()
}

// appendPong makes a pongFrame of the numbers of the tasks that are here.
func appendPong(h guestHeader, tick uint64, jobs *jobList) []byte {
	b := bus.AppendUint(h.frame(pongFrame), tick)
	for j := jobs.first; j != nil; j = j.after {
		b = bus.AppendUint(b, j.entry.Number)
	}
	return b
}
