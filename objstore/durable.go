package objstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"manta/bus"
	"manta/internal/event"
	"manta/internal/member"
)

// ErrExpired is returned by reads of a durable object or a durable task's result that is not kept any more, or of an id that neither has. The
// task may have run.
var ErrExpired = bus.RegisterError("expired", errors.New("nothing is kept under this id: it has expired, or there never was such a durable object or task"))

// durableNumber is the bit of an object's number that says that the object does not live with its owner: everybody who has the name can see it.
const durableNumber = 1 << 63

// durableOwner stands before the names of blobs that are nobody's: a dead owner's blobs are removed by its name.
const durableOwner = "durable"

// Durable says whether the id is of a durable object or a durable task's result, which is asked for in the archive and not from its owner.
func (id ID) Durable() bool { return id.Number()&durableNumber != 0 }

// Archive is where durable objects and the results of durable tasks are. Package task has it.
type Archive interface {
	// Keep stores what an object is, for ttl; 0: until Free. It returns when that is stored.
	Keep(ctx context.Context, id ID, out *Outcome, ttl time.Duration) error
	// Await calls settle once, when there is a result or there never will be: maybe at once. It does not block.
	Await(id ID, settle func(*Outcome))
	Free(ctx context.Context, id ID) error
	Cancel(ctx context.Context, id ID) error
}

// SetArchive says where durable objects are. It must be called before the node is used.
func (s *Store) SetArchive(a Archive) { s.archive = a }

// PromiseDurable makes an object that does not live here: its owner asks the archive for it, as everybody else does.
func (s *Store) PromiseDurable() *Object {
	return intern(NewID(s.node.ID, s.last.Add(1)|durableNumber))
}

// Named returns the object of a name that somebody has handed over.
func Named(id ID) *Object { return intern(id) }

// SealDurable is Seal for a value that outlives its node: a large one is kept in the bucket for ttl, or until DeleteBlob.
func (s *Store) SealDurable(ctx context.Context, id ID, value bus.Value, ttl time.Duration) Outcome {
	s.Give(value.Refs) // nobody says when the result is dropped
	if len(value.Data) <= InlineLimit {
		return Outcome{Value: value}
	}
	stored, err := s.storeNobodys(ctx, id, value, ttl)
	if err != nil {
		return Outcome{Err: err}
	}
	s.cache.keep(stored.Blob, value)
	return Outcome{Blob: stored}
}

// storeNobodys writes a large value into the bucket, for ttl; 0: until DeleteBlob.
func (s *Store) storeNobodys(ctx context.Context, id ID, value bus.Value, ttl time.Duration) (*StoredBlob, error) {
	blob := s.bucket.NewBlob(durableOwner, int64(len(value.Data)))
	blob.TTL = ttl
	if err := s.store(ctx, id, blob, value, func() {}); err != nil {
		ctx, cancel := undoing(ctx)
		defer cancel()
		_ = s.DeleteBlob(ctx, id, blob) // what of it was written; the error of the write says more
		return nil, err
	}
	blob.TTL = 0
	return &StoredBlob{Blob: blob, Format: value.Format}, nil
}

// undoing returns a ctx in which to undo what has failed in one that may have ended.
func undoing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
}

// KeepArgument stores a large argument of a durable task, until DropArgument. Only whoever has its name finds it.
func (s *Store) KeepArgument(ctx context.Context, value bus.Value) (*StoredBlob, error) {
	s.Give(value.Refs)
	blob := s.bucket.NewBlob(durableOwner, int64(len(value.Data)))
	if err := s.bucket.Write(ctx, blob, value.Data); err != nil {
		_ = s.DropArgument(ctx, blob) // what of it was written; the error of the write says more
		return nil, err
	}
	return &StoredBlob{Blob: blob, Format: value.Format}, nil
}

// DropArgument removes what KeepArgument stored.
func (s *Store) DropArgument(ctx context.Context, blob bus.Blob) error {
	s.cache.drop(blob)
	return s.bucket.Delete(ctx, blob.ID, blob) // nothing was described under that name
}

// DeleteBlob removes what SealDurable stored for an id.
func (s *Store) DeleteBlob(ctx context.Context, id ID, blob bus.Blob) error {
	s.cache.drop(blob)
	return s.bucket.Delete(ctx, id.String(), blob)
}

// OpenBlob returns a value in the bucket.
func (s *Store) OpenBlob(ctx context.Context, stored StoredBlob) (bus.Value, error) {
	scope, err := member.FromContext(ctx)
	if err != nil {
		return bus.Value{}, err
	}
	return s.open(ctx, scope, ID{}, &Outcome{Blob: &stored})
}

// nobodys says whether a blob is deleted with the record that names it, and not by a node.
func nobodys(blob string) bool { return strings.HasPrefix(blob, durableOwner+".") }

// freeDurable deletes what the archive has of an object, and what this node knows of it.
func (s *Store) freeDurable(ctx context.Context, id ID) error {
	err := s.archive.Free(ctx, id)
	if err == nil {
		s.tell(id, event.Freed, 0)
		s.Forget(id)
	}
	return err
}

// Expect has this node await a durable object from this moment on.
func (s *Store) Expect(o *Object) { s.stateOf(o) }

// Look returns an object's outcome if there is one on this node.
func (s *Store) Look(o *Object) *Outcome { return s.look(o) }

// Mortal is the error of a value that is to outlive its owner and holds a ref whose object does not; nil if it holds none.
func Mortal(value bus.Value) error {
	if value.Refs == nil {
		return nil
	}
	for _, id := range value.Refs.IDs {
		if !ID(id).Durable() {
			return fmt.Errorf("it holds a ref, %s, whose object ends with its owner: Put that with objstore.Durable(), or have a durable task make it", ID(id))
		}
	}
	return nil
}
