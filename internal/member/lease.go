package member

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"manta/bus"
)

const (
	// LeaseTTL is how long a node counts as alive without a sign of life.
	LeaseTTL = 2 * time.Second
	// leaseRenewal leaves three more tries before the lease ends.
	leaseRenewal = 500 * time.Millisecond
)

// Lease is this node's membership.
type Lease struct {
	table    *Table
	record   []byte
	revision uint64
}

// Join makes the node known: first its lease, then its record.
func (t *Table) Join(ctx context.Context, info Info) (*Lease, error) {
	record, err := json.Marshal(info)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the node's record: %w", err)
	}
	l := &Lease{table: t, record: record}
	if err := l.claim(ctx); err != nil {
		return nil, fmt.Errorf("cannot join as node %s: %w", t.self, err)
	}
	return l, nil
}

func (l *Lease) claim(ctx context.Context) (err error) {
	key := l.table.self.String()
	if l.revision, err = l.table.leases.Create(ctx, key, nil, LeaseTTL); err != nil {
		return err
	}
	_, err = l.table.records.Put(ctx, key, l.record)
	return err
}

// Serve renews the lease until ctx ends.
func (l *Lease) Serve(ctx context.Context) {
	tick := time.NewTicker(leaseRenewal)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := l.renew(ctx); err != nil && ctx.Err() == nil {
				l.table.log.Warn("the node's lease was not renewed", zap.Stringer("node", l.table.self), zap.Error(err))
			}
		}
	}
}

// renew extends the lease, or takes it again if it has ended meanwhile.
func (l *Lease) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leaseRenewal)
	defer cancel()
	revision, err := l.table.leases.Renew(ctx, l.table.self.String(), nil, l.revision, LeaseTTL)
	if err == nil {
		l.revision = revision
		return l.assert(ctx)
	}
	if ctx.Err() != nil {
		return err // unknown whether it was renewed: the next try tells
	}
	entry, getErr := l.table.leases.Get(ctx, l.table.self.String())
	switch {
	case getErr == nil:
		l.revision = entry.Revision // an earlier renewal did arrive, only its answer was lost
		return nil
	case errors.Is(getErr, bus.ErrNotFound):
		return l.claim(ctx)
	default:
		return err
	}
}

// assert writes the node's record again if it is gone: whoever saw the lease end removed it, maybe after the lease was taken again.
func (l *Lease) assert(ctx context.Context) error {
	if l.table.recorded(l.table.self) {
		return nil
	}
	_, err := l.table.records.Put(ctx, l.table.self.String(), l.record)
	return err
}

// Leave says goodbye: the others know at once.
func (l *Lease) Leave(ctx context.Context) error {
	key := l.table.self.String()
	return errors.Join(l.table.records.Delete(ctx, key), l.table.leases.Delete(ctx, key))
}
