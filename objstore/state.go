package objstore

import (
	"sync"
	"sync/atomic"

	"manta/bus"
	"manta/internal/member"
)

// Outcome is what became of an object: a value, a blob that holds it, or an error.
type Outcome struct {
	Value bus.Value   // valid if it has a Format
	Blob  *StoredBlob // nil unless the bytes are in the bucket
	Err   error

	unread *unread // of a failure that is reported if nobody reads it
}

// StoredBlob is a value in the bucket: one copy of it. What does not travel is for the owner alone.
type StoredBlob struct {
	Blob    bus.Blob
	Format  bus.Format
	Refs    *bus.Refs // inside the value
	Rising  bool      // it goes up still: its owner gives chunks of it meanwhile
	From    member.ID // the node that made it, and so has it at hand, if that is known and not the owner; it does not travel
	Attempt int       // of the task whose result it is, 0 if it is no task's; it does not travel

	doubt chan struct{} // not nil while it is found out whether the copy is lost; closed when that is over
}

// Refs returns what the value holds, nil if it holds no refs.
func (out *Outcome) Refs() *bus.Refs {
	if out.Blob != nil {
		return out.Blob.Refs
	}
	return out.Value.Refs
}

// state is what a node knows of one object.
//
//	          settle                       stored
//	pending ─────────► settled (readable here) ─────────► portable (readable anywhere)
//	   └───────────────────────┴─── free ──► settled with ErrFreed
//
// For small values, blobs and errors both steps are one; a large Put is portable when its upload is done. An object whose copy
// seems to be lost is pending once more (lost.go).
type state struct {
	outcome atomic.Pointer[Outcome] // nil while pending; what it points to does not change. Written under mu, read without
	mu      sync.Mutex
	waiters *waiter // the first of a list; empty once settled
	rare    *rare   // nil for most
	// promiser will settle the state; nil once that has happened, and on nodes that do not own the object.
	promiser Promiser
}

// rare is what few states need.
type rare struct {
	settled chan struct{}     // made when somebody waits on it, and gone once it was closed
	upload  *upload           // of a value that goes to the bucket from here; set before anybody else sees the state
	mirrors map[*Store]*state // what nodes of this process that do not own the object know of it
}

// past is the channel of what has happened already.
var past = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// freed is the outcome of every object that was freed.
var freed = &Outcome{Err: ErrFreed}

// settle records the outcome. It returns false if there is one already: the first one stays.
func (st *state) settle(out *Outcome) bool {
	st.mu.Lock()
	if old := st.outcome.Load(); old != nil && !old.doubted() {
		st.mu.Unlock()
		return false
	}
	fire := st.become(out)
	st.mu.Unlock()
	fire.call(out)
	return true
}

// stored records that a settled value is in the bucket too, or why it will never be.
func (st *state) stored(b *StoredBlob, err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if out := st.outcome.Load(); out.Err == nil {
		st.replace(&Outcome{Value: out.Value, Blob: b, Err: err})
	}
	close(st.rare.upload.stored)
}

// free replaces the outcome by ErrFreed and returns the blob that held it.
func (st *state) free() (blob *StoredBlob) {
	st.mu.Lock()
	if out := st.outcome.Load(); out != nil {
		blob = out.Blob
	}
	fire := st.become(freed)
	st.mu.Unlock()
	fire.call(freed)
	return blob
}

// become sets the outcome and returns the waiters to call once the state is unlocked.
func (st *state) become(out *Outcome) (fire *waiter) {
	st.replace(out)
	fire, st.waiters = st.waiters, nil
	for w := fire; w != nil; w = w.next {
		w.prev = nil // it has left the list, to which others may come
	}
	if _, put := st.promiser.(keeper); !put {
		st.promiser = nil
	}
	if r := st.rare; r != nil {
		if r.settled != nil {
			close(r.settled)
			r.settled = nil
		}
		if r.upload == nil && r.mirrors == nil {
			st.rare = nil
		}
	}
	return fire
}

// settled returns a channel that is closed once there is an outcome.
func (st *state) settled() <-chan struct{} {
	st.mu.Lock()
	defer st.mu.Unlock()
	if out := st.outcome.Load(); !out.pending() {
		return past
	} else if out != nil {
		return out.Blob.doubt
	}
	r := st.needRare()
	if r.settled == nil {
		r.settled = make(chan struct{})
	}
	return r.settled
}

// portable returns a channel that is closed once every node can read the outcome.
func (st *state) portable() <-chan struct{} {
	if out := st.outcome.Load(); out.doubted() {
		return out.Blob.doubt
	}
	if u := st.upload(); u != nil {
		return u.stored
	}
	return st.settled()
}

func (st *state) upload() *upload {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.rare == nil {
		return nil
	}
	return st.rare.upload
}

// needRare makes the rare part if there is none; mu is locked.
func (st *state) needRare() *rare {
	if st.rare == nil {
		st.rare = &rare{}
	}
	return st.rare
}

// mirror returns what a node that does not own the object knows of it, nil if that is nothing. With a fresh state there is
// none yet, and that becomes it.
func (st *state) mirror(s *Store, fresh *state) *state {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.rare != nil && st.rare.mirrors[s] != nil {
		return st.rare.mirrors[s]
	}
	if fresh != nil {
		r := st.needRare()
		if r.mirrors == nil {
			r.mirrors = make(map[*Store]*state)
		}
		r.mirrors[s] = fresh
	}
	return fresh
}
