package actor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.uber.org/zap"

	"manta/internal/logs"
	"manta/internal/member"
	"manta/objstore"
)

// lasting says whether the actor is made again when its node is lost.
func (c *cell) lasting() bool { return c.registration != nil && c.class.restarts != 0 }

// announce writes that the actor lives.
func (c *cell) announce(ctx context.Context) {
	err := c.registration.say(ctx, recordAlive)
	switch {
	case errors.Is(err, errTaken):
		c.vacate()
	case err != nil && ctx.Err() == nil:
		c.host.node.Log.Warn("an actor's record does not say yet that it lives", logs.Class(c.class.name), logs.Actor(c.id), zap.Error(err))
	}
}

// vacate ends the cell because the actor goes on elsewhere: Close does not run and nothing is written. Calls that wait go where it lives
// then; what becomes of one that runs, the callers decide.
func (c *cell) vacate() {
	c.mu.Lock()
	if c.phase == ended {
		c.mu.Unlock()
		c.group.Stop(errTaken)
		return
	}
	c.phase, c.moved = ended, true
	for w := range c.visitors.all {
		for _, v := range slices.Clone(w.visits.all()) {
			switch {
			case v.answered:
			case v.began && v.local == nil:
				v.answered = true
				w.let()
				v.cancel(errTaken)
			default: // a caller on this node has nobody else who tells it
				c.refuse(v, errMoved)
				v.cancel(errTaken)
			}
		}
	}
	for i := range c.lines {
		c.discard(&c.lines[i])
	}
	c.flush()
	c.unlock()
	c.leave(errTaken)
}

// confirm looks at the records of all actors that live here, because others may have taken the node for lost. It returns an error if it
// cannot tell of one. One without a record has gone if the others took the node for dead, since they take it for dead too; or if its creator may not
// have heard of it: it may have been made again elsewhere.
func (h *host) confirm(ctx context.Context, claimed bool) error {
	for _, cl := range h.residents() {
		switch {
		case cl.registration != nil:
		case claimed:
			cl.kill(nil, fmt.Errorf("actor %s: %w: its node was taken for lost", cl.id, ErrDead))
			continue
		case cl.unmet():
			cl.kill(nil, fmt.Errorf("actor %s: %w: its node was silent when it was made", cl.id, ErrDead))
			continue
		}
		err := cl.registration.confirm(ctx)
		switch {
		case errors.Is(err, errTaken):
			h.node.Log.Warn("an actor was taken over while the node was silent", logs.Class(cl.class.name), logs.Actor(cl.id))
			cl.vacate()
		case err != nil:
			return err
		}
	}
	return nil
}

// unmet says whether the actor's creator may not know that it lives here.
func (c *cell) unmet() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.met
}

// meet notes a sign of the actor's creator, if it is one.
func (c *cell) meet(owner member.ID, birth objstore.ID) {
	if !c.met {
		c.met = owner == c.creation.Owner && birth == c.birth()
	}
}

// residents are the cells that live here.
func (h *host) residents() []*cell {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Values(h.cells))
}
