package objstore

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"manta/internal/member"
)

// GetAll waits for all values and returns them in the order of refs. The first failure, in time, is returned promptly.
func GetAll[T any](ctx context.Context, refs []Ref[T]) ([]T, error) {
	w, err := watch(ctx, objectsOf(refs))
	if err != nil {
		return nil, err
	}
	defer w.close()
	for range refs {
		i, err := w.next(ctx)
		if err != nil {
			return nil, err
		}
		if out, _ := w.states[i].peek(); out.Err != nil {
			return nil, out.Err
		}
	}
	values := make([]T, len(refs))
	for i, r := range refs {
		if values[i], err = r.Get(ctx); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// Wait waits until n refs are ready, which means that they have a value or an error. It returns exactly n ready ones and
// the rest, both in the order of refs. If ctx ends first it returns what is ready, at most n, and ctx's cause.
func Wait[T any](ctx context.Context, refs []Ref[T], n int) (ready, rest []Ref[T], err error) {
	switch {
	case n < 0:
		return nil, refs, fmt.Errorf("Wait for %d refs: want a number from 0", n)
	case len(refs) == 0:
		return nil, nil, nil
	case n > len(refs):
		return nil, refs, fmt.Errorf("Wait for %d of %d refs: want at most as many as there are", n, len(refs))
	}
	if err := checkDistinct(refs); err != nil {
		return nil, refs, err
	}
	w, err := watch(ctx, objectsOf(refs))
	if err != nil {
		return nil, refs, err
	}
	defer w.close()
	for range n {
		if _, err = w.next(ctx); err != nil {
			break
		}
	}
	for i, r := range refs {
		if _, settled := w.states[i].peek(); settled && len(ready) < n {
			ready = append(ready, r)
		} else {
			rest = append(rest, r)
		}
	}
	return ready, rest, err
}

// Ready yields each ref once, as it becomes ready, until all were yielded or ctx ends.
func Ready[T any](ctx context.Context, refs []Ref[T]) iter.Seq[Ref[T]] {
	return func(yield func(Ref[T]) bool) {
		w, err := watch(ctx, objectsOf(refs))
		if err != nil { // no node in ctx: every Get says so
			for _, r := range refs {
				if !yield(r) {
					return
				}
			}
			return
		}
		defer w.close()
		for range refs {
			i, err := w.next(ctx)
			if err != nil || !yield(refs[i]) {
				return
			}
		}
	}
}

func checkDistinct[T any](refs []Ref[T]) error {
	seen := make(map[Ref[T]]int, len(refs))
	for i, r := range refs {
		if first, dup := seen[r]; dup {
			return fmt.Errorf("%w: refs %d and %d are both %s", ErrDuplicate, first, i, r)
		}
		seen[r] = i
	}
	return nil
}

func objectsOf[T any](refs []Ref[T]) []*Object {
	objects := make([]*Object, len(refs))
	for i, r := range refs {
		objects[i] = r.object
	}
	return objects
}

// watching tells which of several objects settle, in the order they do.
type watching struct {
	scope  *member.Scope
	states []*state
	forget []func()

	mu      sync.Mutex
	settled []int         // indices that next has not returned yet
	signal  chan struct{} // holds one token while settled may have something
}

func watch(ctx context.Context, objects []*Object) (*watching, error) {
	s, scope, err := storeAndScope(ctx)
	if err != nil {
		return nil, err
	}
	w := &watching{scope: scope, signal: make(chan struct{}, 1)}
	for i, o := range objects {
		st := s.stateOf(o)
		w.states = append(w.states, st)
		w.forget = append(w.forget, st.whenSettled(func() { w.push(i) }))
	}
	return w, nil
}

func (w *watching) push(i int) {
	w.mu.Lock()
	w.settled = append(w.settled, i)
	w.mu.Unlock()
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

// next waits for the next object to settle and returns its index.
func (w *watching) next(ctx context.Context) (int, error) {
	for {
		if i, ok := w.pop(); ok {
			return i, nil
		}
		if err := w.scope.Await(ctx, w.signal); err != nil {
			return 0, err
		}
	}
}

func (w *watching) pop() (int, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.settled) == 0 {
		return 0, false
	}
	i := w.settled[0]
	w.settled = w.settled[1:]
	return i, true
}

func (w *watching) close() {
	for _, forget := range w.forget {
		forget()
	}
}
