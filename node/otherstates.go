package node

import (
	"cmp"
	"fmt"
	"slices"

	"manta/internal/event"
)

// nodeStates makes nodes of what they told and of who is there.
func nodeStates(p *picture) []NodeState {
	var states []NodeState
	told := make(map[string]bool)
	for _, n := range p.Nodes() {
		told[n.ID] = true
		s := NodeState{
			ID: n.ID, Name: cmp.Or(n.Name, n.ID), State: string(n.State), Version: n.Version, Resources: n.Resources, Free: n.Free, Labels: n.Labels,
			Functions: n.Functions, Classes: n.Classes, Submitted: n.Submitted, Ran: n.Ran, Pending: n.Pending, Running: n.Running, Actors: n.Living,
			Objects: n.Kept, Joined: n.Joined.Time(), Ended: n.Ended.Time(),
		}
		if _, there := p.members[n.ID]; there {
			p.present(&s)
		} else if s.Ended.IsZero() {
			s.State = string(event.Dead)
		}
		states = append(states, s)
	}
	for id := range p.members {
		if !told[id] {
			s := NodeState{ID: id}
			p.present(&s)
			states = append(states, s)
		}
	}
	slices.SortFunc(states, func(a, b NodeState) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return states
}

// present says of a node that is there what its record says.
func (p *picture) present(s *NodeState) {
	m := p.members[s.ID]
	s.Name, s.Version, s.Resources, s.Labels, s.Joined = m.Name, m.Version, m.Resources, m.Labels, m.Started
	if s.State = string(event.Joined); m.Draining {
		s.State = string(event.Draining)
	}
	s.Functions, s.Classes, s.Ended = m.Functions, m.Classes, event.Time(0).Time()
}

// actorStates makes actors of their epochs.
func actorStates(p *picture) []ActorState {
	epochs := make(map[string][]*event.Actor)
	for _, a := range p.Actors() {
		epochs[a.ID] = append(epochs[a.ID], a)
	}
	states := make([]ActorState, 0, len(epochs))
	for _, all := range epochs {
		states = append(states, p.actor(all))
	}
	slices.SortFunc(states, func(a, b ActorState) int { return cmp.Or(b.Began.Compare(a.Began), cmp.Compare(a.ID, b.ID)) })
	return states
}

func (p *picture) actor(epochs []*event.Actor) ActorState {
	last := slices.MaxFunc(epochs, func(a, b *event.Actor) int { return cmp.Compare(a.Epoch, b.Epoch) })
	s := ActorState{
		ID: last.ID, Class: last.Class, State: string(last.State), Detached: last.Detached, Epoch: last.Epoch, Restarts: len(epochs) - 1,
		Owner: last.Owner, OwnerName: p.names[last.Owner], Node: last.Node, NodeName: p.names[last.Node], Waiting: last.Waiting, Running: last.Running,
		Began: last.Began.Time(), Ended: last.Ended.Time(), Cause: failureOf(last.Cause),
	}
	if ended, gone := p.gone(last.Node); gone && last.State != event.Dead {
		s.State, s.Ended, s.Cause = string(event.Dead), ended, &Failure{Code: "dead", Message: fmt.Sprintf("node %s, where it lived, is gone", last.Node)}
	}
	return s
}

// objectStates describes objects.
func objectStates(p *picture) []ObjectState {
	states := make([]ObjectState, 0, len(p.Objects()))
	for _, o := range p.Objects() {
		s := ObjectState{
			ID: o.ID, State: string(o.State), Size: o.Size, Where: o.Where, Owner: o.Owner, OwnerName: p.names[o.Owner], Holders: o.Holders, Pins: o.Pins,
			Given: o.Given, Stored: o.Stored.Time(), Ended: o.Ended.Time(),
		}
		ended, gone := p.gone(o.Owner)
		switch {
		case o.State == event.Freed:
			s.Where = ""
		case gone:
			s.State, s.Ended = string(event.Lost), ended
		case o.Lost > o.Stored:
			s.State = string(event.Lost)
		}
		states = append(states, s)
	}
	slices.SortFunc(states, func(a, b ObjectState) int { return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(b.ID, a.ID)) })
	return states
}

// groupStates describes placement groups.
func groupStates(p *picture) []GroupState {
	states := make([]GroupState, 0, len(p.groups))
	for _, g := range p.groups {
		s := GroupState{ID: g.ID, State: string(g.State), Strategy: g.Strategy, Owner: g.Owner, OwnerName: p.names[g.Owner]}
		for _, b := range g.Bundles {
			s.Bundles = append(s.Bundles, Bundle{Resources: b.Resources, Node: b.Node, NodeName: p.names[b.Node]})
		}
		states = append(states, s)
	}
	slices.SortFunc(states, func(a, b GroupState) int { return cmp.Compare(a.ID, b.ID) })
	return states
}
