package actor

import (
	"context"
	"time"

	"manta/internal/member"
)

// strangerFor is how long a caller may be on a node that membership does not know: that of a node which has just joined takes moments to come.
const strangerFor = time.Minute

// forgetStrangers forgets callers on nodes that are not there, of which nobody will say that they have left, until ctx ends.
func (h *host) forgetStrangers(ctx context.Context) {
	tick := time.NewTicker(strangerFor)
	defer tick.Stop()
	strangers := make(map[member.ID]bool)
	for {
		select {
		case <-tick.C:
			strangers = h.lookAtStrangers(strangers)
		case <-ctx.Done():
			return
		}
	}
}

// lookAtStrangers returns the nodes that are not there, and forgets their callers if they were not before either.
func (h *host) lookAtStrangers(before map[member.ID]bool) (strangers map[member.ID]bool) {
	strangers = make(map[member.ID]bool)
	cells := h.residents()
	for _, cl := range cells {
		cl.addOwners(strangers)
	}
	h.mu.Lock()
	for id := range h.generations.Owners() {
		strangers[id] = true
	}
	h.mu.Unlock()
	for id := range strangers {
		if h.node.Members.Alive(id) {
			delete(strangers, id)
			continue
		}
		if !before[id] {
			continue
		}
		h.mu.Lock()
		h.generations.Forget(id)
		h.mu.Unlock()
		for _, cl := range cells {
			cl.abandon(id)
		}
	}
	return strangers
}

// addOwners adds the nodes of those that the cell knows.
func (c *cell) addOwners(owners map[member.ID]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for v := range c.visitors.all {
		owners[v.owner] = true
	}
}
