package actor

import (
	"cmp"
	"slices"

	"manta/internal/member"
	"manta/objstore"
)

// keptBytes bounds the answers to one visitor that are kept until it has them, to be sent again if they got lost.
const keptBytes = 16 << 20

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

	open  answers // the next message of answers
	usual int     // how long the one before was
	dirty bool    // somebody will send it
	kept  fifo[answers]
	bytes int // of kept
}

type visitorKey struct {
	sender
	lane int
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
	for v.kept.len() > 0 && v.kept.first().most <= place {
		v.bytes -= len(v.kept.pop().frame)
	}
}

// idle says whether the visitor has everything.
func (v *visitor) idle() bool { return v.visits.len() == 0 && v.kept.len() == 0 && v.open.count == 0 }

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
	if v.open.count == 0 {
		v.open = newAnswers(host, v.epoch, v.lane, v.usual)
	}
	v.open.add(place, number, out)
	return v.open.full()
}

// next takes the next message, nil if there is none, and keeps it.
func (v *visitor) next() []byte {
	if v.open.count == 0 {
		return nil
	}
	frame := v.open.seal()
	v.kept.push(v.open)
	v.bytes += len(frame)
	for v.bytes > keptBytes && v.kept.len() > 1 {
		v.bytes -= len(v.kept.pop().frame)
	}
	v.open, v.usual, v.dirty = answers{}, len(frame), false
	return frame
}

// repeat gives send messages with the kept answers to the given calls, and returns the calls that are neither kept nor here.
func (v *visitor) repeat(host member.ID, asked []uint64, send func(frame []byte)) (gone []uint64) {
	if len(asked) == 0 {
		return nil
	}
	found := make(map[uint64][]byte)
	for _, k := range v.kept.all() {
		for place, answer := range k.each {
			found[place] = answer
		}
	}
	for place := range v.open.each { // these are about to be sent
		found[place] = nil
	}
	again := newAnswers(host, v.epoch, v.lane, 0)
	for _, place := range asked {
		answer, ok := found[place]
		switch {
		case !ok && v.at(place) == nil:
			gone = append(gone, place)
		case answer != nil:
			again.append(answer)
			if again.full() {
				send(again.seal())
				again = newAnswers(host, v.epoch, v.lane, 0)
			}
		}
	}
	if again.count > 0 {
		send(again.seal())
	}
	return gone
}
