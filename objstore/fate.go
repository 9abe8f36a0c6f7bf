package objstore

import "fmt"

// Fate says in words what this node knows of an object that it owns.
func (s *Store) Fate(id ID) string {
	if id.Number() == 0 || id.Number() > s.last.Load() {
		return fmt.Sprintf("node %s has made no object of that number", s.node.ID)
	}
	s.mu.Lock()
	o := s.find(id)
	s.mu.Unlock()
	if o == nil {
		return "has its outcome, or nobody holds its ref any more"
	}
	switch out := o.outcome.Load(); {
	case out == nil:
		return "has no outcome yet, and is no task that waits: an actor's call, or a task that has just ended"
	case out.doubted():
		return "its result could not be read: whether it is lost is being found out"
	case out.Err != nil:
		return "failed: " + out.Err.Error()
	default:
		return "has its result"
	}
}
