package node

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"manta/internal/event"
)

// taskStates makes tasks of their attempts.
func taskStates(p *picture) []TaskState {
	attempts := make(map[string][]*event.Task)
	var ids []string
	for _, t := range p.Tasks() {
		if attempts[t.ID] == nil {
			ids = append(ids, t.ID)
		}
		attempts[t.ID] = append(attempts[t.ID], t)
	}
	states := make([]TaskState, 0, len(ids))
	for _, id := range ids {
		states = append(states, p.task(attempts[id]))
	}
	slices.SortStableFunc(states, func(a, b TaskState) int {
		return cmp.Or(newest(a).Compare(newest(b))*-1, cmp.Compare(b.ID, a.ID))
	})
	return states
}

// newest is by what a task is sorted: when it was submitted, or when it is first known of.
func newest(t TaskState) time.Time {
	for _, at := range []time.Time{t.Submitted, t.Started, t.Ended} {
		if !at.IsZero() {
			return at
		}
	}
	return time.Time{}
}

// task describes a task.
func (p *picture) task(attempts []*event.Task) TaskState {
	slices.SortFunc(attempts, func(a, b *event.Task) int { return cmp.Compare(a.Attempt, b.Attempt) })
	last := attempts[len(attempts)-1]
	s := TaskState{
		ID: last.ID, Attempt: last.Attempt, State: string(last.State), Reason: last.Reason, Node: last.Node, NodeName: p.names[last.Node],
		Started: last.Started.Time(), Ended: last.Ended.Time(), Durations: phasesOf(last), Error: failureOf(last.Error),
	}
	for _, t := range attempts {
		s.Func, s.Owner, s.Parent, s.Actor = cmp.Or(s.Func, t.Func), cmp.Or(s.Owner, t.Owner), cmp.Or(s.Parent, t.Parent), cmp.Or(s.Actor, t.Actor)
		s.Durable = s.Durable || t.Durable
		if s.Submitted.IsZero() {
			s.Submitted = t.Submitted.Time()
		}
		s.Attempts = append(s.Attempts, p.attempt(t))
	}
	s.OwnerName = p.names[s.Owner]
	if ended, gone := p.gone(s.Owner); gone && !last.State.Over() && !s.Durable {
		s.State, s.Reason, s.Ended = string(event.Failed), "", ended
		s.Error = &Failure{Code: "owner_dead", Message: fmt.Sprintf("node %s, which owned it, is gone", s.Owner)}
	}
	return s
}

func (p *picture) attempt(t *event.Task) Attempt {
	return Attempt{
		Number: t.Attempt, State: string(t.State), Node: t.Node, NodeName: p.names[t.Node], Durations: phasesOf(t), Error: failureOf(t.Error),
		Ready: t.Ready.Time(), Sent: t.Sent.Time(), Arrived: t.Arrived.Time(), Started: t.Started.Time(), Fetched: t.Fetched.Time(),
		Returned: t.Returned.Time(), Stored: t.Stored.Time(), Ended: t.Ended.Time(),
	}
}

func failureOf(f *event.Failure) *Failure {
	if f == nil {
		return nil
	}
	return &Failure{Code: f.Code, Message: f.Message}
}

// phasesOf says how long an attempt was in each phase. Between moments of two machines may lie less than nothing, by their clocks.
func phasesOf(t *event.Task) Phases {
	between := func(from, to event.Time) float64 {
		if from == 0 || to == 0 {
			return 0
		}
		return max(0, to.Time().Sub(from.Time()).Seconds())
	}
	return Phases{
		Waiting: between(t.Submitted, t.Ready), Queued: between(t.Ready, t.Started), Fetching: between(t.Started, t.Fetched),
		Running: between(t.Fetched, t.Returned), Storing: between(t.Returned, t.Stored),
	}
}
