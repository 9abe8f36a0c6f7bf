package placement

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/member"
	"manta/objstore"
)

// momentFor is how long a node keeps what it was asked for and not told to keep: several round trips, also of a creator that asks again.
const momentFor = 2 * time.Second

// host is the side of a node that has resources: its ledger, with the clock and the connection around it.
type host struct {
	node  *member.Node
	group *member.Group
	asked *bus.Subscription

	mu        sync.Mutex
	ledger    ledger
	withdrawn func(group objstore.ID) // bundles of a group are not here any more; nil unless somebody wants to know
}

func startHost(node *member.Node, group *member.Group) (h *host, err error) {
	h = &host{node: node, group: group, ledger: newLedger(node.Capacity)}
	if h.asked, err = node.Conn.Subscribe(node.Conn.NodeBundles(node.ID.String()), "", h.handle); err != nil {
		return nil, err
	}
	return h, nil
}

func (h *host) handle(msg *bus.Msg) {
	o, err := readOrder(msg.Data)
	if err != nil {
		h.node.Reject(msg, err)
		return
	}
	a := answer{done: h.follow(&o), free: h.node.Capacity.Free().Own()}
	if msg.Reply == "" { // a creator that closes does not wait
		return
	}
	if err := h.node.Conn.Publish(msg.Reply, "", a.append(nil)); err != nil { // the creator asks again
		h.node.Log.Debug("an answer about bundles was not sent", zap.Error(err))
	}
}

// follow does what a creator asks for.
func (h *host) follow(o *order) (done bool) {
	switch o.kind {
	case reserveFrame:
		h.mu.Lock()
		done = h.ledger.reserve(o)
		h.mu.Unlock()
		switch {
		case done && !o.final:
			h.group.Go(func(ctx context.Context) { h.expire(ctx, *o) })
		case done:
			h.doubtSoon(o.group)
		}
		return done
	case commitFrame:
		h.mu.Lock()
		done = h.ledger.commit(o)
		h.mu.Unlock()
		if done {
			h.doubtSoon(o.group)
		}
		return done
	case undoFrame:
		h.mu.Lock()
		defer h.mu.Unlock()
		h.ledger.undo(o)
	case releaseFrame:
		h.release(o.group)
	}
	return true
}

// doubtSoon asks the creator of a group that has bundles here for good whether there is such a group: an order that came late, or was forged, may
// be of one that was removed or never made, and nobody would release it.
func (h *host) doubtSoon(group objstore.ID) {
	h.group.Go(func(ctx context.Context) {
		if member.Pause(ctx, momentFor); ctx.Err() == nil {
			h.doubt(ctx, part.Of(h.node), func(id objstore.ID) bool { return id == group })
		}
	})
}

// expire gives back what an attempt has reserved, unless it has been made final meanwhile.
func (h *host) expire(ctx context.Context, o order) {
	member.Pause(ctx, momentFor)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ledger.undo(&o) {
		h.node.Log.Info("bundles were reserved and not claimed", zap.Stringer("group", o.group))
	}
}

func (h *host) release(id objstore.ID) {
	h.mu.Lock()
	ended := h.ledger.release(id)
	told := h.withdrawn
	h.mu.Unlock()
	if ended && told != nil {
		told(id)
	}
}

// doubt asks creators about groups that are here, and releases those of which nobody says that they are. A creator that is said to be
// gone may only seem to be: it has lost its lease, and is there.
func (h *host) doubt(ctx context.Context, e *Engine, doubted func(group objstore.ID) bool) {
	h.mu.Lock()
	var ids []objstore.ID
	for id := range h.ledger.groups {
		if doubted(id) {
			ids = append(ids, id)
		}
	}
	h.mu.Unlock()
	for _, id := range ids {
		q := question{kind: askFrame, group: id}
		frame, err := e.askCreator(ctx, id, q.append(nil))
		switch {
		case errors.Is(err, errGone):
			h.release(id)
			continue
		case err != nil:
			return // this node closes
		}
		if v, err := readView(frame); err == nil && v.left(h.node.ID) {
			h.release(id)
		}
	}
}

// left says whether a group is elsewhere as a whole.
func (v *View) left(node member.ID) bool {
	if v.Removed {
		return true
	}
	for _, id := range v.Nodes {
		if id == node || id == (member.ID{}) {
			return false
		}
	}
	return true
}
