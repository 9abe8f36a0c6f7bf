package objstore

import (
	"manta/internal/event"
)

// owned is a blob that is this node's to delete.
type owned struct {
	id   ID
	size int64
}

// tell tells what has become of a large object of this node, or of a durable one, which is nobody's. The store may be locked.
func (s *Store) tell(id ID, state event.State, size int64) {
	o := event.Object{ID: id.String(), Owner: s.node.ID.String(), State: state, Size: size}
	if id.Durable() {
		o.Owner, o.Where = "", "bucket"
	}
	switch now := event.Now(); state {
	case event.Stored:
		o.Stored = now
	case event.Lost:
		o.State, o.Lost = event.Stored, now
	default:
		o.Ended = now
	}
	s.node.Events.Object(o)
}

// Present returns what is known of this node's objects that are large, or kept for others, at most so many; more is how many there are beside them.
func (s *Store) Present(most int) (objects []*event.Object, more int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	there := make(map[ID]*event.Object)
	find := func(id ID) *event.Object {
		o := there[id]
		if o == nil && len(there) >= most {
			more++
			return nil
		}
		if o == nil {
			o = &event.Object{ID: id.String(), Owner: s.node.ID.String(), State: event.Stored, Where: "memory"}
			there[id] = o
		}
		return o
	}
	for _, b := range s.blobs {
		if o := find(b.id); o != nil {
			o.Size, o.Where = b.size, "bucket"
		}
	}
	for _, up := range s.uploads {
		if o := there[up.id]; o != nil {
			o.Where = "uploading"
		}
	}
	for id, e := range s.entries {
		if e.over != nil { // what the handles of an actor hold
			continue
		}
		if o := find(id); o != nil {
			s.describe(o, e)
		}
	}
	for _, o := range there {
		objects = append(objects, o)
	}
	return objects, more
}

// describe says of an object who wants it; the store is locked.
func (s *Store) describe(o *event.Object, e *entry) {
	o.Pins, o.Given = e.pins, !e.given.IsZero()
	for _, h := range e.holders {
		if !h.former {
			o.Holders = append(o.Holders, h.node.String())
		}
	}
	out := e.out
	if out == nil && e.object != nil {
		out = e.object.outcome.Load()
	}
	switch {
	case out == nil:
		o.State, o.Where = event.Pending, ""
	case out.Blob == nil:
		o.Size = int64(len(out.Value.Data))
	}
}
