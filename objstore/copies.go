package objstore

import (
	"manta/bus"
	"manta/internal/member"
)

// copies are the blobs in a node's cache by the objects that they hold, so that an owner who deletes an object can have its copies deleted
// by its name. Those that the cache has let go of by itself are forgotten now and then.
type copies map[ID]string

// forgetCopiesEvery is after how many sweeps that is.
const forgetCopiesEvery = 60

// copied notes that the cache has, or will have, an object's blob.
func (s *Store) copied(id ID, b *StoredBlob) {
	if b == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.copies[id] = b.Blob.ID
}

// dropCopy lets go of the copy of an object that its owner has deleted; the store is locked.
func (s *Store) dropCopy(id ID) {
	if blob, ok := s.copies[id]; ok {
		delete(s.copies, id)
		s.cache.drop(bus.Blob{ID: blob})
	}
}

// forgetCopies forgets what the cache does not have; the store is locked.
func (s *Store) forgetCopies() {
	if s.ticks%forgetCopiesEvery != 0 {
		return
	}
	for id, blob := range s.copies {
		if !s.cache.has(blob) {
			delete(s.copies, id)
		}
	}
}

func (c *cache) has(blob string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries[blob] != nil
}

// tellDeleted tells nodes that may have a copy of an object that it is deleted; the store is locked.
func (s *Store) tellDeleted(id ID, nodes []member.ID) {
	for _, node := range nodes {
		if node != s.node.ID && node != (member.ID{}) {
			s.say(node, note{kind: noteDeleted, number: id.Number()})
		}
	}
}

// dropCopiesOf lets go of what a node owned that is gone.
func (s *Store) dropCopiesOf(owner member.ID) {
	if s.node.Members.Alive(owner) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.copies {
		if id.Owner() == owner {
			s.dropCopy(id)
		}
	}
}
