package objstore

import "weak"

// hold is a handle of another node's object in this process, as its owner is to know it. A handle that is collected ends the hold; one
// that is made for the same name later begins another, with a higher version.
type hold struct {
	handle  weak.Pointer[Object]
	version uint64
	said    bool       // to the owner, in a note or a question
	acked   bool       // the owner knows
	waiting []*Arrival // for that
}

// hold returns this node's hold of another's object, of which there is a handle; the store is locked.
func (s *Store) hold(o *Object) *hold {
	h := s.holds[o.id]
	if pointer := weak.Make(o); h == nil || h.handle != pointer {
		s.release(h)
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
	s.release(h)
}

// release has nothing wait for a hold any more: its owner knows of it, or it has ended before. Nil is passed over; the store is locked.
func (s *Store) release(h *hold) {
	if h == nil {
		return
	}
	waiting := h.waiting
	h.waiting = nil
	for _, a := range waiting {
		if a.missing--; a.missing == 0 {
			s.complete(a)
		}
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
			s.release(h)
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
