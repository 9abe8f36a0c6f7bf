package objstore

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/event"
	"manta/internal/member"
)

// upload is a large value on its way to the bucket.
type upload struct {
	blob   bus.Blob
	cancel context.CancelCauseFunc
	stored chan struct{} // closed when every node can read it, or never will
	ended  chan struct{} // closed when nothing more will be written
}

// Keep makes an object of an encoded value, whose memory it takes over; a large one goes to the bucket behind it.
func (s *Store) Keep(value bus.Value) *Object {
	o := s.Promise()
	o.PromisedBy(keeper{})
	o.outcome.Store(&Outcome{Value: value})
	switch {
	case len(value.Data) <= InlineLimit:
	case s.node.Confined:
		return FailedObject(fmt.Errorf("a value of %d bytes: %w", len(value.Data), bus.ErrConfined))
	default:
		s.startUpload(o, value)
	}
	return o
}

func (s *Store) startUpload(o *Object, value bus.Value) {
	u := &upload{blob: s.bucket.NewBlob(o.id.Owner().String(), int64(len(value.Data))), stored: make(chan struct{}), ended: make(chan struct{})}
	o.rare = &rare{upload: u}
	var ctx context.Context
	ctx, u.cancel = context.WithCancelCause(s.group.Context())
	s.mu.Lock()
	s.uploads[u] = o
	s.mu.Unlock()
	s.own(o, u.blob, member.ID{})
	s.offer(o.id, u.blob, value)
	started := s.group.Go(func(context.Context) {
		defer s.endUpload(u)
		if err := s.store(ctx, o.id, u.blob, value, func() { o.stored(&StoredBlob{Blob: u.blob, Format: value.Format, Refs: value.Refs}, nil) }); err != nil {
			o.stored(nil, err)
			if context.Cause(ctx) == err { // freed or closed
				return
			}
			s.node.Log.Warn("an object was not stored", zap.Stringer("object", o.id), zap.Error(err))
			s.discardFailed(ctx, o.id, u.blob)
		}
	})
	if !started {
		s.endUpload(u)
		o.stored(nil, bus.ErrClosed)
	}
}

func (s *Store) endUpload(u *upload) {
	u.cancel(nil)
	close(u.ended)
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.uploads[u]
	delete(s.uploads, u)
	if e := s.entries[o.id]; e != nil {
		s.reconsider(e, o)
	}
}

// store writes a blob, calls readable once Manta can read it, and describes it for stock clients after that.
func (s *Store) store(ctx context.Context, id ID, blob bus.Blob, value bus.Value, readable func()) error {
	if err := s.bucket.Write(ctx, blob, value.Data); err != nil {
		return err
	}
	if id.Owner() == s.node.ID {
		s.tell(id, event.Stored, blob.Size)
	}
	s.stats.uploads.Add(1)
	s.stats.uploadedBytes.Add(blob.Size)
	readable()
	if err := s.bucket.Describe(ctx, id.String(), blob, value); err != nil && ctx.Err() == nil {
		s.node.Log.Warn("a stored object stays invisible to stock clients", zap.Stringer("object", id), zap.Error(err))
	}
	return nil
}

// Seal makes the outcome of a value that another node may own: a small one as it is, a large one in the bucket, with the
// value in this node's cache. It returns once the blob is stored.
func (s *Store) Seal(ctx context.Context, id ID, value bus.Value) Outcome {
	if len(value.Data) <= InlineLimit {
		return Outcome{Value: value}
	}
	stored := &StoredBlob{Blob: s.bucket.NewBlob(id.Owner().String(), int64(len(value.Data))), Format: value.Format, Refs: value.Refs}
	s.cache.keep(stored.Blob, bus.Value{Format: value.Format, Data: value.Data})
	s.copied(id, stored)
	s.offerMade(id, stored.Blob, value)
	if err := s.store(ctx, id, stored.Blob, value, func() {}); err != nil {
		s.Discard(id, Outcome{Blob: stored}) // what of it was written
		return Outcome{Err: err}
	}
	return Outcome{Blob: stored}
}

// stored waits until an object is in the bucket, or has turned out to be small.
func stored(ctx context.Context, o *Object) error {
	if err := o.failure(); err != nil {
		return err
	}
	s, scope, err := storeAndScope(ctx)
	if err != nil {
		return err
	}
	st := s.stateOf(o)
	if err := scope.Await(ctx, st.portable()); err != nil {
		return err
	}
	out := st.outcome.Load()
	if out.Err == nil && out.Blob != nil && out.Blob.Rising {
		return s.awaitStored(ctx, scope, o.id)
	}
	return out.Err
}
