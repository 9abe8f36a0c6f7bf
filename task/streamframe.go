package task

import (
	"fmt"

	"manta/bus"
	"manta/internal/member"
	"manta/objstore"
)

// The kinds of frames between the two ends of a stream. Those of a producer go to the subject that the consumer named, those of a consumer to the
// producer's node, where they come in with the frames of owners.
const (
	itemFrame     = 'i' // → one item
	questionFrame = 'q' // → what do you have? Answered by a credit
	creditFrame   = 'c' // ← what has come, and what was taken
)

// streamFormat marks the argument that is no value: a stream's descriptor, behind the argument of a streaming function. Nothing decodes it as a value.
const streamFormat bus.Format = '~'

// descriptor is what a call of a streaming function says of its consumer.
type descriptor struct {
	window
	stream  uint64 // the consumer's number of it
	subject string // where its items go
}

func (d *descriptor) value() bus.Value {
	b := bus.AppendUint(bus.AppendUint(bus.AppendUint(nil, d.stream), uint64(d.ahead)), uint64(d.bytes))
	return bus.Value{Format: streamFormat, Data: bus.AppendString(b, d.subject)}
}

func readDescriptor(v bus.Value) (d descriptor, err error) {
	r := bus.ReadFields(v.Data)
	d.stream = r.Uint()
	d.ahead, d.bytes = int(min(r.Uint(), maxAhead)), int(min(r.Uint(), maxAheadBytes))
	if d.subject = r.String(); d.ahead < 1 || d.bytes < 1 {
		r.Fail("a stream without a window")
	}
	return d, r.Err()
}

// streamHeader begins what a producer says.
type streamHeader struct {
	host    member.ID
	attempt int
}

func (h streamHeader) appendTo(b []byte, kind byte) []byte {
	return bus.AppendUint(append(bus.AppendFrame(b, kind), h.host[:]...), uint64(h.attempt))
}

// item is one item on its way.
type item struct {
	seq     uint64 // 1 is the first
	outcome objstore.Outcome
	id      objstore.ID // of an outcome with a blob: under which it was sealed
}

func (i *item) appendTo(b []byte) []byte {
	b = i.outcome.AppendTo(bus.AppendUint(b, i.seq))
	if i.outcome.Blob != nil {
		b = append(b, i.id[:]...)
	}
	return b
}

// size is how many bytes of the window the item takes.
func (i *item) size() int {
	if i.outcome.Blob != nil {
		return int(i.outcome.Blob.Blob.Size)
	}
	return len(i.outcome.Value.Data)
}

// producerMessage is an itemFrame or a questionFrame.
type producerMessage struct {
	streamHeader
	kind byte
	item item
	sent uint64 // of a question: the number of the last item that was sent
}

func readProducerMessage(frame []byte) (m producerMessage, err error) {
	r, kind := bus.ReadFrame(frame)
	copy(m.host[:], r.Raw(len(m.host)))
	m.attempt, m.kind = int(min(r.Uint(), 1<<16)), kind
	switch kind {
	case itemFrame:
		m.item.seq, m.item.outcome = r.Uint(), objstore.ReadOutcome(&r)
		if m.item.outcome.Blob != nil {
			copy(m.item.id[:], r.Raw(len(m.item.id)))
		}
	case questionFrame:
		m.sent = r.Uint()
	default:
		r.Fail(fmt.Sprintf("%q is no kind of a producer's frame", kind))
	}
	return m, r.Err()
}

// credit is a consumer's word: what it has, and how much of that was taken out of its hands.
type credit struct {
	received uint64 // all items up to this one have come
	taken    uint64 // and all up to this one were handed out
	buffered uint64 // bytes of those between
	again    bool   // send what comes after received once more
	stop     bool   // nobody wants items of this attempt any more
}

// The flags of a credit.
const (
	flagSendAgain = 1 << iota
	flagStop
)

func (c credit) appendTo(b []byte, key producerKey) []byte {
	b = append(bus.AppendFrame(b, creditFrame), key.owner[:]...)
	for _, v := range []uint64{key.stream, uint64(key.attempt), c.received, c.taken, c.buffered} {
		b = bus.AppendUint(b, v)
	}
	flags := byte(0)
	if c.again {
		flags |= flagSendAgain
	}
	if c.stop {
		flags |= flagStop
	}
	return append(b, flags)
}

func readCredit(frame []byte) (key producerKey, c credit, err error) {
	r, kind := bus.ReadFrame(frame)
	if kind != creditFrame {
		r.Fail("no credit")
	}
	copy(key.owner[:], r.Raw(len(key.owner)))
	key.stream, key.attempt = r.Uint(), int(min(r.Uint(), 1<<16))
	c.received, c.taken, c.buffered = r.Uint(), r.Uint(), r.Uint()
	flags := r.Byte()
	c.again, c.stop = flags&flagSendAgain != 0, flags&flagStop != 0
	if c.taken > c.received {
		r.Fail("more was taken than has come")
	}
	return key, c, r.Err()
}
