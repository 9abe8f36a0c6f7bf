package actor

import (
	"cmp"
	"slices"
)

// lane is what one caller sends to one actor, in order. Each call gets a place in it when it is sent, and the cell takes a call only after
// the one before it: what NATS loses shows as a hole, and is sent again in a new stream, whose places begin behind all that were given away.
// So none is taken twice, and none before its turn, whatever arrives late.
type lane struct {
	number  int // of the group of methods
	ordered bool

	stream uint64
	origin uint64 // the last place before the stream
	last   uint64 // the last place that was given away

	queue fifo[*outgoing] // to be sent, in order, and some that have ended
	gone  int             // of the queue: they have ended
	sent  fifo[*outgoing] // without an outcome, in order, and some that have ended
	over  int             // of sent: they have ended
	dirty bool            // the sender will look at it

	unready map[*outgoing]struct{} // those that await arguments, of a lane without an order, and those that pause before they are made again
}

// batchCalls and batchBytes bound the calls that travel in one message.
const (
	batchCalls = 64
	batchBytes = 128 << 10
)

// push puts a call at the end of the queue.
func (l *lane) push(out *outgoing) {
	out.queued = true
	l.queue.push(out)
}

// setAside keeps a call that is to be pushed later.
func (l *lane) setAside(out *outgoing) {
	if l.unready == nil {
		l.unready = make(map[*outgoing]struct{})
	}
	l.unready[out] = struct{}{}
}

// retract takes a call out whose attempt has ended: it is to be pushed again, and gets another place.
func (l *lane) retract(out *outgoing) {
	i, _ := l.find(out.place)
	l.sent.all()[i] = &outgoing{place: out.place, ended: true}
	l.leaveSent()
	out.sent, out.moved, out.visit = false, false, nil
	l.setAside(out)
}

// leaveSent notes that a call that was sent has ended.
func (l *lane) leaveSent() {
	l.over++
	for l.sent.len() > 0 && l.sent.first().ended {
		l.sent.pop()
		l.over--
	}
	closeRanks(&l.sent, &l.over)
}

// next returns the first call of the queue, nil if there is none that can be sent.
func (l *lane) next() *outgoing {
	for l.queue.len() > 0 {
		out := l.queue.first()
		switch {
		case out.ended:
			l.shift()
			l.gone--
		case !out.ready:
			return nil
		default:
			return out
		}
	}
	return nil
}

// shift takes the first call out of the queue.
func (l *lane) shift() { l.queue.pop().queued = false }

// give takes the first call out of the queue and gives it a place.
func (l *lane) give(out *outgoing) {
	l.shift()
	l.last++
	out.sent, out.place = true, l.last
	l.sent.push(out)
}

// unanswered is how many calls were sent and have no outcome.
func (l *lane) unanswered() int { return l.sent.len() - l.over }

// settled is the place up to which all calls have outcomes.
func (l *lane) settled() uint64 {
	if l.sent.len() == 0 {
		return l.last
	}
	return l.sent.first().place - 1
}

// forget lets go of a call that has ended.
func (l *lane) forget(out *outgoing) {
	if out.sent {
		l.leaveSent()
	}
	delete(l.unready, out)
	if out.queued {
		l.gone++
		closeRanks(&l.queue, &l.gone)
	}
}

// at returns the call that was sent with a place and has no outcome, else nil.
func (l *lane) at(place uint64) *outgoing {
	if i, ok := l.find(place); ok && !l.sent.all()[i].ended {
		return l.sent.all()[i]
	}
	return nil
}

// find returns where in sent the first call is that does not stand before a place. Most often it is the first, or so many further.
func (l *lane) find(place uint64) (i int, exact bool) {
	sent := l.sent.all()
	if n := len(sent); n > 0 && place >= sent[0].place {
		if i := place - sent[0].place; i < uint64(n) && sent[i].place == place {
			return int(i), true
		}
	}
	return slices.BinarySearchFunc(sent, place, func(out *outgoing, place uint64) int { return cmp.Compare(out.place, place) })
}

// underway yields those that were sent and have no outcome.
func (l *lane) underway(yield func(*outgoing) bool) { each(l.sent.all(), yield) }

// behind yields those that were sent and that a cell has not taken, of which the given one is the last that it has taken in a stream.
func (l *lane) behind(stream, taken uint64) func(yield func(*outgoing) bool) {
	if stream < l.stream { // it has seen nothing of this one
		taken = l.origin
	}
	i, _ := l.find(taken + 1)
	return func(yield func(*outgoing) bool) { each(l.sent.all()[i:], yield) }
}

// each yields the calls that have no outcome, and returns false when it is to stop.
func each(calls []*outgoing, yield func(*outgoing) bool) bool {
	for _, out := range slices.Clone(calls) { // whoever ends them changes it
		if !out.ended && !yield(out) {
			return false
		}
	}
	return true
}

// calls yields all that have no outcome.
func (l *lane) calls(yield func(*outgoing) bool) {
	if !each(l.sent.all(), yield) || !each(l.queue.all(), yield) {
		return
	}
	for out := range l.unready {
		if !yield(out) {
			return
		}
	}
}

// closeRanks removes calls that have ended once they are the most, at a constant cost each.
func closeRanks(calls *fifo[*outgoing], ended *int) {
	if 2**ended > calls.len() {
		calls.prune(func(out *outgoing) bool { return out.ended })
		*ended = 0
	}
}

// arrived hears which place is the last that the cell has taken in a stream, though all up to another were sent. If a call did not arrive it
// goes back to the front of the queue, and to a new stream, with all behind it: the cell takes none of those.
func (l *lane) arrived(stream, taken, upTo uint64) {
	if stream > l.stream {
		return
	}
	for out := range l.behind(stream, taken) {
		if out.place <= upTo {
			i, _ := l.find(out.place)
			l.again(i)
		}
		return
	}
}

// isForeign says whether a cell has heard of this lane what it has not said: somebody else has written it into a frame in its caller's name.
func (l *lane) isForeign(p lanePong) bool {
	return p.stream > l.stream || p.stream == l.stream && p.taken > l.last
}

// outrun begins a stream behind one that is not the lane's, as the cell takes nothing older. It returns false if there is none behind it. What was sent
// before stays with the cell, as far as that has it.
func (l *lane) outrun(stream uint64) bool {
	if stream >= maxStream {
		return false
	}
	l.stream = stream + 1
	l.origin = l.last
	return true
}

// again puts the calls that were sent, from the given one on, back to the front of the queue, and begins a stream.
func (l *lane) again(i int) {
	var back []*outgoing
	for _, out := range l.sent.all()[i:] {
		if out.ended {
			l.over--
			continue
		}
		out.sent, out.queued, out.moved, out.visit = false, true, false, nil
		back = append(back, out)
	}
	l.sent.cut(i)
	l.queue = fifo[*outgoing]{memory: append(back, l.queue.all()...)}
	l.stream++
	l.origin = l.last
}

// known says what the lane is, for a ping. Of very many calls the first ones are asked for.
func (l *lane) known() lanePing {
	p := lanePing{lane: l.number, stream: l.stream, upTo: l.last, settled: l.settled()}
	for _, out := range l.sent.all() {
		if !out.ended && len(p.asked) < maxAsked {
			p.asked = append(p.asked, out.place)
		}
	}
	return p
}

// maxAsked bounds the calls that a ping asks for.
const maxAsked = 4096

// mailHeader returns what stands before calls of which the first one gets the next place.
func (l *lane) mailHeader() mailHeader {
	return mailHeader{lane: l.number, stream: l.stream, origin: l.origin, settled: l.settled(), first: l.last + 1}
}
