package member

import (
	"context"
	"encoding/json"
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
	// claimTimeout bounds each request of a claim.
	claimTimeout = time.Second
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
	t.blind, t.graceEnd = false, time.Now().Add(resyncGrace)
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
		wake = now.Add(leaseRetry)
	} else if actions, wake = t.guard.next(now); wake.IsZero() {
		wake = now.Add(time.Hour)
	}
	if !t.graceEnd.IsZero() && t.graceEnd.Before(wake) {
		wake = t.graceEnd
	}
	return actions, wake
}

// act claims an ended lease, or removes the record of its node once it is claimed. Of several that claim a lease the server takes
// one; what fails is tried again, by this node or another.
func (t *Table) act(ctx context.Context, a guardAction) {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	do := t.claim
	if a.remove {
		do = t.removeRecord
	}
	if err := do(ctx, a); err != nil && !errors.Is(err, bus.ErrChanged) && ctx.Err() == nil {
		t.log.Warn("a node whose lease has ended is not removed yet", zap.Stringer("of", a.id), zap.Error(err))
	}
}

func (t *Table) claim(ctx context.Context, a guardAction) error {
	revision, err := t.leases.Renew(ctx, a.id.String(), claimOf(t.self), a.revision, claimTTL)
	if err != nil {
		return err
	}
	t.log.Info("a node is gone: its lease has ended", zap.Stringer("of", a.id))
	t.mu.Lock()
	defer t.mu.Unlock()
	t.guard.claimed(a.id, revision, time.Now())
	return nil
}

// removeRecord removes the record that the table knows: one that was written since is the word of a node that is back.
func (t *Table) removeRecord(ctx context.Context, a guardAction) error {
	t.mu.Lock()
	var revision uint64
	if n, ok := t.roster[a.id]; ok {
		revision = n.revision
	}
	t.mu.Unlock()
	if revision > 0 {
		if err := t.records.DeleteRevision(ctx, a.id.String(), revision); err != nil {
			return err
		}
	}
	t.mu.Lock()
	t.guard.removed(a.id)
	t.mu.Unlock()
	_, err := t.leases.Renew(ctx, a.id.String(), claimOf(t.self), a.revision, sealTTL)
	return err
}

func (t *Table) recordChanged(epoch int, e bus.Entry) {
	id, err := ParseID(e.Key)
	if err != nil {
		t.log.Warn("the bucket of nodes holds a foreign key", zap.String("key", e.Key))
		return
	}
	var info Info
	if !e.Gone {
		if err := json.Unmarshal(e.Value, &info); err != nil {
			t.log.Warn("the record of a node does not decode", zap.String("key", e.Key), zap.Error(err))
			return
		}
		info.ID = id
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case epoch != t.epoch:
		return
	case e.Gone:
		t.remove(id)
	case t.roster.put(info, e.Value, e.Revision):
		for _, w := range t.watchers {
			w.Joined(info)
		}
		t.noteChange()
	}
	t.stir()
}

// remove takes a record away, and tells the watchers if its node was there. t.mu is held.
func (t *Table) remove(id ID) {
	if !t.roster.remove(id) {
		return
	}
	for _, w := range t.watchers {
		w.Left(id)
	}
	t.noteChange()
}

func (t *Table) noteChange() {
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *Table) leaseChanged(epoch int, e bus.Entry) {
	id, err := ParseID(e.Key)
	if err != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if epoch == t.epoch {
		t.guard.see(id, e, time.Now())
		if e.Gone || len(e.Value) > 0 {
			t.stir()
		}
	}
}

// recorded says whether a node has a record, or the table cannot tell.
func (t *Table) recorded(id ID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, ok := t.roster[id]
	return t.blind || ok && n.confirmed
}
