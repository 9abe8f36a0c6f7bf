package task

import (
	"context"
	"fmt"
	"strings"

	"manta/internal/member"
)

// Left is what the engine of ctx's node still holds of tasks, in words; empty when all are over.
func Left(ctx context.Context) string {
	scope, err := member.FromContext(ctx)
	if err != nil {
		return err.Error()
	}
	e := part.Of(scope.Node)
	var left []string
	note := func(n int, what string) {
		if n > 0 {
			left = append(left, fmt.Sprint(n, " ", what))
		}
	}
	o := e.owner
	o.mu.Lock()
	note(o.underway.Left(), "submitted without an outcome")
	note(len(o.waiting), "waiting for arguments")
	note(len(o.pauses.of), "waiting to be tried again")
	note(o.watches.Live(), "ctxs watched")
	for _, l := range o.lanes {
		note(l.backlog.len(), "in the backlog of "+l.function)
		note(l.inflight, "under way of "+l.function)
		for _, p := range l.order {
			note(len(p.flight), fmt.Sprint("of ", l.function, " at ", p.id))
		}
		if l.door != nil {
			note(1, "knocking of "+l.function)
		}
	}
	o.mu.Unlock()
	if h := e.host; h != nil {
		h.mu.Lock()
		note(h.desk.held, "here")
		note(len(h.desk.starting)+len(h.desk.untold), "starting or untold")
		for _, g := range h.desk.guests {
			note(g.queue.len()+g.running, "queued or running of "+g.function)
			note(g.outbox.count, "results unsent of "+g.function)
		}
		h.mu.Unlock()
	}
	return strings.Join(left, ", ")
}

// Pausing is how many tasks of the node that ctx belongs to wait to be tried again.
func Pausing(ctx context.Context) int {
	scope, err := member.FromContext(ctx)
	if err != nil {
		return -1
	}
	o := part.Of(scope.Node).owner
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.pauses.of)
}

// LineageRecords is how many lineage records the node that ctx belongs to keeps.
func LineageRecords(ctx context.Context) int {
	scope, err := member.FromContext(ctx)
	if err != nil {
		return -1
	}
	l := part.Of(scope.Node).owner.lineages
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.ledger.records)
}
