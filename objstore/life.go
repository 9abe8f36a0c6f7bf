package objstore

import (
	"errors"

	"manta/bus"
)

// lifeless is the outcome of objects that have no value, and are only held.
var lifeless = &Outcome{Err: errors.New("it has no value: it is the name of an actor")}

// Live makes an object of this node that has no value: whoever has a handle of it keeps something else alive. When nobody has one any
// more, in no process, over is called, once, which must not block; a node that closes calls it no more.
func (s *Store) Live(id ID, over func()) *Object {
	o := &Object{id: id, home: s}
	o.outcome.Store(lifeless)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entry(o).over = over
	return o
}

// Hold makes this node a holder of an object of which it has a handle, until that is collected. The arrival is done when the owner knows.
func (s *Store) Hold(o *Object) *Arrival {
	return s.Arrive(&bus.Refs{IDs: []bus.RefID{bus.RefID(o.id)}})
}

// tellOver calls what is to be called for objects without a value that nobody holds any more.
func (s *Store) tellOver() {
	s.mu.Lock()
	over := s.over
	s.over = nil
	s.mu.Unlock()
	for _, f := range over {
		f()
	}
}

// Leave is called when the object's name is about to be written by a MessagePack encoder, or into text if w is nil. Whoever has the value that
// the encoder makes keeps the object; where nobody says where the bytes go it is kept for the RefTTL.
func (o *Object) Leave(w any) error {
	if err := o.escape(); err != nil {
		return err
	}
	if value, ok := w.(bus.Nester); ok {
		value.Nest(o.id, o)
	} else {
		o.give()
	}
	return nil
}
