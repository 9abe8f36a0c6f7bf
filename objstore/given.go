package objstore

import (
	"bytes"
	"time"

	"manta/bus"
)

// DefaultRefTTL is how long a name that was given to somebody who is no node keeps its object, unless the node says otherwise.
const DefaultRefTTL = time.Hour

// SetRefTTL says how long names that this node gives away keep their objects. Package node calls it before the node is used.
func (s *Store) SetRefTTL(d time.Duration) { s.refTTL = d }

// give is called when the object's name goes where nobody says when it is dropped: to a plain NATS client, or into text. The object
// is kept for the RefTTL from then on.
func (o *Object) give() {
	if o.id.Durable() { // nobody keeps it
		return
	}
	interned.Lock()
	stores := interned.stores
	interned.Unlock()
	if home := stores[o.id.Owner()]; home != nil {
		home.mu.Lock()
		defer home.mu.Unlock()
		home.keepGiven(o.id, home.refTTL)
		return
	}
	for _, s := range stores { // most often one
		s.mu.Lock()
		s.say(o.id.Owner(), note{noteGiven, o.id.Number(), uint64(s.refTTL)})
		s.mu.Unlock()
	}
}

// keepGiven keeps an object of this node whose name was given away; the store is locked. A name that is given again is good for longer.
func (s *Store) keepGiven(id ID, ttl time.Duration) {
	o := s.find(id)
	if o == nil || o.outcome.Load() == freed {
		return
	}
	e := s.entry(o)
	if until := time.Now().Add(ttl); until.After(e.given) {
		e.given = until
	}
	s.given[id] = e
	s.reconsider(e, o)
}

// forgetGiven lets go of names whose time is over; the store is locked.
func (s *Store) forgetGiven(now time.Time) {
	for id, e := range s.given {
		if now.Before(e.given) {
			continue
		}
		delete(s.given, id)
		e.given = time.Time{}
		s.reconsider(e, nil)
	}
}

// Give gives what a value names to a plain client. Nil refs are passed over.
func (s *Store) Give(refs *bus.Refs) {
	if refs == nil {
		return
	}
	for _, id := range refs.IDs {
		intern(id).give()
	}
}

// Capture finds the refs in a value that came from a plain client, and makes this node a holder of what they name, as long as somebody
// has the value.
func (s *Store) Capture(v *bus.Value) {
	var ids []bus.RefID
	switch v.Format {
	case bus.Msgpack:
		bus.Extensions(v.Data, refExtension, func(data []byte) {
			if len(data) == len(ID{}) {
				ids = append(ids, bus.RefID(data))
			}
		})
	case bus.JSON:
		ids = refsInJSON(v.Data)
	}
	if n := len(ids); n > 0 && n <= bus.MaxRefs {
		v.Refs = &bus.Refs{IDs: ids}
		s.Arrive(v.Refs)
	}
}

// refsInJSON returns the ids in all that looks like {"$ref": id}. What only looks so, inside a string, does no harm: it keeps an object
// a little longer.
func refsInJSON(data []byte) (ids []bus.RefID) {
	const space = " \t\r\n"
	for {
		_, rest, found := bytes.Cut(data, []byte(`"$ref"`))
		if !found {
			return ids
		}
		data = rest
		rest, colon := bytes.CutPrefix(bytes.TrimLeft(rest, space), []byte(":"))
		text, quote := bytes.CutPrefix(bytes.TrimLeft(rest, space), []byte(`"`))
		if !colon || !quote {
			continue
		}
		text, _, _ = bytes.Cut(text, []byte(`"`))
		if id, err := ParseID(string(text)); err == nil {
			ids = append(ids, id)
		}
	}
}
