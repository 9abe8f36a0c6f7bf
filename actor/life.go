package actor

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/logs"
	"manta/internal/member"
	"manta/objstore"
)

// An actor that is not detached lives as long as somebody has a handle of it, anywhere; a call under way has one, in its target. Its birth is
// the name of an object without a value, which its creator owns and all handles hold. So the object store knows when the last handle is
// gone (objstore/holders.go), and the creator stops the actor.

// origin is what the creator of an actor keeps while somebody has a handle, and of one that is detached while it lives.
type origin struct {
	start bus.Value   // of one that is made of it again: what it names is kept
	born  atomic.Bool // a node has the actor
	node  member.ID   // that node, once it is born
	ended atomic.Bool // the creator knows that the actor has
}

// bear makes what the handles of an actor hold that this node has asked for; nil for one that is detached.
func (e *Engine) bear(h *handle, cr *creation, birth objstore.ID, o *origin) *objstore.Object {
	c, id := h.class, h.id // the handle itself would never be collected
	if c.restarts != 0 || c.idleAfter > 0 {
		o.start = cr.start
	}
	if cr.life.Detached {
		if o.start.Refs != nil {
			e.callers.group.Go(func(ctx context.Context) { e.keepStart(ctx, id, birth, o) })
		}
		return nil
	}
	return objstore.StoreOf(e.node).Live(birth, func() { e.callers.letGo(c, id, birth, o) })
}

// looksAtDetached is how often it is looked whether a detached actor still lives. Its record says for longer that it does not.
const looksAtDetached = time.Minute

// keepStart keeps what the start value of a detached actor names, since nobody else may, until the actor or this node ends.
func (e *Engine) keepStart(ctx context.Context, id string, birth objstore.ID, o *origin) {
	defer runtime.KeepAlive(o)
	for !o.ended.Load() {
		if member.Pause(ctx, looksAtDetached); ctx.Err() != nil {
			return
		}
		rec, err := e.directory.look(ctx, id)
		if err == nil && rec.State != "" && o.born.Load() && (rec.State == recordDead || rec.Birth != birth) {
			return
		}
	}
}

// letGo stops an actor of which nobody has a handle any more. Calls that were made have their outcomes.
func (cs *callers) letGo(c *class, id string, birth objstore.ID, o *origin) {
	if o.ended.Load() {
		return
	}
	cs.group.Go(func(ctx context.Context) {
		end, err := cs.leaving.take(ctx)
		if err != nil {
			return
		}
		defer end()
		h := &handle{id: id, class: c, birth: birth}
		if o.born.Load() {
			h.lives(cs, o.node)
		}
		if err := cs.control(ctx, h, controlStop); err != nil && ctx.Err() == nil {
			cs.node.Log.Warn("an actor that nobody has a handle of goes on", logs.Class(c.name), logs.Actor(id), zap.Error(err))
		}
	})
}

// lifeOf is what a handle holds of an actor that is known by its birth.
func lifeOf(birth objstore.ID, detached bool) *objstore.Object {
	if detached || birth == (objstore.ID{}) {
		return nil
	}
	return objstore.Named(birth)
}

// hold waits until the actor's creator knows that this node has a handle, which came in no value.
func (h *handle) hold(ctx context.Context, node *member.Node) error {
	life := h.kept()
	if life == nil {
		return nil
	}
	select {
	case <-objstore.StoreOf(node).Hold(life).Done():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (h *handle) kept() *objstore.Object {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.life
}
