package objstore

// Bookkeeping counts what a node keeps of refs: handles of others' objects, entries of its own, values lent, and words not acknowledged.
type Bookkeeping struct{ Held, Entries, Lent, Posts int }

// Bookkeeping returns what it keeps at this moment.
func (s *Store) Bookkeeping() Bookkeeping {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Bookkeeping{len(s.holds), len(s.entries), len(s.loans), len(s.posts)}
}
