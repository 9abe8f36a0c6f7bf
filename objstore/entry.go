package objstore

import (
	"time"

	"manta/internal/logs"
	"manta/internal/member"
)

// entry is what an owner knows of an object of its own that has left it, or is pinned. The object lives while this process has a handle
// of it, and longer while the entry is wanted: while a call has it as an argument, a node holds it, or its name was given to
// somebody who cannot say when he drops it.
//
//	unwanted, handle here ⇄ wanted (keeps the outcome, not the handle) ─► ended: the blob goes
//	          └──────────────────── the handle is collected ─────────────────▲
//
// The handle is kept only until every node can read the outcome: nodes of one process share their handles, and one that the owner
// kept would never be dropped by the others.
type entry struct {
	id      ID
	object  *Object   // not nil while it is wanted and not readable everywhere, and while it is pinned
	out     *Outcome  // not nil while it is wanted and object is nil
	gone    collected // what was left of it when its handle was collected
	pins    int       // calls under way that have it as an argument
	holders holders
	given   time.Time // until when its name, which was given away, is good; zero: it was not
	over    func()    // of an object without a value, see Live
	awaited bool      // somebody will reconsider the entry when the object has its outcome
}

// wanted says whether the object is kept although this process may have dropped it.
func (e *entry) wanted() bool { return e.pins > 0 || !e.given.IsZero() || e.holders.some() }

// find returns this node's object of that name, nil if it is gone; the store is locked.
func (s *Store) find(id ID) *Object {
	e := s.entries[id]
	if e != nil && e.object != nil {
		return e.object
	}
	interned.Lock()
	defer interned.Unlock()
	if o := interned.objects[id].Value(); o != nil {
		return o
	}
	if e == nil || e.out == nil {
		return nil
	}
	o := &Object{id: id, home: s}
	o.outcome.Store(e.out)
	o.enter()
	return o
}

// entry returns the entry of an object of this node that is there; the store is locked.
func (s *Store) entry(o *Object) *entry {
	e := s.entries[o.id]
	if e == nil {
		o.findable()
		e = &entry{id: o.id}
		s.entries[o.id] = e
	}
	return e
}

// heldBy takes in a node's word on an object of this one; the store is locked. Of one that is gone nothing is noted.
func (s *Store) heldBy(id ID, node member.ID, version uint64, holds bool) {
	e := s.entries[id]
	var o *Object
	if e == nil || holds && !e.wanted() {
		if o = s.find(id); o == nil || o.outcome.Load() == freed {
			return
		}
		e = s.entry(o)
	}
	e.holders.note(node, version, holds)
	s.reconsider(e, o)
}

// reconsider keeps of an object what is still wanted; the store is locked. o is the object if it is at hand.
func (s *Store) reconsider(e *entry, o *Object) {
	if s.entries[e.id] != e {
		return // it was freed
	}
	if o == nil {
		o = e.object
	}
	if o == nil {
		o = lookup(e.id)
	}
	switch {
	case !e.wanted():
		e.object, e.out = nil, nil
		if o == nil {
			s.end(e)
		}
	case o == nil: // out is all there is
	case e.pins > 0 || !o.everywhere():
		e.object, e.out = o, nil
		s.reconsiderLater(e, o)
	default:
		e.object, e.out = nil, o.outcome.Load()
		e.out.notice() // who holds it may read it
	}
}

// reconsiderLater does so when the object has its outcome. What goes to the bucket is reconsidered by its upload.
func (s *Store) reconsiderLater(e *entry, o *Object) {
	if e.awaited || o.outcome.Load() != nil {
		return
	}
	e.awaited = true
	w := &waiter{state: &o.state, f: func(Outcome) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.reconsider(e, nil)
	}}
	if w.wait() != nil { // just now
		s.reconsider(e, o)
	}
}

// end forgets an object that nobody has any more, and has its blob deleted; the store is locked.
func (s *Store) end(e *entry) {
	delete(s.entries, e.id)
	if e.over != nil {
		s.over = append(s.over, e.over)
	}
	if e.gone.blob != "" {
		for _, k := range e.holders {
			e.gone.copies = append(e.gone.copies, k.node)
		}
		s.collected = append(s.collected, e.gone)
	}
}

// everywhere says whether every node can read the outcome.
func (st *state) everywhere() bool {
	if st.outcome.Load() == nil {
		return false
	}
	u := st.upload()
	if u == nil {
		return true
	}
	select {
	case <-u.stored:
		return true
	default:
		return false
	}
}

// Pin keeps an object of this node askable while a task that has it as an argument is under way. It returns the undoing.
func (s *Store) Pin(o *Object) (unpin func()) {
	if o.home != s {
		return func() {}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entry(o)
	e.pins++
	s.reconsider(e, o)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		e.pins--
		s.reconsider(e, nil)
	}
}

// left forgets what a node that is gone has held and been lent.
func (s *Store) left(node member.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.entries {
		if before := len(e.holders); before > 0 {
			if e.holders.left(node); len(e.holders) < before {
				s.reconsider(e, nil)
			}
		}
	}
	for n, l := range s.loans {
		if l.to == node {
			delete(s.loans, n)
		}
	}
}

const (
	// absentFor is how long a node that the roster does not know may be a holder: it may have just come, or come back.
	absentFor = 10 * time.Second
	// absentEvery is every how many sweeps the roster is asked.
	absentEvery = 5
)

// forgetAbsent forgets holders that have not been in the roster for a while: they are dead, or have left. A word of theirs may come after
// that, so the roster is asked again and again.
func (s *Store) forgetAbsent(now time.Time) {
	s.mu.Lock()
	seen := make(map[member.ID]bool)
	for _, e := range s.entries {
		for _, k := range e.holders {
			seen[k.node] = true
		}
	}
	for _, l := range s.loans {
		seen[l.to] = true
	}
	s.mu.Unlock()
	for node := range s.absent {
		if !seen[node] {
			delete(s.absent, node)
		}
	}
	for node := range seen {
		since, known := s.absent[node]
		switch {
		case s.node.Members.Alive(node):
			delete(s.absent, node)
		case !known:
			s.absent[node] = now
		case now.Sub(since) >= absentFor:
			s.node.Log.Info("a node that is not there holds objects no more", logs.Peer(node))
			delete(s.absent, node)
			s.left(node)
		}
	}
}
