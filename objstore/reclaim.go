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

// collected is a blob of this node that can go: of an object whose last ref in this process is gone, or a stray one, which
// is no object's value.
type collected struct {
	store *Store
	id    ID
	blob  string
	stray bool
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
		c.store.collected = append(c.store.collected, c)
	}, collected{s, o.id, blob, false})
}

// Discard deletes the blob, if any, of an outcome that nobody will read.
func (s *Store) Discard(id ID, out Outcome) {
	if out.Blob == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blobs[out.Blob.Blob.ID] = id
	s.collected = append(s.collected, collected{s, id, out.Blob.Blob.ID, true})
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
			for _, c := range s.takeCollected() {
				if err := s.deleteBlob(ctx, c.id, c.blob); err != nil && ctx.Err() == nil {
					s.node.Log.Warn("a collected object stays in the bucket", zap.Stringer("object", c.id), zap.Error(err))
				}
			}
		}
	}
}

// takeCollected returns what can be deleted now: an object that is askable stays, and so does one whose upload still runs.
func (s *Store) takeCollected() (ready []collected) {
	s.mu.Lock()
	defer s.mu.Unlock()
	uploading := make(map[string]bool, len(s.uploads))
	for u := range s.uploads {
		uploading[u.blob.ID] = true
	}
	var later []collected
	for _, c := range s.collected {
		switch e := s.exported[c.id]; {
		case c.stray:
			ready = append(ready, c)
		case e != nil && e.escaped: // Free and Close know it
		case e != nil || uploading[c.blob]:
			later = append(later, c)
		default:
			ready = append(ready, c)
		}
	}
	s.collected = later
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
	case o.err != nil:
		return nil
	case o.home == s:
		return s.freeOwn(ctx, o.id, o.origin)
	}
	if err := o.escape(); err != nil { // its owner may be another node of this process
		return err
	}
	return s.askFree(ctx, o.id)
}

func (s *Store) freeOwn(ctx context.Context, id ID, st *state) error {
	if st.upload != nil { // whatever it has written must be there to be deleted
		st.upload.cancel(ErrFreed)
		select {
		case <-st.upload.ended:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	blob := st.free()
	s.mu.Lock()
	e := s.exported[id]
	delete(s.exported, id)
	s.mu.Unlock()
	var told error
	if e != nil {
		told = s.tellGone(ctx, id, slices.Collect(maps.Keys(e.readers)))
	}
	switch {
	case st.upload != nil:
		return errors.Join(told, s.deleteBlob(ctx, id, st.upload.blob.ID))
	case blob != nil:
		return errors.Join(told, s.deleteBlob(ctx, id, blob.Blob.ID))
	}
	return told
}
