package placement

import (
	"context"
	"slices"
	"sync"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/logs"
	"manta/internal/member"
	"manta/objstore"
)

var part = member.NewPart[*Engine]()

// Engine is one node's share of placement groups: those that it has made, and what it has reserved for others'. Package node makes it.
type Engine struct {
	node  *member.Node
	group *member.Group
	host  *host // nil on a node that has nothing to give
	asked *bus.Subscription

	mu      sync.Mutex
	closed  bool
	groups  map[objstore.ID]*group // that this node has made and not yet removed
	nodes   map[member.ID]*known
	turn    int           // for a fair choice among equal nodes
	away    bool          // membership has said that this node is gone
	stirred chan struct{} // closed when there may be room that was not
}

// Start starts a node's engine. A node that serves lets others reserve what it has.
func Start(ctx context.Context, node *member.Node, serve bool) (*Engine, error) {
	e := &Engine{
		node: node, group: member.NewGroup(ctx),
		groups: make(map[objstore.ID]*group), nodes: make(map[member.ID]*known), stirred: make(chan struct{}),
	}
	var err error
	if serve {
		if e.host, err = startHost(node, e.group); err != nil {
			return nil, err
		}
	}
	if e.asked, err = node.Conn.Subscribe(node.Conn.NodeGroups(node.ID.String()), "", e.handle); err != nil {
		return nil, err
	}
	part.Set(node, e)
	node.Members.Watch(member.Watcher{Joined: e.joined, Left: e.left})
	return e, nil
}

// OnWithdraw has f called when bundles of a group are not on this node any more. It is for the package that binds work to them.
func OnWithdraw(node *member.Node, f func(group objstore.ID)) {
	h := part.Of(node).host
	h.mu.Lock()
	defer h.mu.Unlock()
	h.withdrawn = f
}

// Close ends the groups that this node has made: the nodes are told, and not waited for.
func (e *Engine) Close() error {
	_ = e.asked.Unsubscribe() // its one error is that the connection is closed
	if e.host != nil {
		_ = e.host.asked.Unsubscribe()
	}
	e.group.Stop(bus.ErrClosed)
	e.group.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	for _, g := range e.groups {
		o := order{kind: releaseFrame, group: g.id}
		for id := range g.touched {
			if err := e.node.Conn.Publish(e.node.Conn.NodeBundles(id.String()), "", o.append(nil)); err != nil {
				return nil // the connection is closed: the nodes will hear that this one is gone
			}
		}
	}
	return nil
}

// handle answers questions about groups that this node has made.
func (e *Engine) handle(msg *bus.Msg) {
	q, err := readQuestion(msg.Data)
	if err == nil && msg.Reply == "" {
		err = bus.ErrNoReply
	}
	if err != nil {
		e.node.Reject(msg, err)
		return
	}
	e.group.Go(func(ctx context.Context) {
		var v View
		var err error
		if q.kind == removeFrame {
			v.Removed = true
			err = e.remove(ctx, q.group)
		} else {
			v, err = e.awaiting(ctx, q.group, q.version)
		}
		if err != nil { // this node closes
			return
		}
		if err := e.node.Conn.Publish(msg.Reply, "", v.append(nil)); err != nil { // it is asked again
			e.node.Log.Debug("an answer about a placement group was not sent", zap.Error(err))
		}
	})
}

// known is a node that is there, as its record and its own words say.
type known struct {
	total    member.Amounts
	free     member.Amounts // as it said last; nil: it has said nothing
	draining bool
}

func (n *known) room() member.Amounts {
	if n.free != nil {
		return n.free
	}
	return n.total
}

// rooms are the nodes that may take bundles of a group; the first one is another each time.
func (e *Engine) rooms(g *group) []room {
	rooms := make([]room, 0, len(e.nodes))
	for id, n := range e.nodes {
		if !n.draining && !g.unclean[id] {
			rooms = append(rooms, room{id, n.room()})
		}
	}
	if len(rooms) < 2 {
		return rooms
	}
	slices.SortFunc(rooms, func(a, b room) int { return slices.Compare(a.node[:], b.node[:]) })
	e.turn++
	first := e.turn % len(rooms)
	return append(rooms[first:], rooms[:first]...)
}

// joined notes a node that is there, or has changed.
func (e *Engine) joined(info member.Info) {
	total, err := member.NewAmounts(info.Resources)
	if err != nil {
		return // package task has told
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	n := e.nodes[info.ID]
	if n == nil {
		n = &known{}
		e.nodes[info.ID] = n
		e.cleanUp(info.ID)
	}
	n.total, n.draining = total, info.Draining
	e.stir()
	if info.ID == e.node.ID && e.away {
		e.away = false
		e.cameBack()
	}
}

// left notes that a node is gone, with the bundles that it had, and the groups that it has made.
func (e *Engine) left(id member.ID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.nodes, id)
	if id == e.node.ID { // the others think so; what is reserved here is
		e.away = true
		return
	}
	for _, g := range e.groups {
		if g.touched[id] {
			g.unclean[id] = true
		}
		if g.lose(id) {
			e.tendSoon(g)
		}
	}
	e.stir()
	if e.host != nil {
		e.group.Go(func(ctx context.Context) {
			e.host.doubt(ctx, e, func(group objstore.ID) bool { return creatorOf(group) == id })
		})
	}
}

// cameBack heals what others have concluded from this node's absence: its groups' bundles may have been released, and bundles that it
// has may be elsewhere.
func (e *Engine) cameBack() {
	for _, g := range e.groups {
		g.doubtful = true
		e.tendSoon(g)
	}
	if e.host != nil {
		e.group.Go(func(ctx context.Context) {
			e.host.doubt(ctx, e, func(group objstore.ID) bool { return creatorOf(group) != e.node.ID })
		})
	}
}

// cleanUp releases what a node that is back may still have of groups whose bundles were placed elsewhere meanwhile.
func (e *Engine) cleanUp(id member.ID) {
	for _, g := range e.groups {
		if !g.unclean[id] {
			continue
		}
		e.group.Go(func(ctx context.Context) {
			a, err := e.order(ctx, id, order{kind: releaseFrame, group: g.id})
			if err != nil {
				return
			}
			e.mu.Lock()
			defer e.mu.Unlock()
			delete(g.unclean, id)
			e.heard(id, a)
			e.stir()
		})
	}
}

// stir lets the groups that wait for room try again.
func (e *Engine) stir() {
	close(e.stirred)
	e.stirred = make(chan struct{})
}

// heard notes what a node has said of its room.
func (e *Engine) heard(id member.ID, a answer) {
	if n := e.nodes[id]; n != nil {
		if n.free = a.free; n.free == nil {
			n.free = member.Amounts{}
		}
	}
}

// order has a node follow an order. The error is errGone, or that this node closes.
func (e *Engine) order(ctx context.Context, id member.ID, o order) (answer, error) {
	data, err := e.ask(ctx, id, e.node.Conn.NodeBundles(id.String()), o.append(nil))
	if err != nil {
		return answer{}, err
	}
	a, err := readAnswer(data)
	if err != nil {
		e.node.Log.Warn("a malformed answer about bundles", logs.Peer(id), zap.Error(err))
	}
	return a, err
}
