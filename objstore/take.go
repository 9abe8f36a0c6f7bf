package objstore

import (
	"context"

	"manta/bus"
)

// Take reads a value that was sealed under id for this reader alone, and has its blob deleted.
func (s *Store) Take(ctx context.Context, id ID, out Outcome) (bus.Value, error) {
	_, scope, err := storeAndScope(ctx)
	if err != nil {
		return bus.Value{}, err
	}
	value, err := s.open(ctx, scope, id, &out)
	s.Discard(id, out)
	return value, err
}
