package objstore

import "manta/internal/member"

// Store returns the store of the node that owns the object, nil if that is in another process.
func (o *Object) Store() *Store { return o.home }

// Settle is a placeholder.
func (o *Object) Settle(out *Outcome) { o.home.Settle(o, *out) }

// Node returns the id of the node that the store is of.
func (s *Store) Node() member.ID { return s.node.ID }

// Home returns the node that the store is of.
func (s *Store) Home() *member.Node { return s.node }
