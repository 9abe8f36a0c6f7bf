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

	stream   uint64   // the latest
	taken    uint64   // the last place of which the call was taken
	reported uint64   // what taken was when the caller was last told of a hole
	visits   []*visit // that were taken and have no answer, in order, and some that have one
	answered int      // of visits

	frame []byte // the next message of answers
	count int    // of them
	dirty bool   // somebody will send it
	kept  []kept
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
	n := 0
	for n < len(v.kept) && v.kept[n].place <= place {
		v.bytes -= len(v.kept[n].answer)
		n++
	}
	v.kept = slices.Delete(v.kept, 0, n)
}

// idle says whether the visitor has everything.
func (v *visitor) idle() bool { return len(v.visits) == 0 && len(v.kept) == 0 && v.count == 0 }

// take notes a call.
func (v *visitor) take(call *visit) {
	v.taken = call.place
	v.visits = append(v.visits, call)
}

// let notes that a call, which is marked so, has its answer.
func (v *visitor) let() {
	v.answered++
	for len(v.visits) > 0 && v.visits[0].answered {
		v.visits[0] = nil
		v.visits = v.visits[1:]
		v.answered--
	}
	if 2*v.answered > len(v.visits) {
		v.visits = slices.DeleteFunc(v.visits, func(call *visit) bool { return call.answered })
		v.answered = 0
	}
}

// at returns the call that was taken with a place and has no answer, else nil.
func (v *visitor) at(place uint64) *visit {
	i, ok := slices.BinarySearchFunc(v.visits, place, func(call *visit, place uint64) int { return cmp.Compare(call.place, place) })
	if !ok || v.visits[i].answered {
		return nil
	}
	return v.visits[i]
}

// answer puts an outcome into the next message. It returns true if that is to be sent at once.
func (v *visitor) answer(host member.ID, place, number uint64, out *objstore.Outcome) (full bool) {
	if v.count == 0 {
		v.frame = appendAnswers(make([]byte, 0, 64), host, v.epoch, v.lane)
	}
	begin := len(v.frame)
	v.frame = appendAnswer(v.frame, place, number, out)
	v.count++
	v.kept = append(v.kept, kept{place, v.frame[begin:]})
	v.bytes += len(v.frame) - begin
	for v.bytes > keptBytes && len(v.kept) > 1 {
		v.bytes -= len(v.kept[0].answer)
		v.kept = v.kept[1:]
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
	v.frame, v.count, v.dirty = nil, 0, false
	return frame
}

// repeat puts kept answers to the given calls into the next messages, which send is given once they are full, and returns the calls that are
// neither kept nor here.
func (v *visitor) repeat(host member.ID, asked []uint64, send func(frame []byte)) (gone []uint64) {
	if len(asked) == 0 {
		return nil
	}
	answers := make(map[uint64][]byte, len(v.kept))
	for _, k := range v.kept {
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
