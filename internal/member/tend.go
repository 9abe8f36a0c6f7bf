package member

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"

	"manta/bus"
)

const (
	// watchTimeout bounds how long a watch may take to begin, which it does not without JetStream; watchRetry is the pause after.
	watchTimeout = 5 * time.Second
	watchRetry   = 250 * time.Millisecond
)

// watches belong to OpenTable until it returns, and then to the table's goroutine.
type watches struct {
	records, leases *bus.Watch
	wards           []ID // whose leases are watched
	failed          bool // the last attempt to begin, and said so
}

func (w *watches) stop() {
	for _, watch := range []*bus.Watch{w.records, w.leases} {
		if watch != nil {
			watch.Stop()
		}
	}
}

// ended says when a watch has, by itself; never if there is none.
func ended(w *bus.Watch) <-chan struct{} {
	if w == nil {
		return nil
	}
	return w.Ended()
}

// serve keeps the watches going and claims the leases that end, until ctx ends.
func (t *Table) serve(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(time.Until(t.tend(ctx)))
		select {
		case <-t.stirred:
		case <-ended(t.watches.records):
			t.watchEnded(ctx)
		case <-ended(t.watches.leases):
			t.watchEnded(ctx)
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// watchEnded begins anew when a watch has ended by itself. After a pause, because what ended it may last.
func (t *Table) watchEnded(ctx context.Context) {
	Pause(ctx, watchRetry)
	t.resync()
}

func (t *Table) stir() {
	select {
	case t.stirred <- struct{}{}:
	default:
	}
}

// resync makes the watches begin anew: those in force may belong to a store that is no more, and those that are just beginning may
// wait for an answer that was lost with the connection.
func (t *Table) resync() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stale = true
	if t.giveUp != nil {
		t.giveUp()
	}
	t.stir()
}

// tend does all that is due, and returns when more will be if nothing stirs.
func (t *Table) tend(ctx context.Context) (wake time.Time) {
	bounded, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	t.mu.Lock()
	t.giveUp = cancel
	watch := t.watchRing
	if t.stale {
		watch = t.beginAnew
	}
	t.mu.Unlock()
	err := watch(bounded)
	if errors.Is(bounded.Err(), context.Canceled) {
		return time.Now()
	}
	switch failed := err != nil && ctx.Err() == nil; {
	case failed && !t.watches.failed:
		t.watches.failed = true
		t.log.Warn("the table of nodes stands still: its buckets cannot be watched", zap.Error(err))
	case err == nil && t.watches.failed:
		t.watches.failed = false
		t.log.Info("the table of nodes is up to date again")
	}
	now := time.Now()
	if err != nil {
		return now.Add(watchRetry)
	}
	actions, wake := t.due(now)
	for _, a := range actions {
		t.act(ctx, a)
	}
	if len(actions) > 0 {
		return now
	}
	return wake
}

// beginAnew watches both buckets from scratch. Until it has, nobody leaves for want of a sign; what the old watches say does
// not count any more.
func (t *Table) beginAnew(ctx context.Context) error {
	t.mu.Lock()
	t.stale, t.blind, t.graceEnd = false, true, time.Time{}
	t.epoch++
	epoch := t.epoch
	t.roster.doubt()
	t.mu.Unlock()
	records, err := t.records.Watch(ctx, func(e bus.Entry) { t.recordChanged(epoch, e) })
	if err == nil {
		t.watches.stop()
		t.watches = watches{records: records, failed: t.watches.failed}
		t.mu.Lock()
		t.guard.forget(time.Now())
		t.mu.Unlock()
		err = t.watchRing(ctx)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.stale = true
		return err
	}
	t.blind, t.graceEnd = false, time.Now().Add(t.pace.grace())
	return nil
}

// watchRing watches the leases of the nodes that precede this one in the ring, if they are not those that it watches. The old watch
// ends after the new one has begun, and a lease that ended has left a marker, so none ends unseen.
func (t *Table) watchRing(ctx context.Context) error {
	t.mu.Lock()
	epoch := t.epoch
	wards := wardsOf(t.roster.ids(), t.self)
	t.guard.keep(wards, time.Now())
	t.mu.Unlock()
	if slices.Equal(wards, t.watches.wards) {
		return nil
	}
	var leases *bus.Watch
	if len(wards) > 0 { // a watch of no keys would be one of all
		var err error
		leases, err = t.leases.Watch(ctx, func(e bus.Entry) { t.leaseChanged(epoch, e) }, keysOf(wards)...)
		if err != nil {
			return err
		}
	}
	if t.watches.leases != nil {
		t.watches.leases.Stop()
	}
	t.watches.leases, t.watches.wards = leases, wards
	return nil
}

func keysOf(ids []ID) (keys []string) {
	for _, id := range ids {
		keys = append(keys, id.String())
	}
	return keys
}

// due returns which claims are, and takes away the nodes whose grace is over. A node that has lost its own lease claims nobody: what
// ended the others' may be the same stall of the bucket. When it has it again, its picture begins anew, with a grace.
func (t *Table) due(now time.Time) (actions []guardAction, wake time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.graceEnd.IsZero() && !now.Before(t.graceEnd) {
		t.graceEnd = time.Time{}
		for _, id := range t.roster.unconfirmed() {
			t.remove(id)
		}
	}
	if lease := t.Lease(); t.stale || lease != nil && !lease.Holds(now) {
		wake = now.Add(t.pace.retry())
	} else if actions, wake = t.guard.next(now); wake.IsZero() {
		wake = now.Add(time.Hour)
	}
	if !t.graceEnd.IsZero() && t.graceEnd.Before(wake) {
		wake = t.graceEnd
	}
	return actions, wake
}
