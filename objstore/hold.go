package objstore

import (
	"weak"

	"manta/bus"
	"manta/internal/member"
)

// hold is a handle of another node's object in this process, as its owner is to know it. A handle that is collected ends the hold; one
// that is made for the same name later begins another, with a higher version.
type hold struct {
	handle  weak.Pointer[Object]
	version uint64
	said    bool       // to the owner, in a note or a question
	acked   bool       // the owner knows
	waiting []*Arrival // for that
}

// Arrival is the refs inside values that have come to this node, until the owners of all know that it holds them.
type Arrival struct {
	missing int // owners' acknowledgements; the store's mu guards it
	loans   []loanName
	done    chan struct{}
}

// Done is closed when all owners know, or are gone. The nil Arrival is done.
func (a *Arrival) Done() <-chan struct{} {
	if a == nil {
		return past
	}
	return a.done
}

// Pending says whether it is not done.
func (a *Arrival) Pending() bool {
	if a == nil {
		return false
	}
	select {
	case <-a.Done():
		return false
	default:
		return true
	}
}

// Arrive makes this node a holder of all that values which have come to it name, and lends the values their handles. Whoever sent
// them keeps these objects until the arrival is done: who lent them hears of it. Nil refs, and those that are here already,
// are passed over.
func (s *Store) Arrive(all ...*bus.Refs) *Arrival {
	var a *Arrival
	var objects []*Object
	for _, refs := range all {
		if refs == nil || refs.Held != nil {
			continue
		}
		if a == nil {
			a = &Arrival{done: make(chan struct{})}
		}
		held := make([]any, len(refs.IDs))
		for i, id := range refs.IDs {
			o := intern(id)
			held[i] = o
			if o.id.Owner() != s.node.ID && !o.id.Durable() {
				objects = append(objects, o)
			}
		}
		if refs.Held = held; refs.Loan != 0 {
			a.loans = append(a.loans, loanName{refs.Lender, refs.Loan})
			refs.Loan = 0 // it is between the two: whoever gets the value from here has nothing to do with it
		}
	}
	if a == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range objects {
		if h := s.hold(o); !h.acked {
			s.sayHold(o.id, h)
			a.missing++
			h.waiting = append(h.waiting, a)
		}
	}
	if a.missing == 0 {
		s.complete(a)
	}
	return a
}

// hold returns this node's hold of another's object, of which there is a handle; the store is locked.
func (s *Store) hold(o *Object) *hold {
	h := s.holds[o.id]
	if pointer := weak.Make(o); h == nil || h.handle != pointer {
		s.version++
		h = &hold{handle: pointer, version: s.version}
		s.holds[o.id] = h
	}
	return h
}

// asking is hold for one whose owner is about to be asked: the question says it. The version travels in it.
func (s *Store) asking(o *Object) (version uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hold(o).version
}

// answered notes that the owner has answered a question that said the hold.
func (s *Store) answered(id ID, version uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ackHold(id, version)
}

func (s *Store) sayHold(id ID, h *hold) {
	if !h.said {
		h.said = true
		s.say(id.Owner(), note{noteHolds, id.Number(), h.version})
	}
}

// ackHold notes that an owner knows of a hold, or is gone; the store is locked.
func (s *Store) ackHold(id ID, version uint64) {
	h := s.holds[id]
	if h == nil || h.version != version {
		return
	}
	h.said, h.acked = true, true
	waiting := h.waiting
	h.waiting = nil
	for _, a := range waiting {
		if a.missing--; a.missing == 0 {
			s.complete(a)
		}
	}
}

// complete ends an arrival; the store is locked.
func (s *Store) complete(a *Arrival) {
	close(a.done)
	for _, l := range a.loans {
		s.repay(l)
	}
}

// fallen notes that a handle was collected. The runtime calls it: it only appends.
func (s *Store) fallen(id ID, handle weak.Pointer[Object]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.holds[id]; h != nil && h.handle == handle || s.entries[id] != nil {
		s.dropped = append(s.dropped, id)
	}
}

// takeDropped tells owners which handles were collected, and ends this node's own objects that nobody else wants. What has a handle
// again by now goes on.
func (s *Store) takeDropped() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range s.dropped {
		if e := s.entries[id]; e != nil {
			s.reconsider(e, nil)
		}
		if h := s.holds[id]; h != nil && h.handle.Value() == nil {
			delete(s.holds, id)
			s.version++
			s.say(id.Owner(), note{noteDropped, id.Number(), s.version})
		}
	}
	s.dropped = nil
}

// holdAnew says all holds again: this node may have been taken for dead, or the words lost with a connection.
func (s *Store) holdAnew() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, h := range s.holds {
		h.said = false
		s.sayHold(id, h)
	}
}

// loan is refs that were sent to a node and are kept here until it has registered with their owners.
type loan struct {
	refs *bus.Refs
	to   member.ID
	age  int // in sweeps
}

// loanName is what a loan is called between two nodes.
type loanName struct {
	lender member.ID
	number uint64
}

// loanTicks is how many sweeps a loan lasts at the longest: what has not come to the other node after ten minutes never will.
const loanTicks = 600

// Lend keeps what an outcome that is about to be sent to a node names, until that says that it is kept there, or not wanted.
func (s *Store) Lend(out *Outcome, to member.ID) {
	refs := out.Refs()
	if refs == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastLoan++
	s.loans[s.lastLoan] = &loan{refs: refs, to: to}
	refs.Lender, refs.Loan = s.node.ID, s.lastLoan
}

// repay tells a lender that its loan is over; the store is locked.
func (s *Store) repay(l loanName) {
	if l.lender == s.node.ID {
		delete(s.loans, l.number)
		return
	}
	s.say(l.lender, note{kind: noteKept, number: l.number})
}

// Decline tells who lent what a value names that nobody here wants it. Nil refs are passed over.
func (s *Store) Decline(refs *bus.Refs) {
	if refs == nil || refs.Loan == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repay(loanName{refs.Lender, refs.Loan})
	refs.Loan = 0
}

// forgetLoans ends loans that have lasted too long; the store is locked.
func (s *Store) forgetLoans() {
	for n, l := range s.loans {
		if l.age++; l.age > loanTicks {
			delete(s.loans, n)
		}
	}
}
