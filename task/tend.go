package task

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"manta/internal/member"
)

// rouse makes serve look after a lane that waits for something.
func (o *owner) rouse(l *tendedLane) {
	if l.backlog.empty() && l.door == nil {
		return
	}
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// serve tends the lanes, at intervals while one of them waits.
func (o *owner) serve(ctx context.Context) {
	tick := time.NewTicker(tendInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.wake:
		}
		for o.tend(time.Now()) {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}
}

// tend does what the clock asks for, and says whether a lane still waits.
func (o *owner) tend(now time.Time) (waiting bool) {
	o.mu.Lock()
	defer o.unlock()
	for _, l := range o.lanes {
		if s := l.door; s != nil && now.Sub(s.sent) > knockTimeout {
			o.again(l.unanswered(), "no node said that it has it")
			o.pump(l)
		}
		if !l.backlog.empty() {
			o.tendBacklog(l, now)
		}
		waiting = waiting || l.door != nil || !l.backlog.empty()
	}
	return waiting
}

// offered sends what waits to a node that has said it has room.
func (o *owner) offered(node member.ID) {
	o.mu.Lock()
	defer o.unlock()
	for _, l := range o.lanes {
		if !l.backlog.empty() {
			l.offer(node)
			o.pump(l)
		}
	}
}

// tendBacklog looks for room that no reply has told of, and gives up on what no node could ever run.
func (o *owner) tendBacklog(l *tendedLane, now time.Time) {
	switch {
	case o.feasible(l):
		l.stuck = time.Time{}
	case l.stuck.IsZero():
		l.stuck = now
	case now.Sub(l.stuck) > infeasibleAfter:
		o.failAll(l, fmt.Errorf("task %q needs %s: %w; %s", l.function, l.need, ErrInfeasible, o.servers(l.function)))
		return
	}
	if now.After(l.probeAt) {
		l.probeAt = now.Add(l.pause)
		o.introduceAll(l) // one that was taken for lost may be back
		l.probe()
		o.pump(l)
	}
}

// feasible says whether a node that is there could ever meet the lane's need. While no node that serves the function is
// known, nobody can say that it is not.
func (o *owner) feasible(l *tendedLane) bool {
	served := false
	for _, n := range o.nodes {
		if slices.Contains(n.functions, l.function) {
			if served = true; n.total.Covers(l.need) {
				return true
			}
		}
	}
	return !served
}

// servers describes the nodes that serve a function, for an error.
func (o *owner) servers(function string) string {
	var all []string
	for _, n := range o.nodes {
		if slices.Contains(n.functions, function) {
			all = append(all, fmt.Sprintf("node %s has %s", n.id, n.total))
		}
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
