package actor

import (
	"context"
	"slices"
	"time"

	"manta/internal/member"
)

// handOverAgain is the pause before the handing over of an actor that failed is tried again.
const handOverAgain = 100 * time.Millisecond

// handsOver says whether the actor goes on elsewhere when its node drains. One whose creator is this very node ends with it, and so does one
// whose class no other node serves.
func (c *cell) handsOver() bool {
	node := c.host.node
	return c.lasting() && (c.detached || c.creation.Owner != node.ID) &&
		slices.ContainsFunc(node.Members.All(), func(m member.Info) bool {
			return m.ID != node.ID && slices.Contains(m.Classes, c.class.name)
		})
}

// handOver has the actor go on elsewhere: what runs ends here, what waits and what comes is sent there. A cell that is being stopped goes on
// with that.
func (c *cell) handOver() {
	c.mu.Lock()
	defer c.unlock()
	if c.phase != starting && c.phase != serving {
		return
	}
	if c.phase == starting {
		c.deferred = true // begin goes on from here
		return
	}
	c.phase = moving
	for i := range c.lines {
		for _, v := range c.discard(&c.lines[i]) {
			if v.chore == nil && !v.answered {
				c.refuse(v, errMoved)
			}
		}
	}
	c.flush()
	c.employAll()
}

// depart gives the actor's record away, with its state, once nothing runs here any more, and has it made again elsewhere.
func (c *cell) depart(ctx context.Context) {
	for !c.save(ctx, func(rec *record) { rec.State = recordRestarting }) {
		if member.Pause(ctx, handOverAgain); ctx.Err() != nil {
			return // taken over, or the node closes: then another sees to it
		}
	}
	c.host.depart(c.id, c.registration.record())
	c.leave(errTaken)
}
