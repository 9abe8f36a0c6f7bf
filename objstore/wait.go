package objstore

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"

	"manta/bus"
)

// GetAll waits for all values and returns them in the order of refs. The first failure, in time, is returned promptly.
func GetAll[T any](ctx context.Context, refs []Ref[T]) ([]T, error) {
	s, scope, err := storeAndScope(ctx)
	if err != nil {
		return nil, err
	}
	pending := 0
	for _, r := range refs {
		if out := s.look(r.object); out == nil {
			pending++
		} else if out.Err != nil {
			out.notice()
			return nil, out.Err
		}
	}
	if pending > 0 {
		w := watch(scope, pending)
		w.prompt = true
		defer w.close()
		watchPending(s, w, refs)
		if err := w.await(ctx, len(w.waiters)); err != nil {
			return nil, err
		}
	}
	values := make([]T, len(refs))
	for i, r := range refs {
		value, err := s.open(ctx, scope, r.object.ID(), s.look(r.object))
		if err != nil {
			return nil, err
		}
		if values[i], err = bus.Decode[T](value); err != nil {
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
	s, scope, err := storeAndScope(ctx)
	if err != nil {
		return nil, refs, err
	}
	if err := checkDistinct(refs); err != nil {
		return nil, refs, err
	}
	if pending, enough := countPending(s, refs, n); !enough {
		w := watch(scope, pending)
		defer w.close()
		watchPending(s, w, refs)
		// What settled between the two looks is not watched, and counts all the same.
		err = w.await(ctx, n-(len(refs)-len(w.waiters)))
	}
	ready, rest = split(s, refs, n)
	return ready, rest, err
}

// countPending counts the refs that have not settled, or finds that n of them have.
func countPending[T any](s *Store, refs []Ref[T], n int) (pending int, enough bool) {
	for i, r := range refs {
		if i-pending >= n {
			return pending, true
		}
		if s.look(r.object) == nil {
			pending++
		}
	}
	return pending, len(refs)-pending >= n
}

// watchPending watches the refs that have not settled, of which there are no more than w has room for.
func watchPending[T any](s *Store, w *watching, refs []Ref[T]) {
	for i, r := range refs {
		if st := s.stateOf(r.object); st.outcome.Load() == nil {
			w.add(st, i)
		}
	}
}

// split returns the first refs that have settled, at most n, and all others.
func split[T any](s *Store, refs []Ref[T], n int) (ready, rest []Ref[T]) {
	ready, rest = make([]Ref[T], 0, n), make([]Ref[T], 0, len(refs)-n)
	for i, r := range refs {
		if len(ready) == n {
			rest = append(rest, refs[i:]...)
			break
		}
		if s.look(r.object) != nil {
			ready = append(ready, r)
		} else {
			rest = append(rest, r)
		}
	}
	return ready, rest
}

// Ready yields each ref once, as it becomes ready, until all were yielded or ctx ends.
func Ready[T any](ctx context.Context, refs []Ref[T]) iter.Seq[Ref[T]] {
	return func(yield func(Ref[T]) bool) {
		s, scope, err := storeAndScope(ctx)
		if err != nil { // no node in ctx: every Get says so
			for _, r := range refs {
				if !yield(r) {
					return
				}
			}
			return
		}
		w := watch(scope, len(refs))
		defer w.close()
		for i, r := range refs {
			w.add(s.stateOf(r.object), i)
		}
		for range refs {
			i, err := w.next(ctx)
			if err != nil || !yield(refs[i]) {
				return
			}
		}
	}
}

// marking numbers the Waits that look for duplicates. Its mutex guards every object's mark: two Waits that share refs take
// turns.
var marking struct {
	sync.Mutex
	last uint64
}

// checkDistinct finds a ref that is given twice by the mark that it left on the object the first time.
func checkDistinct[T any](refs []Ref[T]) error {
	if dup := repeated(refs); dup >= 0 {
		return fmt.Errorf("%w: refs %d and %d are both %s", ErrDuplicate, slices.Index(refs, refs[dup]), dup, refs[dup])
	}
	return nil
}

// repeated returns the index of a ref that is there before, or -1.
func repeated[T any](refs []Ref[T]) int {
	marking.Lock()
	defer marking.Unlock()
	marking.last++
	for i, r := range refs {
		o := r.object
		if o == nil {
			o = noObject
		}
		if o.mark == marking.last {
			return i
		}
		o.mark = marking.last
	}
	return -1
}
