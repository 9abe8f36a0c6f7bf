package objstore

import (
	"context"
	"os"

	"manta/bus"
	"manta/internal/member"
)

// Bookkeeping counts what a node keeps of refs: handles of others' objects, entries of its own, values lent, and words not acknowledged.
type Bookkeeping struct{ Held, Entries, Lent, Posts int }

// Bookkeeping returns what it keeps at this moment.
func (s *Store) Bookkeeping() Bookkeeping {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Bookkeeping{len(s.holds), len(s.entries), len(s.loans), len(s.posts)}
}

// WriteFor writes a large value into the bucket as a node would that is no more: its chunks and its description.
func (s *Store) WriteFor(ctx context.Context, owner member.ID, v []float64) {
	value, err := bus.Encode(v)
	if err != nil {
		panic(err)
	}
	blob := s.bucket.NewBlob(owner.String(), int64(len(value.Data)))
	if err := s.store(ctx, NewID(owner, 1), blob, value, func() {}); err != nil {
		panic(err)
	}
}

// ReadChunkQuestion reads what another node asks, and writes it again.
func ReadChunkQuestion(data []byte) ([]byte, error) {
	q, err := readChunkQuestion(data)
	return q.append(nil), err
}

// ReadRefusal reads what another node answers.
func ReadRefusal(data []byte) error { return readRefusal(&bus.Msg{Data: data}) }

// Segments returns how many segments the node in ctx keeps for its neighbours.
func Segments(ctx context.Context) int {
	s, err := storeIn(ctx)
	if err != nil {
		panic(err)
	}
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	return s.cache.segments
}

// Neighbours returns the names of those whom the node in ctx would ask for a value of an owner.
func Neighbours(ctx context.Context, owner member.ID) []string {
	s, err := storeIn(ctx)
	if err != nil {
		panic(err)
	}
	return s.neighbours.nearest(owner)
}

// Silent notes that a neighbour of the node in ctx has not answered in time.
func Silent(ctx context.Context, name string) {
	s, err := storeIn(ctx)
	if err != nil {
		panic(err)
	}
	s.neighbours.gaveUp(name, os.ErrDeadlineExceeded)
}

// ReadQuestion reads what another node asks.
func ReadQuestion(data []byte) error {
	if r, kind := bus.ReadFrame(data); kind == notesFrame {
		_, _, err := readNotes(&r)
		return err
	}
	_, err := readQuestion(data)
	return err
}

// ReadAnswer reads what another node answers.
func ReadAnswer(data []byte) (Outcome, bool) { return readAnswer(data) }
