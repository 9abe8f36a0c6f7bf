package objstore

import (
	"context"
	"errors"
	"runtime"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/event"
	"manta/internal/member"
)

// sweepInterval is how often objects that were collected are deleted from the bucket.
const sweepInterval = time.Second

// collected is a blob of this node that can go: of an object whose last ref in this process is gone, or one that is no
// object's value.
type collected struct {
	store  *Store
	id     ID
	blob   string
	copies []member.ID // nodes that may have it in their caches
}

// own remembers a blob as this node's to delete: when the last ref in this process is collected and nobody else wants the object,
// when it is freed, or when the store closes.
func (s *Store) own(o *Object, blob bus.Blob, madeBy member.ID) {
	if nobodys(blob.ID) {
		return
	}
	s.mu.Lock()
	s.blobs[blob.ID] = owned{o.id, blob.Size}
	s.mu.Unlock()
	gone := collected{store: s, id: o.id, blob: blob.ID}
	if madeBy != (member.ID{}) {
		gone.copies = []member.ID{madeBy}
	}
	runtime.AddCleanup(o, func(c collected) { // runs on the runtime's goroutine: it only appends
		c.store.mu.Lock()
		defer c.store.mu.Unlock()
		if e := c.store.entries[c.id]; e != nil {
			e.gone = c
			return
		}
		c.store.collected = append(c.store.collected, c)
	}, gone)
}

// Discard deletes the blob, if any, of an outcome that nobody will read, and tells who lent what it names that it is not wanted. One that this node owns stays: the outcome was settled, and
// has come again.
func (s *Store) Discard(id ID, out Outcome) {
	s.Decline(out.Refs())
	if out.Blob == nil || nobodys(out.Blob.Blob.ID) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ours := s.blobs[out.Blob.Blob.ID]; !ours {
		s.blobs[out.Blob.Blob.ID] = owned{id, out.Blob.Blob.Size}
		s.collect(id, out.Blob.Blob.ID)
	}
}

// collect has a blob deleted soon; the store is locked.
func (s *Store) collect(id ID, blob string) {
	s.collected = append(s.collected, collected{store: s, id: id, blob: blob})
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
			s.tidy(time.Now())
			for _, c := range s.takeCollected() {
				if err := s.deleteBlob(ctx, c.id, c.blob); err != nil && ctx.Err() == nil {
					s.node.Log.Warn("a collected object stays in the bucket", zap.Stringer("object", c.id), zap.Error(err))
				}
				s.mu.Lock()
				s.tellDeleted(c.id, c.copies)
				s.mu.Unlock()
			}
		}
	}
}

// tidy does what the clock asks for.
func (s *Store) tidy(now time.Time) {
	s.ticks++
	s.takeDropped()
	s.tellOver()
	s.nudge()
	if s.ticks%absentEvery == 0 {
		s.forgetAbsent(now)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetLoans()
	s.forgetGiven(now)
	s.forgetCopies()
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
	was, ours := s.blobs[blob]
	delete(s.blobs, blob)
	s.mu.Unlock()
	if !ours { // freed meanwhile
		return nil
	}
	s.cache.drop(bus.Blob{ID: blob})
	err := s.bucket.Delete(ctx, id.String(), bus.Blob{ID: blob})
	if err != nil {
		s.mu.Lock()
		s.blobs[blob] = was // for Close to try again
		s.mu.Unlock()
	}
	s.tell(id, event.Freed, was.size)
	return err
}

// free deletes an object of this node, or asks its owner to.
func (s *Store) free(ctx context.Context, o *Object) error {
	switch {
	case o == nil:
		return ErrNoObject
	case o.failure() != nil:
		return nil
	case s.node.Confined && o.home != s:
		return bus.ErrConfined
	case o.id.Durable():
		return s.freeDurable(ctx, o.id)
	case o.home == s:
		return s.freeOwn(ctx, o)
	}
	if err := o.escape(); err != nil { // its owner may be another node of this process
		return err
	}
	return s.askFree(ctx, o.id)
}

// freeUnasked frees an object of this node of which nobody waits to hear.
func (s *Store) freeUnasked(ctx context.Context, o *Object) {
	if err := s.freeOwn(ctx, o); err != nil && ctx.Err() == nil {
		s.node.Log.Warn("an object whose time is over was not freed everywhere", zap.Stringer("object", o.id), zap.Error(err))
	}
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
	e := s.entries[o.id]
	delete(s.entries, o.id)
	s.mu.Unlock()
	var told error
	if e != nil {
		told = s.tellGone(ctx, o.id, e.holders.nodes())
	}
	switch {
	case u != nil:
		return errors.Join(told, s.deleteBlob(ctx, o.id, u.blob.ID))
	case blob != nil:
		return errors.Join(told, s.deleteBlob(ctx, o.id, blob.Blob.ID))
	}
	return told
}
