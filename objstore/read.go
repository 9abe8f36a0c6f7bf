package objstore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"manta/bus"
	"manta/internal/member"
)

func storeAndScope(ctx context.Context) (*Store, *member.Scope, error) {
	scope, err := member.FromContext(ctx)
	if err != nil {
		return nil, nil, err
	}
	return part.Of(scope.Node), scope, nil
}

// read waits for an object's outcome and returns its value.
func read(ctx context.Context, o *Object) (bus.Value, error) {
	if err := o.failure(); err != nil {
		return bus.Value{}, err
	}
	s, scope, err := storeAndScope(ctx)
	if err != nil {
		return bus.Value{}, err
	}
	defer runtime.KeepAlive(o) // a reader is a holder
	return s.valueOf(ctx, scope, o)
}

// await waits for an object's outcome.
func (s *Store) await(ctx context.Context, scope *member.Scope, o *Object) (*Outcome, error) {
	for {
		if out := s.look(o); out != nil {
			return out, nil
		}
		if err := s.awaitOne(ctx, scope, s.stateOf(o)); err != nil {
			return nil, err
		}
	}
}

// Open returns the value of the object that an argument names, for the node that runs the task.
func (s *Store) Open(ctx context.Context, id ID) (bus.Value, error) { return read(ctx, intern(id)) }

// Value waits for an object's value.
func (s *Store) Value(ctx context.Context, o *Object) (bus.Value, error) { return read(ctx, o) }

// open returns the value of an object's outcome, from the bucket if that is where it is.
func (s *Store) open(ctx context.Context, scope *member.Scope, id ID, out *Outcome) (bus.Value, error) {
	switch {
	case out.Err != nil:
		out.notice()
		return bus.Value{}, out.Err
	case out.Value.Format != 0:
		return out.Value, nil
	}
	e, fresh := s.cache.want(out.Blob.Blob)
	if fresh && !s.group.Go(func(ctx context.Context) { s.download(ctx, id, e, *out.Blob) }) {
		s.cache.fill(e, bus.Value{}, bus.ErrClosed)
	}
	if err := s.awaitFetched(ctx, scope, id, e); err != nil {
		return bus.Value{}, err
	}
	value := e.value
	value.Refs = out.Blob.Refs // the cache keeps bytes, and no handles
	return value, e.err
}

func (s *Store) download(ctx context.Context, id ID, e *cached, blob StoredBlob) {
	if data := s.borrow(ctx, id, e); data != nil {
		s.cache.fill(e, bus.Value{Format: blob.Format, Data: data}, nil)
		return
	}
	data, err := s.fetch(ctx, id, blob, nil)
	if errors.Is(err, bus.ErrBlobGone) && s.ownerGone(blob.Blob) {
		err = fmt.Errorf("%w: %w", ErrOwnerDead, err)
	}
	if err == nil {
		s.stats.downloads.Add(1)
		s.stats.downloadedBytes.Add(blob.Blob.Size)
	}
	s.cache.fill(e, bus.Value{Format: blob.Format, Data: data}, err)
}

// ownerGone says whether the node that a blob belongs to has left.
func (s *Store) ownerGone(blob bus.Blob) bool {
	owner, _, _ := strings.Cut(blob.ID, ".")
	id, err := member.ParseID(owner)
	return err == nil && !s.node.Members.Alive(id)
}
