package objstore

import (
	"context"

	"go.uber.org/zap"

	"manta/bus"
)

// Make returns n elements, all zero, in memory that other processes of this user on this machine can read: when all of it is Put, or is the
// result of a task, no neighbour has to wait for a copy. Fill it before, and do not change it afterwards. Where memory is not shared or has no
// room, below 1 MiB, and for elements that are neither numbers nor structs of numbers, it is make([]T, n).
func Make[T any](ctx context.Context, n int) []T {
	s, err := storeIn(ctx)
	if err != nil || s.neighbours == nil {
		return make([]T, n)
	}
	v, ok := bus.MakeRaw[T](n, func(size int64) []byte {
		if size < leastShared {
			return nil
		}
		data, err := s.neighbours.Make(size)
		if err != nil {
			s.node.Log.Info("no memory to share", zap.Int64("bytes", size), zap.Error(err))
		}
		return data
	})
	if !ok {
		return make([]T, n)
	}
	return v
}

// offerMade lets neighbours have a value whose memory came from Make; false if it did not.
func (s *Store) offerMade(id ID, blob bus.Blob, value bus.Value) bool {
	if s.neighbours == nil {
		return false
	}
	segment := s.neighbours.Made(value.Data)
	if segment == nil {
		return false
	}
	if !s.cache.lends(s.keepLent(id, blob, value), segment) {
		segment.Close()
	}
	return true
}
