package objstore

import (
	"context"

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
	out, err := s.await(ctx, scope, o)
	if err != nil {
		return bus.Value{}, err
	}
	return s.open(ctx, scope, o.ID(), out)
}

// await waits for an object's outcome.
func (s *Store) await(ctx context.Context, scope *member.Scope, o *Object) (*Outcome, error) {
	if out := s.look(o); out != nil {
		return out, nil
	}
	st := s.stateOf(o)
	if err := scope.Await(ctx, st.settled()); err != nil {
		return nil, err
	}
	return st.outcome.Load(), nil
}

// Open returns the value of the object that an argument names, for the node that runs the task.
func (s *Store) Open(ctx context.Context, id ID) (bus.Value, error) { return read(ctx, s.named(id)) }

// Value waits for an object's value.
func (s *Store) Value(ctx context.Context, o *Object) (bus.Value, error) { return read(ctx, o) }

// named returns the object of a name; of this node's own it finds the one that was pinned or has travelled.
func (s *Store) named(id ID) *Object {
	if id.Owner() != s.node.ID {
		return intern(id)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.exported[id]; e != nil {
		return e.object
	}
	return FailedObject(ErrFreed)
}

// open returns the value of an object's outcome, from the bucket if that is where it is.
func (s *Store) open(ctx context.Context, scope *member.Scope, id ID, out *Outcome) (bus.Value, error) {
	switch {
	case out.Err != nil:
		out.notice()
		return bus.Value{}, out.Err
	case out.Value.Format != 0:
		return out.Value, nil
	}
	e, fresh := s.cache.entry(out.Blob.Blob)
	if fresh && !s.group.Go(func(ctx context.Context) { s.download(ctx, id, e, *out.Blob) }) {
		s.cache.fill(e, bus.Value{}, bus.ErrClosed)
	}
	if err := scope.Await(ctx, e.done); err != nil {
		return bus.Value{}, err
	}
	return e.value, e.err
}

func (s *Store) download(ctx context.Context, id ID, e *cached, blob StoredBlob) {
	data, err := s.fetch(ctx, id, blob, nil)
	if err == nil {
		s.stats.downloads.Add(1)
		s.stats.downloadedBytes.Add(blob.Blob.Size)
	}
	s.cache.fill(e, bus.Value{Format: blob.Format, Data: data}, err)
}
