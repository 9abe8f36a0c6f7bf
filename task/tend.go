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

// tendBacklog looks for room that no reply has told of, and gives up on what no node could ever run.
func (o *owner) tendBacklog(l *tendedLane, now time.Time) {
	for _, info := range o.nodes { // one that was taken for lost may be back
		o.introduce(l, info)
	}
	if feasible := len(l.peers) > 0 || len(o.servers(l.function)) == 0; feasible {
		l.stuck = time.Time{}
	} else if l.stuck.IsZero() {
		l.stuck = now
	} else if now.Sub(l.stuck) > infeasibleAfter {
		o.failAll(l, fmt.Errorf("task %q needs %s: %w; %s", l.function, l.need, ErrInfeasible, strings.Join(o.servers(l.function), ", ")))
		return
	}
	if now.After(l.probeAt) {
		l.probeAt = now.Add(l.pause)
		l.probe()
		o.pump(l)
	}
}

// servers describes the nodes that serve a function, for an error.
func (o *owner) servers(function string) (all []string) {
	for _, info := range o.nodes {
		if slices.Contains(info.Functions, function) {
			total, _ := member.NewAmounts(info.Resources) // checked when the node started
			all = append(all, fmt.Sprintf("node %s has %s", info.ID, total))
		}
	}
	slices.Sort(all)
	return all
}
