package objstore

import (
	"context"
	"sync"

	"manta/internal/member"
)

// watching tells how many of several objects have settled, and which, in the order they did. Its waiters are one
// allocation, however many objects there are.
type watching struct {
	scope   *member.Scope
	prompt  bool     // a failure ends the wait
	waiters []waiter // the links of what has settled are a list of its own, from first to last

	mu          sync.Mutex
	first, last *waiter // settled, and not taken by next yet
	count       int     // settled so far
	enough      int     // at which count wake gets a token; 0 while nobody waits
	failed      error   // the first failure
	wake        chan struct{}
}

// watch makes room for n waiters.
func watch(scope *member.Scope, n int) *watching {
	return &watching{scope: scope, waiters: make([]waiter, 0, n), wake: make(chan struct{}, 1)}
}

// awaitOne waits until one object has settled.
func (s *Store) awaitOne(ctx context.Context, scope *member.Scope, st *state) error {
	w, ok := s.singles.Get().(*watching)
	if !ok {
		w = watch(nil, 1)
	}
	w.scope = scope
	w.add(st, 0)
	if err := w.await(ctx, 1); err != nil {
		w.close() // and is not used again: somebody may be about to settle it
		return err
	}
	clear(w.waiters)
	*w = watching{waiters: w.waiters[:0], wake: w.wake} // whoever has settled it is done with it: its token came last
	s.singles.Put(w)
	return nil
}

// add watches one more object, whose index is what next returns.
func (w *watching) add(st *state, index int) {
	w.waiters = append(w.waiters, waiter{state: st, watching: w, index: index})
	link := &w.waiters[len(w.waiters)-1]
	if out := link.wait(); out != nil {
		w.settled(link, out)
	}
}

// settled notes that a waiter's object has settled; nobody else has the waiter any more.
func (w *watching) settled(link *waiter, out *Outcome) {
	link.next = nil
	w.mu.Lock()
	if w.last == nil {
		w.first = link
	} else {
		w.last.next = link
	}
	w.last = link
	w.count++
	if w.failed == nil {
		w.failed = out.Err
	}
	if w.prompt {
		out.notice()
	}
	wake := w.count == w.enough || w.prompt && out.Err != nil
	w.mu.Unlock()
	if wake {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// await waits until n objects have settled. If it is prompt, it returns the first failure instead as soon as there is one.
func (w *watching) await(ctx context.Context, n int) error {
	w.mu.Lock()
	done := w.count >= n || w.prompt && w.failed != nil
	w.enough = n
	w.mu.Unlock()
	if !done {
		if err := w.scope.Await(ctx, w.wake); err != nil {
			return err
		}
	}
	if !w.prompt {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

// next waits for the next object to settle and returns its index.
func (w *watching) next(ctx context.Context) (int, error) {
	for {
		w.mu.Lock()
		link := w.first
		if link != nil {
			if w.first = link.next; w.first == nil {
				w.last = nil
			}
			w.mu.Unlock()
			return link.index, nil
		}
		w.enough = w.count + 1
		w.mu.Unlock()
		if err := w.scope.Await(ctx, w.wake); err != nil {
			return 0, err
		}
	}
}

// close leaves the objects that have not settled.
func (w *watching) close() {
	for i := range w.waiters {
		w.waiters[i].forget()
	}
}
