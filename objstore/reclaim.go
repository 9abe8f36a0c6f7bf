package objstore

import (
	"context"
	"runtime"
	"time"

	"go.uber.org/zap"

	"manta/bus"
)

// sweepInterval is how often objects that were collected are deleted from the bucket.
const sweepInterval = time.Second

// collected is an object of this node whose last ref in this process is gone.
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
		c.store.collected = append(c.store.collected, c)
	}, collected{s, o.id, blob})
}

// Discard deletes the blob, if any, of an outcome that nobody will read.
func (s *Store) Discard(id ID, out Outcome) {
	if out.Blob == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blobs[out.Blob.Blob.ID] = id
	s.collected = append(s.collected, collected{s, id, out.Blob.Blob.ID})
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

// takeCollected returns what can be deleted: an object that is askable stays, and so does one whose upload still runs.
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
	return s.bucket.Delete(ctx, id.String(), bus.Blob{ID: blob})
}

// free deletes an object of this node, or asks its owner to.
func (s *Store) free(ctx context.Context, o *Object) error {
	switch {
	case o == nil:
		return ErrNoObject
	case o.err != nil:
		return nil
	case o.home != s:
		return s.askFree(ctx, o.id)
	}
	return s.freeOwn(ctx, o.id, o.origin)
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
	delete(s.exported, id)
	s.mu.Unlock()
	switch {
	case st.upload != nil:
		return s.deleteBlob(ctx, id, st.upload.blob.ID)
	case blob != nil:
		return s.deleteBlob(ctx, id, blob.Blob.ID)
	}
	return nil
}
