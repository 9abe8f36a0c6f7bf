package objstore

// waiter is somebody to call when a state settles: a function, or one who watches several objects. It is a link of its
// state's list, so that it can leave it at once.
type waiter struct {
	state      *state
	next, prev *waiter // prev of the first is the last; nil outside of a list
	f          func(Outcome)
	watching   *watching // if there is no f
	index      int       // of the object among those watched
}

// wait puts w into its state's list. If that has an outcome it returns that instead.
func (w *waiter) wait() *Outcome {
	st := w.state
	if out := st.outcome.Load(); !out.pending() {
		return out
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if out := st.outcome.Load(); !out.pending() {
		return out
	}
	if first := st.waiters; first == nil {
		st.waiters, w.prev = w, w
	} else {
		w.prev = first.prev
		first.prev.next, first.prev = w, w
	}
	return nil
}

// forget takes w out of the list, unless it was called already, is being called, or left before.
func (w *waiter) forget() {
	st := w.state
	if !st.outcome.Load().pending() {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if w.prev == nil {
		return
	}
	first := st.waiters
	if w == first {
		st.waiters = w.next
	} else {
		w.prev.next = w.next
	}
	switch {
	case w.next != nil:
		w.next.prev = w.prev
	case w != first:
		first.prev = w.prev
	}
	w.next, w.prev = nil, nil
}

// call tells a list of waiters, which no state has any more, of the outcome.
func (w *waiter) call(out *Outcome) {
	for w != nil {
		next := w.next // who watches several objects uses the link again
		if w.f != nil {
			out.notice()
			w.f(*out)
		} else {
			w.watching.settled(w, out)
		}
		w = next
	}
}

// Watch is a function that waits for an object's outcome.
type Watch struct{ waiter *waiter }

// When calls f with the object's outcome as soon as there is one on this node: at once, or from whoever settles it. f must
// not block.
func (s *Store) When(o *Object, f func(Outcome)) Watch {
	st := s.stateOf(o)
	out := st.outcome.Load()
	if out.pending() {
		w := &waiter{state: st, f: f}
		if out = w.wait(); out == nil {
			return Watch{w}
		}
	}
	out.notice()
	f(*out)
	return Watch{}
}

// Forget makes sure that the function will not be called, unless it was already or is just being called.
func (w Watch) Forget() {
	if w.waiter != nil {
		w.waiter.forget()
	}
}
