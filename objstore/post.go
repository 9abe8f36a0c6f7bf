package objstore

import (
	"manta/bus"
	"manta/internal/member"
)

// note is a word to another node that is said again until it is acknowledged. Saying it twice does no harm.
type note struct {
	kind    byte
	number  uint64 // of an object of the node that it is said to, or of a loan of that node, or, of a noteDeleted, of an object of this one
	version uint64 // of a noteHolds or noteDropped, see holders; of a noteGiven: for how many nanoseconds
}

const (
	noteHolds   = 'h' // this node has a handle of the object
	noteDropped = 'd' // it has none any more
	noteKept    = 'k' // what was lent is kept here, or not wanted: the loan is over
	noteGiven   = 'g' // a name of the object was given to somebody who is no node
	noteDeleted = 'x' // this node's object of that number is gone: so may be the copy of it
)

// subject is what a note is about: of notes with equal ones only the latest counts.
func (n note) subject() note {
	n.version = 0
	if n.kind == noteDropped {
		n.kind = noteHolds
	}
	return n
}

// post is what a node has to say to another one. A note that follows another about the same takes its place. Pure.
//
//	put ─► queued ─► under way (repeated until somebody answers) ─► acknowledged
type post struct {
	notes map[note]*posted // by subject: those that are not acknowledged
	queue []note           // subjects, in the order in which they were put
}

type posted struct {
	note
	queued bool
}

func (p *post) put(n note) {
	if p.notes == nil {
		p.notes = make(map[note]*posted)
	}
	key := n.subject()
	old := p.notes[key]
	if old == nil {
		old = &posted{}
		p.notes[key] = old
	}
	if old.note = n; !old.queued {
		old.queued = true
		p.queue = append(p.queue, key)
	}
}

// take returns the notes that have waited longest, at most n. They are under way until they are given to done.
func (p *post) take(n int) (notes []note) {
	n = min(n, len(p.queue))
	for _, key := range p.queue[:n] {
		w := p.notes[key]
		w.queued = false
		notes = append(notes, w.note)
	}
	if p.queue = p.queue[n:]; len(p.queue) == 0 {
		p.queue = nil
	}
	return notes
}

// done notes that these were acknowledged. What was put about the same meanwhile still waits.
func (p *post) done(notes []note) {
	for _, n := range notes {
		if w := p.notes[n.subject()]; w != nil && w.note == n && !w.queued {
			delete(p.notes, n.subject())
		}
	}
}

// appendNotes makes a frame of notes.
func appendNotes(b []byte, from member.ID, notes []note) []byte {
	b = append(bus.AppendFrame(b, notesFrame), from[:]...)
	for _, n := range notes {
		b = bus.AppendUint(bus.AppendUint(append(b, n.kind), n.number), n.version)
	}
	return b
}

// readNotes reads what follows the kind of a frame that appendNotes made.
func readNotes(r *bus.Reader) (from member.ID, notes []note, err error) {
	copy(from[:], r.Raw(len(from)))
	for r.Left() > 0 && r.Err() == nil {
		n := note{kind: r.Byte(), number: r.Uint(), version: r.Uint()}
		switch n.kind {
		case noteHolds, noteDropped, noteKept, noteGiven, noteDeleted:
			notes = append(notes, n)
		default:
			r.Fail("unknown kind of note")
		}
	}
	return from, notes, r.Err()
}
