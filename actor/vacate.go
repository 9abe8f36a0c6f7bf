package actor

import (
	"context"
	"errors"
	"maps"
	"slices"

	"go.uber.org/zap"

	"manta/internal/call"
	"manta/internal/member"
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
		c.host.node.Log.Warn("an actor's record does not say yet that it lives", zap.String("actor", c.id), zap.Error(err))
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
	for _, v := range c.visits {
		if v.cancel == nil {
			c.sendAway(v)
			continue
		}
		v.answered = true
		delete(c.visits, v.key())
		v.cancel(errTaken)
	}
	c.queue = nil
	c.mu.Unlock()
	c.leave(errTaken)
}

// sendAway refuses a visit that is for another epoch than this one, or for this one, which has ended.
func (c *cell) sendAway(v *visit) {
	v.answered = true
	delete(c.visits, v.key())
	c.send(v.reply, call.Reply{
		Host: c.host.node.ID, Number: v.request.Number, Attempt: int(v.request.Attempt), Epoch: v.request.Epoch, Status: call.Moved,
	})
}

// confirm looks at the records of all actors that live here, because others may have taken the node for lost. It returns an error if it
// cannot tell of one.
func (h *host) confirm(ctx context.Context) error {
	for _, cl := range h.residentCells() {
		err := cl.registration.confirm(ctx)
		switch {
		case errors.Is(err, errTaken):
			h.node.Log.Warn("an actor was taken over while the node was silent", zap.String("actor", cl.id))
			cl.vacate()
		case err != nil:
			return err
		}
	}
	return nil
}

func (h *host) residentCells() []*cell {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Values(h.cells))
}

// ownerLeft stops the actors that end with a node which is gone.
func (h *host) ownerLeft(id member.ID) {
	if id == h.node.ID {
		return
	}
	for _, cl := range h.residentCells() {
		if cl.creation.Owner == id && !cl.detached {
			cl.stop(nil)
		}
	}
}
