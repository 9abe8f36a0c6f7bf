package objstore

import "manta/bus"

// Arrival is the refs inside values that have come to this node, until the owners of all know that it holds them, or it holds them no more.
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
			if o.id.Owner() != s.node.ID && !o.id.Durable() && !s.node.Confined {
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

// complete ends an arrival; the store is locked.
func (s *Store) complete(a *Arrival) {
	close(a.done)
	for _, l := range a.loans {
		s.repay(l)
	}
}
