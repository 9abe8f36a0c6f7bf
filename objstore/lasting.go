package objstore

import (
	"context"
	"fmt"
	"time"

	"manta/bus"
	"manta/internal/event"
	"manta/internal/member"
)

// blobGrace is how much longer than the record of a durable object its large value is kept: it was written before.
const blobGrace = time.Minute

// keepDurable is Keep for an object that nobody owns. It returns when the value is stored, with a failed object if it is not.
func (s *Store) keepDurable(ctx context.Context, scope *member.Scope, value bus.Value, ttl time.Duration) *Object {
	if err := Mortal(value); err != nil {
		return FailedObject(fmt.Errorf("a durable object: %w", err))
	}
	if scope.Work != nil {
		scope.Work.Block()
		defer scope.Work.Unblock()
	}
	o := s.PromiseDurable()
	out, err := s.archived(ctx, o.id, value, ttl)
	if err != nil {
		return FailedObject(fmt.Errorf("storing a durable object: %w", err))
	}
	s.tell(o.id, event.Stored, int64(len(value.Data)))
	o.mirror(s, &state{}).settle(out) // whoever reads it here has it at hand
	if ttl > 0 {
		id := o.id
		time.AfterFunc(ttl, func() { s.Forget(id) })
	}
	return o
}

// archived stores a value in the archive, a large one in the bucket before it, and returns what it is on this node.
func (s *Store) archived(ctx context.Context, id ID, value bus.Value, ttl time.Duration) (*Outcome, error) {
	here, record := &Outcome{Value: value}, &Outcome{Value: value}
	if len(value.Data) > InlineLimit {
		blobTTL := ttl
		if ttl > 0 {
			blobTTL += blobGrace
		}
		blob, err := s.storeNobodys(ctx, id, value, blobTTL)
		if err != nil {
			return nil, err
		}
		here.Blob, record = blob, &Outcome{Blob: blob}
	}
	err := s.archive.Keep(ctx, id, record, ttl)
	switch {
	case err == nil:
		return here, nil
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	}
	ctx, cancel := undoing(ctx)
	defer cancel()
	_ = s.archive.Free(ctx, id) // the record may be on its way still; the error of Keep says more
	if here.Blob != nil {
		_ = s.DeleteBlob(ctx, id, here.Blob.Blob)
	}
	return nil, err
}

// heldDurable returns the bytes of a durable object that this node has put, if the blob is that one's.
func (o *Object) heldDurable(s *Store, blob string) (value bus.Value, held bus.Blob, ok bool) {
	st := o.mirror(s, nil)
	if st == nil {
		return value, held, false
	}
	out := st.outcome.Load()
	if out == nil || out.Value.Format == 0 || out.Blob == nil || out.Blob.Blob.ID != blob {
		return value, held, false
	}
	return out.Value, out.Blob.Blob, true
}
