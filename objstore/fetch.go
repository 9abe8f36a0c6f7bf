package objstore

import (
	"context"
	"fmt"
	"runtime"

	"manta/bus"
)

// Fetch is Value for somebody who is no node and takes up to most bytes. A larger value stays where it is: ErrTooLarge says so as soon as any client's
// object store API finds it there.
func (s *Store) Fetch(ctx context.Context, o *Object, most int64) (bus.Value, error) {
	defer runtime.KeepAlive(o)
	if err := stored(ctx, o); err != nil {
		return s.Value(ctx, o) // which has its error too, and notes that somebody read it
	}
	size := int64(0)
	if out := s.look(o); out != nil && out.Blob != nil {
		size = out.Blob.Blob.Size
	} else if out != nil {
		size = int64(len(out.Value.Data))
	}
	if size <= most {
		return s.Value(ctx, o)
	}
	if err := s.bucket.AwaitDescribed(ctx, o.id.String()); err != nil {
		return bus.Value{}, fmt.Errorf("waiting for object %s in bucket %s: %w", o.id, s.node.Conn.ObjectsBucket(), err)
	}
	return bus.Value{}, s.TooLarge(o, size, most)
}

// TooLarge is the error of a value that does not go into a message.
func (s *Store) TooLarge(o *Object, size, most int64) error {
	return fmt.Errorf("%w: it has %d bytes, a message takes %d: get object %s from the object store bucket %s", ErrTooLarge, size, most, o.id, s.node.Conn.ObjectsBucket())
}
