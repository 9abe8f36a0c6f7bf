package placement

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"manta/bus"
	"manta/internal/member"
	"manta/objstore"
)

const (
	// A group for which there is no room is tried again after retryFirst, which doubles up to retryLast.
	retryFirst = 5 * time.Millisecond
	retryLast  = 250 * time.Millisecond
	// refreshWithin bounds how long nodes may take to say what they have free.
	refreshWithin = 500 * time.Millisecond
)

// group is a placement group at its creator. A goroutine tends it while there is something to do.
//
//	pending ⇄ placed
//	   └─────────┴─ removed ─► given back
type group struct {
	id       objstore.ID
	bundles  []member.Amounts
	strategy Strategy

	at       []member.ID // where the bundles are; zero for nowhere
	version  uint64
	changed  chan struct{} // closed at the next change
	removed  bool
	doubtful bool // nodes may have released what is said to be there
	tended   bool
	done     chan struct{} // closed when all is given back
	attempt  uint64
	touched  map[member.ID]bool // nodes that may have something of the group
	unclean  map[member.ID]bool // those of them that were gone: they may have what is elsewhere
}

func (g *group) view() View {
	return View{Version: g.version, Removed: g.removed, Bundles: g.bundles, Nodes: slices.Clone(g.at)}
}

func (g *group) placed() bool { return !slices.Contains(g.at, member.ID{}) }

func (g *group) note() {
	g.version++
	close(g.changed)
	g.changed = make(chan struct{})
}

// lose notes that the bundles on a node are lost, and says whether there were any.
func (g *group) lose(id member.ID) (lost bool) {
	for i, at := range g.at {
		if at == id {
			g.at[i] = member.ID{}
			lost = true
		}
	}
	if lost {
		g.note()
	}
	return lost
}

// create makes a group.
func (e *Engine) create(bundles []member.Amounts, strategy Strategy) (objstore.ID, error) {
	g := &group{
		id: objstore.StoreOf(e.node).NextID(), bundles: bundles, strategy: strategy, at: make([]member.ID, len(bundles)), version: 1,
		changed: make(chan struct{}), done: make(chan struct{}), touched: make(map[member.ID]bool), unclean: make(map[member.ID]bool),
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || !e.tendSoon(g) {
		return objstore.ID{}, fmt.Errorf("placement group: %w", bus.ErrClosed)
	}
	e.groups[g.id] = g
	return g.id, nil
}

// remove ends a group, and waits until what it had is given back.
func (e *Engine) remove(ctx context.Context, id objstore.ID) error {
	if creatorOf(id) != e.node.ID {
		q := question{kind: removeFrame, group: id}
		_, err := e.askCreator(ctx, id, q.append(nil))
		if errors.Is(err, errGone) { // and the group with it
			return nil
		}
		return err
	}
	e.mu.Lock()
	g := e.groups[id]
	if g == nil {
		e.mu.Unlock()
		return nil
	}
	if !g.removed {
		g.removed = true
		g.note()
		e.tendSoon(g)
	}
	e.mu.Unlock()
	select {
	case <-g.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-e.group.Context().Done():
		return bus.ErrClosed
	}
}

// tendSoon has a goroutine tend the group, if none does. False: the engine closes. e.mu is held.
func (e *Engine) tendSoon(g *group) bool {
	if g.tended {
		return true
	}
	g.tended = e.group.Go(func(ctx context.Context) { e.tend(ctx, g) })
	return g.tended
}

// tend does what there is to do for a group, until nothing is left.
func (e *Engine) tend(ctx context.Context, g *group) {
	wait := retryFirst
	for fresh := false; ctx.Err() == nil; {
		e.mu.Lock()
		changed, stirred := g.changed, e.stirred
		switch {
		case g.removed:
			e.mu.Unlock()
			e.giveBack(ctx, g)
			return
		case g.doubtful:
			g.doubtful = false
			e.mu.Unlock()
			e.verify(ctx, g)
			continue
		case g.placed():
			g.tended = false
			e.mu.Unlock()
			return
		}
		e.mu.Unlock()
		if e.try(ctx, g, fresh) {
			fresh, wait = false, retryFirst
			continue
		}
		if !fresh { // it was a guess
			fresh = true
			continue
		}
		member.Pause(ctx, retryFirst)
		timer := time.NewTimer(rand.N(wait)) // no two creators stay in step
		select {
		case <-timer.C:
		case <-changed:
		case <-stirred:
		case <-ctx.Done():
		}
		timer.Stop()
		wait = min(2*wait, retryLast)
	}
}

// try places the bundles that have no place: false if there is none, or somebody else was there first. With fresh the nodes are asked for
// their room, else what they said last is taken for true.
func (e *Engine) try(ctx context.Context, g *group, fresh bool) bool {
	if fresh {
		e.refresh(ctx)
	}
	e.mu.Lock()
	to, possible := plan(g.bundles, g.at, g.strategy, e.rooms(g))
	if !possible {
		e.mu.Unlock()
		return false
	}
	whole := !slices.ContainsFunc(g.at, func(id member.ID) bool { return id != member.ID{} })
	orders := make(map[member.ID]order)
	g.attempt++
	for i, id := range to {
		if g.at[i] != (member.ID{}) {
			continue
		}
		o, begun := orders[id]
		if !begun {
			o = order{kind: reserveFrame, group: g.id, attempt: g.attempt, bundles: make(map[int]member.Amounts)}
		}
		o.bundles[i] = g.bundles[i]
		orders[id] = o
		g.touched[id] = true
		n := e.nodes[id]
		n.free = n.room().Minus(g.bundles[i])
	}
	e.mu.Unlock()
	return e.reserve(ctx, g, orders, whole)
}

// reserve has nodes reserve bundles: all of them, in two steps, unless one node has all of it to decide. When a whole group fails nothing
// stays reserved; of one that had lost bundles, what has found its place keeps it.
func (e *Engine) reserve(ctx context.Context, g *group, orders map[member.ID]order, whole bool) bool {
	if len(orders) == 1 {
		for id, o := range orders {
			o.final = true
			orders[id] = o
		}
	}
	reserved := e.orderAll(ctx, orders)
	if len(reserved) < len(orders) {
		e.orderAll(ctx, only(orders, reserved, undoFrame))
		return false
	}
	if len(orders) > 1 {
		kept := e.orderAll(ctx, only(orders, reserved, commitFrame))
		if len(kept) < len(orders) {
			if whole {
				e.orderAll(ctx, only(orders, reserved, releaseFrame))
				return false
			}
			e.settle(g, orders, kept)
			return false
		}
	}
	e.settle(g, orders, reserved)
	return true
}

// only returns orders of another kind to some of the nodes.
func only(orders map[member.ID]order, nodes map[member.ID]bool, kind byte) map[member.ID]order {
	others := make(map[member.ID]order, len(nodes))
	for id := range nodes {
		others[id] = order{kind: kind, group: orders[id].group, attempt: orders[id].attempt}
	}
	return others
}

// settle notes where bundles are.
func (e *Engine) settle(g *group, orders map[member.ID]order, kept map[member.ID]bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for id := range kept {
		if e.nodes[id] == nil { // it has left since
			continue
		}
		for i := range orders[id].bundles {
			g.at[i] = id
		}
	}
	g.note()
}

// orderAll sends orders to nodes, and returns who has followed.
func (e *Engine) orderAll(ctx context.Context, orders map[member.ID]order) (done map[member.ID]bool) {
	type said struct {
		id member.ID
		answer
		err error
	}
	done = make(map[member.ID]bool, len(orders))
	answers := make(chan said, len(orders))
	ask := func(id member.ID, o order) {
		a, err := e.order(ctx, id, o)
		answers <- said{id, a, err}
	}
	for id, o := range orders {
		if len(orders) == 1 {
			ask(id, o)
		} else {
			go ask(id, o) // it ends before orderAll returns
		}
	}
	for range orders {
		s := <-answers
		if s.err != nil {
			continue
		}
		if s.done {
			done[s.id] = true
		}
		e.mu.Lock()
		e.heard(s.id, s.answer)
		e.mu.Unlock()
	}
	return done
}

// refresh asks all nodes what they have free.
func (e *Engine) refresh(ctx context.Context) {
	bounded, cancel := context.WithTimeout(ctx, refreshWithin)
	defer cancel()
	orders := make(map[member.ID]order)
	e.mu.Lock()
	for id, n := range e.nodes {
		if len(n.total) > 0 && !n.draining {
			orders[id] = order{kind: freeFrame}
		}
	}
	e.mu.Unlock()
	e.orderAll(bounded, orders)
}

// verify asks the nodes for what a group is said to have there: what is not there any more is lost, unless it is reserved again.
func (e *Engine) verify(ctx context.Context, g *group) {
	orders := make(map[member.ID]order)
	e.mu.Lock()
	for i, id := range g.at {
		if id == (member.ID{}) {
			continue
		}
		o, begun := orders[id]
		if !begun {
			o = order{kind: reserveFrame, group: g.id, attempt: g.attempt, final: true, bundles: make(map[int]member.Amounts)}
		}
		o.bundles[i] = g.bundles[i]
		orders[id] = o
	}
	e.mu.Unlock()
	kept := e.orderAll(ctx, orders)
	e.mu.Lock()
	defer e.mu.Unlock()
	for id := range orders {
		if !kept[id] {
			g.lose(id)
		}
	}
}

// giveBack releases all that nodes have of a removed group.
func (e *Engine) giveBack(ctx context.Context, g *group) {
	orders := make(map[member.ID]order)
	e.mu.Lock()
	for id := range maps.Keys(g.touched) {
		if e.nodes[id] != nil {
			orders[id] = order{kind: releaseFrame, group: g.id}
		}
	}
	e.mu.Unlock()
	e.orderAll(ctx, orders)
	e.mu.Lock()
	defer e.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	delete(e.groups, g.id)
	close(g.done)
	e.stir()
}
