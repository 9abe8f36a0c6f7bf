package actor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/logs"
	"manta/objstore"
)

// Snapshotter is what an actor implements whose state is to survive the loss of its node, or a move to another. Its class needs [Restarts].
//
// Snapshot returns the state, which is kept in the object store. It is called as [SnapshotEvery] says, and when its node drains, while no method
// runs: one that is due waits for those of all groups, and calls wait for it, for 10 s at the most: a method may itself wait for a call of another
// group. Only methods of which several run at a time, by [Concurrency] or their [Group], run beside it. Restore is given the last state that was
// kept, after Start, where the actor is made again.
type Snapshotter interface {
	Snapshot(ctx context.Context) ([]byte, error)
	Restore(ctx context.Context, state []byte) error
}

const (
	// wholeState is all shares of an actor's state.
	wholeState = 1 << 30
	// stillness is how long a snapshot waits for methods that run.
	stillness = 10 * time.Second
)

// errRestless is why there is no snapshot of an actor one of whose methods runs on.
var errRestless = fmt.Errorf("a method has been running for %v: what runs that long needs a Group of a concurrency above 1, which runs beside snapshots", stillness)

// SnapshotEvery is after how many calls the state of a [Snapshotter] is kept, and for how long a call may lie back that is not in it; by default
// 100 and 1 s. What is not in it when the node is lost did not happen for the next life. With 1, no call is answered before its
// effect is kept, for the price of a write or two each; if that fails, a warning is logged and it is tried again after the next call, or that time.
func SnapshotEvery(calls int, after time.Duration) ClassOption {
	return func(c *class) error {
		if calls < 1 || after <= 0 {
			return fmt.Errorf("a snapshot every %d calls or %v: want from 1, and more than 0", calls, after)
		}
		c.saving = saving{every: calls, after: after}
		return nil
	}
}

// saving says when a snapshot is due. It is pure.
type saving struct {
	every   int
	after   time.Duration
	unsaved int  // calls since the last one
	alarmed bool // it will be looked after that, though no further call runs
}

// ran notes that a call has run. alarm is when to look again; 0: that was said already.
func (s *saving) ran() (due bool, alarm time.Duration) {
	if s.unsaved++; s.unsaved >= s.every {
		return true, 0
	}
	return false, s.lookAgain()
}

func (s *saving) lookAgain() (alarm time.Duration) {
	if s.alarmed {
		return 0
	}
	s.alarmed = true
	return s.after
}

// looked notes that the time of an alarm has come.
func (s *saving) looked() (due bool) {
	s.alarmed = false
	return s.unsaved > 0
}

// began notes that a snapshot is taken, in which all calls are that have run.
func (s *saving) began() (unsaved int) {
	unsaved, s.unsaved = s.unsaved, 0
	return unsaved
}

// failed notes that there is no snapshot of so many calls. alarm is as from ran.
func (s *saving) failed(unsaved int) (alarm time.Duration) {
	s.unsaved += unsaved
	return s.lookAgain()
}

// snapshots says whether the actor's state is kept.
func (c *cell) snapshots() bool { return c.class.snapshots && c.lasting() }

// ran is called after each method, before its answer leaves.
func (c *cell) ran(ctx context.Context) {
	if !c.snapshots() {
		return
	}
	c.mu.Lock()
	due, alarm := c.saving.ran()
	c.mu.Unlock()
	c.saveAfter(alarm)
	if due {
		c.save(ctx, nil)
	}
}

// saveAfter puts a snapshot into the queue after a while, unless that is 0.
func (c *cell) saveAfter(alarm time.Duration) {
	if alarm == 0 {
		return
	}
	c.group.Go(func(ctx context.Context) {
		timer := time.NewTimer(alarm)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.saving.looked() && c.phase == serving {
			c.enqueue(&visit{chore: func(ctx context.Context) { c.save(ctx, nil) }})
		}
	})
}

// save keeps the actor's state, with a change of its record if one is given, and returns false if that failed.
func (c *cell) save(ctx context.Context, change func(*record)) bool {
	c.keeping.Lock()
	defer c.keeping.Unlock()
	c.mu.Lock()
	unsaved := c.saving.began()
	c.mu.Unlock()
	err := c.trySave(ctx, change)
	if err == nil {
		return true
	}
	if errors.Is(err, errTaken) {
		c.vacate()
		return false
	}
	c.mu.Lock()
	alarm := c.saving.failed(unsaved)
	c.mu.Unlock()
	if c.saveAfter(alarm); ctx.Err() == nil {
		c.host.node.Log.Warn("an actor's state was not kept", logs.Class(c.class.name), logs.Actor(c.id), zap.Error(err))
	}
	return false
}

func (c *cell) trySave(ctx context.Context, change func(*record)) error {
	kept, err := c.keepState(ctx)
	if err != nil {
		return err
	}
	var old []byte
	err = c.registration.write(ctx, func(rec *record) {
		if old = rec.Snapshot; kept != nil {
			rec.Snapshot = kept
		}
		if change != nil {
			change(rec)
		}
	})
	switch {
	case err != nil:
		c.host.directory.dropState(kept)
	case kept != nil:
		c.host.directory.dropState(old)
	}
	return err
}

// keepState keeps the instance's state and returns what the record is to say of that, nil if there is none to keep.
func (c *cell) keepState(ctx context.Context) ([]byte, error) {
	if !c.class.snapshots {
		return nil, nil
	}
	var state []byte
	asleep := false
	err := c.protect(func() (err error) {
		still, cancel := context.WithTimeoutCause(ctx, stillness, errRestless)
		defer cancel()
		if c.state.Acquire(still, wholeState) != nil {
			return context.Cause(still)
		}
		defer c.state.Release(wholeState)
		if asleep = c.asleep; !asleep {
			state, err = c.instance.Interface().(Snapshotter).Snapshot(c.context(ctx))
		}
		return err
	})
	if err != nil || asleep {
		return nil, err
	}
	return c.host.directory.keepState(ctx, state)
}

// restore gives the instance the state of its last life.
func (c *cell) restore(ctx context.Context) error {
	if !c.class.snapshots || c.registration == nil {
		return nil
	}
	kept := c.registration.record().Snapshot
	if kept == nil {
		return nil
	}
	state, err := c.host.directory.state(ctx, kept)
	if err != nil {
		return fmt.Errorf("its snapshot: %w", err)
	}
	return c.protect(func() error { return c.instance.Interface().(Snapshotter).Restore(ctx, state) })
}

// dropTimeout bounds the removal of a state that a later one has replaced.
const dropTimeout = 10 * time.Second

// keepState keeps an actor's state and returns what its record says of that: the state itself if it is small, else where it is.
func (d *directory) keepState(ctx context.Context, state []byte) ([]byte, error) {
	value, err := bus.Encode(state)
	if err != nil {
		return nil, err
	}
	id := d.store.NextID()
	out := d.store.SealDurable(ctx, id, value, 0)
	if out.Err != nil {
		return nil, out.Err
	}
	return out.AppendTo(id[:]), nil
}

// state reads what keepState kept; ctx carries a node.
func (d *directory) state(ctx context.Context, kept []byte) ([]byte, error) {
	_, out, err := readState(kept)
	if err != nil {
		return nil, err
	}
	if out.Blob != nil {
		var err error
		if out.Value, err = d.store.OpenBlob(ctx, *out.Blob); err != nil {
			return nil, err
		}
	}
	return bus.Decode[[]byte](out.Value)
}

func readState(kept []byte) (id objstore.ID, out objstore.Outcome, err error) {
	r := bus.ReadFields(kept)
	copy(id[:], r.Raw(len(id)))
	out = objstore.ReadOutcome(&r)
	return id, out, errors.Join(r.Err(), out.Err)
}

// dropState removes what keepState kept, behind the caller's back: it is only garbage.
func (d *directory) dropState(kept []byte) {
	id, out, err := readState(kept)
	if err != nil || out.Blob == nil { // none, or a small one
		return
	}
	d.group.Go(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, dropTimeout)
		defer cancel()
		if err := d.store.DeleteBlob(ctx, id, out.Blob.Blob); err != nil && ctx.Err() == nil {
			d.log.Warn("an actor's old state stays in the bucket", zap.Error(err))
		}
	})
}
