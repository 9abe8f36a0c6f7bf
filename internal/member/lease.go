package member

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"manta/bus"
)

// joinTimeout bounds how long a join goes on although steps of it go unanswered.
const joinTimeout = 10 * time.Second

// Lease is this node's membership: what tenure decides, done. It belongs to Join until that returns, and then to Serve.
type Lease struct {
	table  *Table
	key    string
	record atomic.Pointer[[]byte] // as it is to be
	tenure tenure
	paused bool // and said so
	hasty  chan struct{}

	standing atomic.Pointer[standing]
	claims   atomic.Uint64
	answer   atomic.Pointer[Answer]
	mu       sync.Mutex
	renewed  chan struct{} // closed at the next renewal
}

// standing is what others may know of a lease at any moment.
type standing struct {
	deadline time.Time
	tenure   uint64 // how often the lease was taken
}

// Join makes the node known: first its lease, then its record.
func (t *Table) Join(ctx context.Context, info Info) (*Lease, error) {
	info.Frames = bus.FrameVersion
	record, err := json.Marshal(info)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the node's record: %w", err)
	}
	l := &Lease{
		table: t, key: t.self.String(), tenure: tenure{pace: t.pace}, hasty: make(chan struct{}, 1), renewed: make(chan struct{}),
	}
	l.record.Store(&record)
	l.standing.Store(&standing{})
	for begun := time.Now(); !l.tenure.known(); {
		action := l.tenure.next(time.Now())
		if action.do == stepWait {
			Pause(ctx, time.Until(action.at))
			continue
		}
		// A cluster of NATS servers that elects a leader lets a step go unanswered.
		if err := l.step(ctx); err != nil && (ctx.Err() != nil || time.Since(begun) > joinTimeout) {
			return nil, fmt.Errorf("cannot join as node %s: %w", t.self, err)
		}
	}
	t.lease.Store(l)
	return l, nil
}

// Announce changes the node's record.
func (l *Lease) Announce(ctx context.Context, info Info) error {
	info.Frames = bus.FrameVersion
	record, err := json.Marshal(info)
	if err != nil {
		return fmt.Errorf("cannot encode the node's record: %w", err)
	}
	l.record.Store(&record)
	_, err = l.table.records.Put(ctx, l.key, record)
	return err
}

// Serve renews the lease until ctx ends, and takes it again when it was lost.
func (l *Lease) Serve(ctx context.Context) {
	defer l.table.conn.OnReconnect(l.hurry)()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		l.notePause()
		action := l.tenure.next(time.Now())
		if action.do == stepWait {
			timer.Reset(time.Until(action.at))
			select {
			case <-timer.C:
			case <-l.hasty:
				l.tenure.hurry(time.Now())
			case <-ctx.Done():
				return
			}
			continue
		}
		if err := l.step(ctx); err != nil && ctx.Err() == nil {
			l.table.log.Warn("the node's lease was not renewed", zap.Error(err))
		}
		if ctx.Err() != nil {
			return
		}
	}
}

func (l *Lease) hurry() {
	select {
	case l.hasty <- struct{}{}:
	default:
	}
}

// notePause tells of a pause when it begins and when it ends.
func (l *Lease) notePause() {
	switch held := l.Holds(time.Now()); {
	case !held && !l.paused:
		l.table.log.Warn("the node's lease has ended: the node is paused until it has it again")
	case held && l.paused:
		l.table.log.Info("the node has its lease again")
	default:
		return
	}
	l.paused = !l.paused
}

// Answer is how JetStream answered when the lease was last renewed, taken or looked at.
type Answer struct {
	At   time.Time     // it came, or was waited for until then
	Took time.Duration // there and back
	Err  error         // what went wrong; nil if it answered
}

// Answered returns the last answer; the zero Answer of a nil Lease.
func (l *Lease) Answered() Answer {
	if l == nil {
		return Answer{}
	}
	return *l.answer.Load()
}

// step does what is next. The error is for people.
func (l *Lease) step(ctx context.Context) error {
	begun := time.Now()
	err := l.do(ctx)
	now := time.Now()
	l.answer.Store(&Answer{At: now, Took: now.Sub(begun), Err: err})
	return err
}

// do does what is next, and tells tenure how it went.
func (l *Lease) do(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.tenure.pace.renewal())
	defer cancel()
	action := l.tenure.next(time.Now())
	switch action.do {
	case stepWrite:
		return l.write(ctx, action.revision)
	case stepLook:
		return l.look(ctx)
	case stepRecord:
		if _, err := l.table.records.Put(ctx, l.key, *l.record.Load()); err != nil {
			l.tenure.recordFailed(time.Now())
			return fmt.Errorf("its record: %w", err)
		}
		l.tenure.recorded()
	}
	return nil
}

func (l *Lease) write(ctx context.Context, revision uint64) error {
	sent := time.Now()
	revision, err := l.table.leases.Renew(ctx, l.key, nil, revision, l.tenure.pace.ttl())
	now := time.Now()
	switch {
	case errors.Is(err, bus.ErrChanged):
		l.tenure.refused(now)
		return nil
	case err != nil:
		l.tenure.unanswered(now)
		return err
	}
	taken := l.tenure.written(sent, now, revision)
	number := l.standing.Load().tenure
	if taken {
		number++
	}
	if taken && l.table.Lease() == l {
		l.table.resync() // what this node knows of the others may come from a store that is no more
	} else if !l.table.recorded(*l.record.Load()) {
		l.tenure.missRecord(now)
	}
	l.standing.Store(&standing{l.tenure.deadline, number})
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.renewed)
	l.renewed = make(chan struct{})
	return nil
}

func (l *Lease) look(ctx context.Context) error {
	entry, err := l.table.leases.Look(ctx, l.key)
	if err != nil {
		l.tenure.unanswered(time.Now())
		return err
	}
	claimant := l.tenure.found(entry, time.Now())
	l.standing.Store(&standing{l.tenure.deadline, l.standing.Load().tenure})
	if claimant != "" {
		l.claims.Add(1)
		l.table.log.Error("the others took this node for dead: its lease was claimed, and it takes it anew", zap.String("claimant", claimant))
	}
	return nil
}

// Holds says whether the node has its lease at a time, so that no other can have claimed it. While it has not, the node is
// paused: nothing that it would say or do may count. Call it with the time of asking, not an earlier one: it costs little. A nil
// Lease, of a node that has not joined, is not held.
func (l *Lease) Holds(now time.Time) bool { return l.Tenure(now) > 0 }

// Tenure is which time the node has its lease at a time: 1 from when it joined, one more after each loss. 0 means that it has not.
// Between two moments with the same number nobody can have claimed it.
func (l *Lease) Tenure(now time.Time) uint64 {
	if l == nil {
		return 0
	}
	s := l.standing.Load()
	if !holds(s.deadline, now) {
		return 0
	}
	return s.tenure
}

// Claims is how often the node has found that others took it for dead, once more at least for each time that they did. It is up to date when the
// lease is held.
func (l *Lease) Claims() uint64 { return l.claims.Load() }

// Renewed is closed when the node next renews or takes its lease.
func (l *Lease) Renewed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.renewed
}

// AwaitHeld waits until the node has its lease.
func (l *Lease) AwaitHeld(ctx context.Context) error {
	for {
		renewed := l.Renewed()
		if l.Holds(time.Now()) {
			return nil
		}
		select {
		case <-renewed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Leave says goodbye: the others know at once. Call it after Serve.
func (l *Lease) Leave(ctx context.Context) error {
	l.standing.Store(&standing{tenure: l.standing.Load().tenure})
	return errors.Join(l.table.records.Delete(ctx, l.key), l.table.leases.Delete(ctx, l.key))
}
