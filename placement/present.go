package placement

import (
	"manta/internal/event"
	"manta/internal/member"
)

// Present returns the groups that this node has made.
func (e *Engine) Present(most int) (groups []*event.Group, more int) {
	if e == nil {
		return nil, 0
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, g := range e.groups {
		if len(groups) >= most {
			more++
			continue
		}
		f := &event.Group{ID: g.id.String(), Owner: e.node.ID.String(), State: event.Pending, Strategy: g.strategy.String()}
		if g.placed() {
			f.State = event.Placed
		}
		for i, need := range g.bundles {
			b := event.Bundle{Resources: need.Quantities()}
			if g.at[i] != (member.ID{}) {
				b.Node = g.at[i].String()
			}
			f.Bundles = append(f.Bundles, b)
		}
		groups = append(groups, f)
	}
	return groups, more
}
