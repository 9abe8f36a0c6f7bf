package member

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/event"
	"manta/internal/logs"
)

// claimTimeout bounds what is done at once for a claim.
const claimTimeout = time.Second

// claimPrefix begins what the key of a lease holds when another node has claimed it; the claimant's id follows. The node's own lease
// is empty.
const claimPrefix = "claimed by "

func claimOf(claimant ID) []byte { return []byte(claimPrefix + claimant.String()) }

// claimantOf returns who has claimed a lease; empty if nobody has. What else may stand there, nobody wrote for this version, is
// taken for a claim too: it is not the node's own.
func claimantOf(e bus.Entry) string {
	if e.Gone || len(e.Value) == 0 {
		return ""
	}
	if claimant, ok := strings.CutPrefix(string(e.Value), claimPrefix); ok && claimant != "" {
		return claimant
	}
	return "nobody known"
}

// act claims an ended lease, or removes the record of its node once it is claimed. Of several that claim a lease the server takes
// one; what fails is tried again, by this node or another.
func (t *Table) act(ctx context.Context, a guardAction) {
	bounded, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	do := t.claim
	if a.remove {
		do = t.removeRecord
	}
	if err := do(bounded, a); err != nil && !errors.Is(err, bus.ErrChanged) && ctx.Err() == nil {
		t.log.Warn("a node whose lease has ended is not removed yet", logs.Peer(a.id), zap.Error(err))
	}
}

func (t *Table) claim(ctx context.Context, a guardAction) error {
	revision, err := t.leases.Renew(ctx, a.id.String(), claimOf(t.self), a.revision, claimTTL)
	if err != nil {
		return err
	}
	t.log.Info("a node is gone: its lease has ended", logs.Peer(a.id))
	t.mu.Lock()
	defer t.mu.Unlock()
	t.guard.claimed(a.id, revision, time.Now())
	t.events.Node(event.Node{ID: a.id.String(), State: event.Dead, Ended: event.Now()})
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
