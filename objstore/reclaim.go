package objstore

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"time"

	"go.uber.org/zap"

	"manta/bus"
)

// sweepInterval is how often objects that were collected are deleted from the bucket.
const sweepInterval = time.Second

// collected is a blob of this node that can go: of an object whose last ref in this process is gone, or one that is no
// object's value.
type collected struct {
	store *Store
	id    ID
	blob  string
}

// own remembers a blob as this node's to delete: when the last ref in this process is collected, if the object's name never
// left it, else when the object is freed or the store closes.
func (s *Store) own(o *Object, blob string) {
	s.mu.Lock()
	s.blobs[blob] = o.id
	s.mu.Unlock()
	runtime.AddCleanup(o, func(c collected) { // runs on the runtime's goroutine: it only appends
		c.store.mu.Lock()
		defer c.store.mu.Unlock()
		c.store.collect(c.id, c.blob)
	}, collected{s, o.id, blob})
}

// Discard deletes the blob, if any, of an outcome that nobody will read. One that this node owns stays: the outcome was settled, and
// has come again.
func (s *Store) Discard(id ID, out Outcome) {
	if out.Blob == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, owned := s.blobs[out.Blob.Blob.ID]; !owned {
		s.blobs[out.Blob.Blob.ID] = id
		s.collect(id, out.Blob.Blob.ID)
	}
}

// collect has a blob deleted soon; the store is locked.
func (s *Store) collect(id ID, blob string) {
	s.collected = append(s.collected, collected{s, id, blob})
}

// sweep deletes the blobs of collected objects until ctx ends.
func (s *Store) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.tellUnread()
			for _, c := range s.takeCollected() {
				if err := s.deleteBlob(ctx, c.id, c.blob); err != nil && ctx.Err() == nil {
					s.node.Log.Warn("a collected object stays in the bucket", zap.Stringer("object", c.id), zap.Error(err))
				}
			}
		}
	}
}

// takeCollected returns what is to be deleted. What is askable or goes up is not collected, so it is not in it.
func (s *Store) takeCollected() []collected {
	s.mu.Lock()
	defer s.mu.Unlock()
	ready := s.collected
	s.collected = nil
	return ready
}

func (s *Store) deleteBlob(ctx context.Context, id ID, blob string) error {
	s.mu.Lock()
	_, owned := s.blobs[blob]
	delete(s.blobs, blob)
	s.mu.Unlock()
	if !owned { // freed meanwhile
		return nil
	}
	s.cache.drop(bus.Blob{ID: blob})
	err := s.bucket.Delete(ctx, id.String(), bus.Blob{ID: blob})
	if err != nil {
		s.mu.Lock()
		s.blobs[blob] = id // for Close to try again
		s.mu.Unlock()
	}
	return err
}

// free deletes an object of this node, or asks its owner to.
func (s *Store) free(ctx context.Context, o *Object) error {
	switch {
	case o == nil:
		return ErrNoObject
	case o.failure() != nil:
		return nil
	case o.home == s:
		return s.freeOwn(ctx, o)
	}
	if err := o.escape(); err != nil { // its owner may be another node of this process
		return err
	}
	return s.askFree(ctx, o.id)
}

func (s *Store) freeOwn(ctx context.Context, o *Object) error {
	u := o.upload()
	if u != nil { // whatever it has written must be there to be deleted
		u.cancel(ErrFreed)
		select {
		case <-u.ended:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	stop := s.endLineage(o)
	blob := o.state.free()
	stop()
	s.mu.Lock()
	e := s.exported[o.id]
	delete(s.exported, o.id)
	s.mu.Unlock()
	var told error
	if e != nil {
		told = s.tellGone(ctx, o.id, slices.Collect(maps.Keys(e.readers)))
	}
	switch {
	case u != nil:
		return errors.Join(told, s.deleteBlob(ctx, o.id, u.blob.ID))
	case blob != nil:
		return errors.Join(told, s.deleteBlob(ctx, o.id, blob.Blob.ID))
	}
	return told
}
