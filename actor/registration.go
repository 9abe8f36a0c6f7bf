package actor

import (
	"context"
	"errors"
	"sync"

	"manta/bus"
)

// errTaken says that an actor's record is another's: its node was taken for lost, and the actor is made again elsewhere.
var errTaken = errors.New("the actor was taken over")

// registration is a cell's hold on its actor's record. Whoever has replaced the record has taken the actor over, and the cell has to go.
type registration struct {
	directory *directory
	id        string
	start     []byte // how the actor was asked for, if it is made again when its node is lost

	mu   sync.Mutex // one write at a time
	rec  record
	over bool // it was ended or taken over; nothing is written any more
}

// register takes an id for a cell that is to live on rec.Node. With a revision it takes over the record that has it.
func (d *directory) register(ctx context.Context, id string, rec record, revision uint64, start []byte) (*registration, error) {
	var err error
	if revision == 0 {
		if rec, err = d.claim(ctx, id, rec); err == nil && start != nil {
			if err = d.keepStart(ctx, id, start); err != nil { // it could not be made again: there is to be none
				err = errors.Join(err, d.end(ctx, id, rec, err.Error()))
			}
		}
	} else {
		rec, err = d.enter(ctx, id, rec, revision)
	}
	return &registration{directory: d, id: id, start: start, rec: rec}, err
}

// epoch is 0 without a registration: the actor lives once.
func (r *registration) epoch() uint64 {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rec.Epoch
}

// say writes that the actor is in a state, or returns errTaken.
func (r *registration) say(ctx context.Context, state recordState) error {
	return r.write(ctx, func(rec *record) { rec.State = state })
}

// confirm writes the record as it is. Nobody who read it before can replace it then; if somebody has, it returns errTaken.
func (r *registration) confirm(ctx context.Context) error { return r.write(ctx, func(*record) {}) }

func (r *registration) write(ctx context.Context, change func(*record)) error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mine(ctx, func() error {
		rec := r.rec
		change(&rec)
		rec, err := r.directory.replace(ctx, r.id, rec)
		if err == nil {
			r.rec, r.over = rec, rec.State == recordRestarting
		}
		return err
	})
}

// record returns the record as it was last written.
func (r *registration) record() record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rec
}

// end writes that the actor is dead, unless it was taken over.
func (r *registration) end(ctx context.Context, cause string) error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.mine(ctx, func() error { return r.directory.end(ctx, r.id, r.rec, cause) })
	r.over = true
	if errors.Is(err, errTaken) {
		return nil
	}
	return err
}

// mine does a write, unless the actor was taken over, and does it again if the record is still the cell's: the answer to an earlier write
// was lost, or the bucket. r.mu is held.
func (r *registration) mine(ctx context.Context, write func() error) error {
	if r.over {
		return nil
	}
	err := write()
	if !errors.Is(err, bus.ErrChanged) {
		return err
	}
	found, err := r.directory.look(ctx, r.id)
	switch {
	case err != nil:
		return err
	case found.State == "":
		r.rec.revision = found.revision
		err = r.restore(ctx)
	case found.Node == r.rec.Node && found.Epoch == r.rec.Epoch && found.State != recordDead:
		r.rec = found
	default:
		r.over = true
		return errTaken
	}
	if err == nil {
		err = write()
	}
	if errors.Is(err, bus.ErrChanged) {
		r.over = true
		return errTaken
	}
	return err
}

// restore writes what stood beside a record in a bucket that its server has lost.
func (r *registration) restore(ctx context.Context) error {
	if _, err := r.directory.arrive(ctx, r.rec.Node, r.id); err != nil || r.start == nil {
		return err
	}
	return r.directory.keepStart(ctx, r.id, r.start)
}
