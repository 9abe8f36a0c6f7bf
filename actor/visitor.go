package actor

import (
	"cmp"
	"slices"

	"manta/internal/member"
	"manta/objstore"
)

const (
	// answersBytes is the size at which a message of answers is sent at the latest.
	answersBytes = 16 << 10
	// keptBytes bounds the answers to one visitor that are kept until it has them, to be sent again if they got lost.
	keptBytes = 16 << 20
)

// visitor is a caller's lane at the cell: how many of its calls were taken, and answers on their way to it. One that has everything is
// forgotten.
type visitor struct {
	visitorKey
	inbox string // where its answers go
	epoch uint64 // of the actor

	stream   uint64       // the latest
	taken    uint64       // the last place of which the call was taken
	reported uint64       // what taken was when the caller was last told of a hole
	visits   fifo[*visit] // that were taken and have no answer, in order, and some that have one
	answered int          // of visits

	frame []byte // the next message of answers
	usual int    // how long the one before was
	count int    // of answers in it
	dirty bool   // somebody will send it
	kept  fifo[kept]
	bytes int // of kept
}

type visitorKey struct {
	sender
	lane int
}

// kept is an answer that may have got lost.
type kept struct {
	place  uint64
	answer []byte
}

// enter brings a visitor up to date with what stands before calls. It returns false if they are late, or hole if others are missing before them.
func (v *visitor) enter(h *mailHeader) (ok, hole bool) {
	if h.stream < v.stream {
		return false, false
	}
	if h.stream > v.stream {
		v.stream, v.taken = h.stream, h.origin
	}
	v.taken = max(v.taken, h.settled) // what of that has not come is not wanted any more
	v.settle(h.settled)
	return h.first <= v.taken+1, h.first > v.taken+1
}

// settle lets go of answers up to a place.
func (v *visitor) settle(place uint64) {
	for v.kept.len() > 0 && v.kept.first().place <= place {
		v.bytes -= len(v.kept.pop().answer)
	}
}

// idle says whether the visitor has everything.
func (v *visitor) idle() bool { return v.visits.len() == 0 && v.kept.len() == 0 && v.count == 0 }

// take notes a call.
func (v *visitor) take(call *visit) {
	v.taken = call.place
	v.visits.push(call)
}

// let notes that a call, which is marked so, has its answer.
func (v *visitor) let() {
	v.answered++
	for v.visits.len() > 0 && v.visits.first().answered {
		v.visits.pop()
		v.answered--
	}
	if 2*v.answered > v.visits.len() {
		v.visits.prune(func(call *visit) bool { return call.answered })
		v.answered = 0
	}
}

// at returns the call that was taken with a place and has no answer, else nil.
func (v *visitor) at(place uint64) *visit {
	visits := v.visits.all()
	i, ok := slices.BinarySearchFunc(visits, place, func(call *visit, place uint64) int { return cmp.Compare(call.place, place) })
	if !ok || visits[i].answered {
		return nil
	}
	return visits[i]
}

// answer puts an outcome into the next message. It returns true if that is to be sent at once.
func (v *visitor) answer(host member.ID, place, number uint64, out *objstore.Outcome) (full bool) {
	if v.count == 0 {
		v.frame = appendAnswers(make([]byte, 0, max(64, min(v.usual, answersBytes))), host, v.epoch, v.lane)
	}
	begin := len(v.frame)
	v.frame = appendAnswer(v.frame, place, number, out)
	v.count++
	v.kept.push(kept{place, v.frame[begin:]})
	v.bytes += len(v.frame) - begin
	for v.bytes > keptBytes && v.kept.len() > 1 {
		v.bytes -= len(v.kept.pop().answer)
	}
	return v.count >= batchCalls || len(v.frame) >= answersBytes
}

// next takes the next message, nil if there is none.
func (v *visitor) next() []byte {
	if v.count == 0 {
		return nil
	}
	frame := v.frame
	frame[answersHead-1] = byte(v.count)
	v.frame, v.usual, v.count, v.dirty = nil, len(frame), 0, false
	return frame
}

// repeat puts kept answers to the given calls into the next messages, which send is given once they are full, and returns the calls that are
// neither kept nor here.
func (v *visitor) repeat(host member.ID, asked []uint64, send func(frame []byte)) (gone []uint64) {
	if len(asked) == 0 {
		return nil
	}
	answers := make(map[uint64][]byte, v.kept.len())
	for _, k := range v.kept.all() {
		answers[k.place] = k.answer
	}
	for _, place := range asked {
		answer, ok := answers[place]
		switch {
		case !ok && v.at(place) == nil:
			gone = append(gone, place)
		case ok:
			if v.count == 0 {
				v.frame = appendAnswers(nil, host, v.epoch, v.lane)
			}
			v.frame = append(v.frame, answer...)
			if v.count++; v.count >= batchCalls || len(v.frame) >= answersBytes {
				send(v.next())
			}
		}
	}
	if v.count > 0 {
		send(v.next())
	}
	return gone
}
