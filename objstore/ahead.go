package objstore

import (
	"context"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/shared"
)

// mostAhead is how many values are copied for neighbours, at most, since the last time that one read a value here.
const mostAhead = 8

// ahead says whether the next large value of this node is copied for neighbours before one asks: where they read values they will read more,
// and copying takes longer than all else that they wait for. The store is locked.
func (s *Store) ahead() bool {
	if s.foresight == 0 {
		return false
	}
	s.foresight--
	return true
}

// lentOne notes that a neighbour has read a value of this node.
func (s *Store) lentOne() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.foresight = mostAhead
}

// offer lets neighbours have a value that goes up: at once if its memory is theirs already, and copied ahead if it is likely that they want it.
func (s *Store) offer(id ID, blob bus.Blob, value bus.Value) {
	if s.offerMade(id, blob, value) || s.neighbours == nil || blob.Size < leastShared || blob.Size > s.cache.limit {
		return
	}
	s.mu.Lock()
	wanted := s.ahead()
	s.mu.Unlock()
	if !wanted {
		return
	}
	s.group.Go(func(context.Context) {
		if err := s.withSegment(id, blob, value, func(*shared.Segment) error { return nil }); err != nil {
			s.node.Log.Info("a value was not copied for neighbours", zap.Stringer("object", id), zap.Error(err))
		}
	})
}
