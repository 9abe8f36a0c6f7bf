package shared

import (
	"cmp"
	"slices"

	"manta/internal/member"
)

// fifo is what a queue holds and who waits. It has no clock, goroutine or network.
//
//	put ─► in the queue ⇄ in the hand of a ticket ─► confirmed, and gone
//
// While an item is in the queue, or there is room, nobody waits for it, unless those before him wait for more.
type fifo struct {
	attendance
	capacity int // 0: any number
	shut     bool
	entries  []entry // in order
	numbers  uint64
	hand     map[ticket][]entry
	putters  line
	takers   line
}

// entry is an item with its place in the queue.
type entry struct {
	number uint64
	item   item
}

func newFIFO(capacity int) *fifo { return &fifo{capacity: capacity, hand: make(map[ticket][]entry)} }

// put ends w at once, or when there is room.
func (f *fifo) put(w *waiter, wait bool) {
	switch {
	case !f.admits(w.ticket):
		w.end(withdrawn)
	case f.shut:
		w.end(ended)
	case f.capacity > 0 && w.need > f.capacity:
		w.end(never)
	default:
		f.putters = append(f.putters, w)
		f.stay(&f.putters, w, wait)
	}
}

// take ends w at once, or when there are items; they are in its hand then.
func (f *fifo) take(w *waiter, wait bool) {
	switch {
	case !f.admits(w.ticket):
		w.end(withdrawn)
	case f.capacity > 0 && w.need > f.capacity:
		w.end(never)
	default:
		f.takers = append(f.takers, w)
		f.stay(&f.takers, w, wait)
	}
}

// stay ends w, the last of a line, if it can be served at once or is not to wait.
func (f *fifo) stay(l *line, w *waiter, wait bool) {
	f.serve()
	switch {
	case f.leaving:
		l.dismiss(leaving, has(w.ticket))
	case !wait:
		l.dismiss(refused, has(w.ticket))
	}
}

// serve ends all whose turn it is.
func (f *fifo) serve() {
	for {
		taker, putter := f.takers.first(), f.putters.first()
		switch {
		case taker != nil && taker.need <= len(f.entries):
			f.hand[taker.ticket] = slices.Clone(f.entries[:taker.need])
			clear(f.entries[:taker.need])
			f.entries = f.entries[taker.need:]
			f.takers.serve(granted)
		case putter != nil && f.fits(putter):
			for _, it := range putter.items {
				f.numbers++
				f.entries = append(f.entries, entry{f.numbers, it})
			}
			f.putters.serve(granted)
		case taker != nil && f.shut && len(f.hand) == 0: // nothing can come back either
			f.takers.serve(ended)
		default:
			return
		}
	}
}

// fits says whether there is room for what the first putter has. If somebody waits to take more than there is, it goes to him at once: else
// both could wait for each other.
func (f *fifo) fits(w *waiter) bool {
	return f.capacity == 0 || len(f.entries)+w.need <= f.capacity || len(f.takers) > 0
}

// confirm ends the hold on what a ticket has in hand; false if it has nothing.
func (f *fifo) confirm(t ticket) bool {
	_, held := f.hand[t]
	delete(f.hand, t)
	f.serve()
	return held
}

// withdraw undoes what a ticket was for: it waits no more, and what it has in hand goes back. What it has put stays.
func (f *fifo) withdraw(t ticket) {
	_, held := f.hand[t]
	switch {
	case held:
		f.giveBack(t)
	case f.putters.dismiss(withdrawn, has(t)), f.takers.dismiss(withdrawn, has(t)):
	default:
		f.attendance.withdraw(t)
	}
	f.serve()
}

func (f *fifo) left(node member.ID) {
	f.attendance.left(node)
	for t := range f.hand {
		if t.Owner() == node {
			f.giveBack(t)
		}
	}
	f.putters.dismiss(withdrawn, of(node))
	f.takers.dismiss(withdrawn, of(node))
	f.serve()
}

// giveBack puts what a ticket has in hand back to its place.
func (f *fifo) giveBack(t ticket) {
	f.entries = append(slices.Clone(f.hand[t]), f.entries...)
	slices.SortFunc(f.entries, func(a, b entry) int { return cmp.Compare(a.number, b.number) })
	delete(f.hand, t)
}

func (f *fifo) shutdown() {
	f.shut = true
	f.putters.dismiss(ended, everybody)
	f.serve()
}

func (f *fifo) leave() {
	f.leaving = true
	f.putters.dismiss(leaving, everybody)
	f.takers.dismiss(leaving, everybody)
}
