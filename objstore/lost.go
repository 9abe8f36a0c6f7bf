package objstore

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/event"
	"manta/internal/member"
)

// What becomes of an object whose copy in the bucket cannot be read. On every node, its owner's among them:
//
//	settled ── a reader finds the copy gone or damaged ──► doubted: pending once more, for all who wait for it there
//	   ▲                                                      │ the owner is told, and looks itself, once for all readers
//	   └── the same copy, another one, or ErrLost and why ◄───┘
//
// The owner has what is truly lost computed again, if it is the result of a task that may run again. That is another copy, with a blob of
// its own: a read never mixes two.

// Lineage computes lost results again. Package task implements it.
type Lineage interface {
	// Recompute has a result computed again, which is settled when that is done. The error says in words why it cannot be.
	Recompute(ctx context.Context, o *Object, lost StoredBlob) error
	// Freed is told of every object of this node that is freed: it is never computed again.
	Freed(id ID)
}

// SetLineage says who computes lost results again. It is for the start of a node.
func (s *Store) SetLineage(l Lineage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lineage = l
}

// rereads is how often a copy is read that its owner finds whole and a reader does not.
const rereads = 3

var errNoLineage = errors.New("only results of tasks are computed again")

// doubted says whether it is being found out what has become of the copy.
func (out *Outcome) doubted() bool { return out != nil && out.Blob != nil && out.Blob.doubt != nil }

// pending says whether there is no outcome that this node can use.
func (out *Outcome) pending() bool { return out == nil || out.doubted() }

// valueOf waits for an object's value. A copy that cannot be read is reported to the owner, and the next one waited for: only the owner
// knows whether it is lost or was freed meanwhile.
func (s *Store) valueOf(ctx context.Context, scope *member.Scope, o *Object) (bus.Value, error) {
	if out := s.look(o); out != nil && out.Err == nil && out.Value.Format != 0 {
		return out.Value, nil // as most are
	}
	var lost error
	for read, last := 0, ""; ; {
		out, err := s.await(ctx, scope, o)
		if err != nil {
			return bus.Value{}, err
		}
		if read == rereads && out.Blob != nil && out.Blob.Blob.ID == last { // its owner has no other, and has not freed it
			return bus.Value{}, lost
		}
		value, err := s.open(ctx, scope, o.ID(), out)
		if err == nil || out.Err != nil || out.Blob == nil || !errors.Is(err, ErrLost) {
			return value, err
		}
		if read++; out.Blob.Blob.ID != last {
			read, last = 1, out.Blob.Blob.ID
		}
		lost = err
		s.doubt(o, last, lost)
	}
}

// doubt has it found out whether a copy is lost, unless that is under way already or there is another copy by now.
func (s *Store) doubt(o *Object, blob string, found error) {
	st := s.stateOf(o)
	lost := st.doubt(blob)
	if lost == nil {
		return
	}
	if o.id.Durable() {
		s.follow(o, st) // the archive may know of its end
		return
	}
	started := s.group.Go(func(ctx context.Context) {
		if o.home == s {
			s.examine(ctx, o, *lost)
		} else {
			s.report(ctx, o, st, *lost, found)
		}
	})
	if !started {
		st.settle(&Outcome{Err: bus.ErrClosed})
	}
}

// doubt makes a state whose value is in that blob, and nowhere else, pending, and returns the copy; nil if it is not so.
func (st *state) doubt(blob string) *StoredBlob {
	st.mu.Lock()
	defer st.mu.Unlock()
	out := st.outcome.Load()
	if out == nil || out.Err != nil || out.Blob == nil || out.Blob.Blob.ID != blob || out.Value.Format != 0 || out.Blob.doubt != nil {
		return nil
	}
	doubted := *out.Blob
	doubted.doubt = make(chan struct{})
	st.outcome.Store(&Outcome{Blob: &doubted})
	return out.Blob
}

// replace sets the outcome, and ends the doubt about the one before; mu is locked.
func (st *state) replace(out *Outcome) {
	if old := st.outcome.Swap(out); old.doubted() {
		close(old.Blob.doubt)
	}
}

// report tells an object's owner that a copy cannot be read, and waits for what it says.
func (s *Store) report(ctx context.Context, o *Object, st *state, lost StoredBlob, found error) {
	out, err := s.ask(ctx, o.id.Owner(), bus.AppendString(s.question(lostFrame, o.id), lost.Blob.ID))
	switch {
	case errors.Is(err, ErrOwnerDead):
		out.Err = fmt.Errorf("%w (here: %w)", err, found)
	case err != nil:
		out = Outcome{Err: err}
	case errors.Is(out.Err, ErrLost):
		out.Err = fmt.Errorf("%w (here: %w)", out.Err, found)
	}
	s.accept(ctx, o, st, &out)
}

// answerLost answers a node that cannot read a copy, when it is known what becomes of that.
func (s *Store) answerLost(msg *bus.Msg, o *Object, blob string) {
	s.doubt(o, blob, nil)
	s.answerWhenPortable(msg, o)
}

// examine looks whether a copy of an object of this node is lost, and has the object computed again if it is.
func (s *Store) examine(ctx context.Context, o *Object, lost StoredBlob) {
	data, err := s.fetch(ctx, o.id, lost, nil)
	if errors.Is(err, bus.ErrNoBucket) { // a server that has lost it has lost all that was in it
		if _, err = s.node.Conn.OpenBucket(ctx, s.node.Conn.ObjectsBucket()); err == nil {
			data, err = s.fetch(ctx, o.id, lost, nil)
		}
	}
	switch {
	case err == nil:
		s.cache.keep(lost.Blob, bus.Value{Format: lost.Format, Data: data})
		o.settle(&Outcome{Blob: &lost})
		return
	case !gone(err): // who has read it in vain reads again, or gives up
		s.node.Log.Info("whether an object is lost cannot be told", zap.Stringer("object", o.id), zap.Error(err))
		o.settle(&Outcome{Blob: &lost})
		return
	}
	s.tell(o.id, event.Lost, lost.Blob.Size)
	s.node.Log.Warn("an object is lost", zap.Stringer("object", o.id), zap.String("blob", lost.Blob.ID), zap.Error(err))
	if why := s.recompute(ctx, o, lost); why != nil {
		o.settle(&Outcome{Err: fmt.Errorf("%w: %w: %w", ErrLost, why, err)})
	}
}

// gone says whether an error of reading a blob means that it will never be read.
func gone(err error) bool { return errors.Is(err, bus.ErrBlobGone) || errors.Is(err, bus.ErrChecksum) }

// recompute has a doubted object computed again, once what is left of the copy is deleted.
func (s *Store) recompute(ctx context.Context, o *Object, lost StoredBlob) error {
	s.clear(ctx, o, lost)
	s.mu.Lock()
	lineage := s.lineage
	s.mu.Unlock()
	if lineage == nil {
		return errNoLineage
	}
	return lineage.Recompute(ctx, o, lost)
}

// Missing looks whether an object of this node, whose value is nowhere but in the bucket, is not there any more. It returns the copy if it
// is not. The object is pending then: it is the caller's to have it computed again, or to Lose it.
func (s *Store) Missing(ctx context.Context, o *Object) (lost *StoredBlob) {
	out := o.outcome.Load()
	if o.home != s || out == nil || out.Err != nil || out.Blob == nil || out.Value.Format != 0 || out.doubted() {
		return nil
	}
	there, err := s.bucket.Holds(ctx, out.Blob.Blob)
	if there || err != nil {
		return nil
	}
	if lost = o.state.doubt(out.Blob.Blob.ID); lost != nil {
		s.clear(ctx, o, *lost)
	}
	return lost
}

// clear deletes what is left of a lost copy.
func (s *Store) clear(ctx context.Context, o *Object, lost StoredBlob) {
	if err := s.deleteBlob(ctx, o.id, lost.Blob.ID); err != nil {
		s.node.Log.Info("what is left of a lost object stays in the bucket", zap.Stringer("object", o.id), zap.Error(err))
	}
}

// Lose fails a pending object that cannot be computed again; why says so.
func (s *Store) Lose(o *Object, why error) {
	o.settle(&Outcome{Err: fmt.Errorf("%w: %w", ErrLost, why)})
}

// PromiseAgain makes an object of a name that this node gave before, to one that was collected.
func (s *Store) PromiseAgain(id ID) *Object { return &Object{id: id, home: s} }

// PromisedAgain says who settles an object that is pending once more. False: it is not, because it was freed.
func (o *Object) PromisedAgain(p Promiser) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if out := o.outcome.Load(); out != nil && !out.doubted() {
		return false
	}
	o.promiser = p
	return true
}

// endLineage makes sure that an object which is about to be freed is not computed again. What does that at this moment stops when the
// function that is returned is called.
func (s *Store) endLineage(o *Object) (stop func()) {
	s.mu.Lock()
	lineage := s.lineage
	s.mu.Unlock()
	if lineage != nil {
		lineage.Freed(o.id)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if by := o.promiser; by != nil && o.outcome.Load().doubted() {
		return by.Cancel
	}
	return func() {}
}
