package objstore

import (
	"slices"
	"sync"

	"manta/bus"
)

// Outcome is what became of an object: a value, a blob that holds it, or an error.
type Outcome struct {
	Value bus.Value   // valid if it has a Format
	Blob  *StoredBlob // nil unless the bytes are in the bucket
	Err   error
}

// StoredBlob is a value in the bucket.
type StoredBlob struct {
	Blob   bus.Blob
	Format bus.Format
}

// state is what a node knows of one object.
//
//	          settle                       portable
//	pending ─────────► settled (readable here) ─────────► portable (readable anywhere)
//	   └───────────────────────┴─── free ──► settled with ErrFreed
//
// For small values, blobs and errors both steps are one; a large Put is portable when its upload is done.
type state struct {
	mu       sync.Mutex
	outcome  Outcome // valid once settled
	settled  latch
	portable latch
	upload   *upload // nil unless the value goes to the bucket from here
}

// latch is an event that happens once.
type latch struct {
	done    bool
	waiters []*waiter
	closed  chan struct{} // made when somebody waits on it
}

// waiter is a function to call when a latch opens.
type waiter struct{ f func() }

// settle records the outcome. It returns false if there is one already: the first one stays.
func (st *state) settle(o Outcome, portable bool) bool {
	st.mu.Lock()
	if st.settled.done {
		st.mu.Unlock()
		return false
	}
	st.outcome = o
	fire := st.settled.open()
	if portable {
		fire = append(fire, st.portable.open()...)
	}
	st.mu.Unlock()
	call(fire)
	return true
}

// stored records that a settled value is in the bucket too, or why it will never be.
func (st *state) stored(b *StoredBlob, err error) {
	st.mu.Lock()
	if st.outcome.Err == nil {
		st.outcome.Blob = b
		st.outcome.Err = err
	}
	fire := st.portable.open()
	st.mu.Unlock()
	call(fire)
}

// free replaces the outcome by ErrFreed and returns the blob that held it.
func (st *state) free() *StoredBlob {
	st.mu.Lock()
	blob := st.outcome.Blob
	st.outcome = Outcome{Err: ErrFreed}
	fire := append(st.settled.open(), st.portable.open()...)
	st.mu.Unlock()
	call(fire)
	return blob
}

// open returns the functions to call once the state is unlocked.
func (l *latch) open() []*waiter {
	if l.closed != nil && !l.done {
		close(l.closed)
	}
	fire := l.waiters
	l.done, l.waiters = true, nil
	return fire
}

func call(fire []*waiter) {
	for _, w := range fire {
		w.f()
	}
}

// whenSettled calls f once the outcome is there: now, or later from whoever settles it. f must not block. The function it
// returns forgets f, unless it was called already.
func (st *state) whenSettled(f func()) (forget func()) {
	l := &st.settled
	st.mu.Lock()
	if l.done {
		st.mu.Unlock()
		f()
		return func() {}
	}
	w := &waiter{f}
	l.waiters = append(l.waiters, w)
	st.mu.Unlock()
	return func() {
		st.mu.Lock()
		defer st.mu.Unlock()
		if i := slices.Index(l.waiters, w); i >= 0 {
			l.waiters = slices.Delete(l.waiters, i, i+1)
		}
	}
}

// peek returns the outcome, and false if there is none yet.
func (st *state) peek() (Outcome, bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.outcome, st.settled.done
}

// done returns a channel that is closed once the latch is open.
func (st *state) done(l *latch) <-chan struct{} {
	st.mu.Lock()
	defer st.mu.Unlock()
	if l.closed == nil {
		l.closed = make(chan struct{})
		if l.done {
			close(l.closed)
		}
	}
	return l.closed
}
