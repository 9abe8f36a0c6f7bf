package member

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"sync"
	"time"

	"go.uber.org/zap"

	"manta/bus"
)

const (
	// claimFor is how long a generation is believed that stands in a frame and that its node does not confirm, because it cannot be asked.
	claimFor = 3 * time.Second
	// claimPause is how long after a claim that its node denied another one is rejected unasked: a flood of forged frames is not to become one of
	// questions.
	claimPause = 100 * time.Millisecond
)

// Generations are those of nodes' connections, of which frames were heard: one of an older generation is late, and what its sender has learned since
// does not count it. Anybody can write a higher generation into a frame, in any node's name, and would so shut that node out: hence one that a frame
// claims is believed at once, but only until the node itself has answered which one it is in, and of this node's own that is known. It needs a lock.
//
//	known ── a frame of a higher one ──► claimed ── its node's word ──► known
//	  ▲                                     │
//	  └────── no word within claimFor ──────┘
type Generations struct {
	self ID
	own  func() uint64                  // this node's
	ask  func(owner ID, claimed uint64) // has told called with what the node says
	of   map[ID]generation
}

type generation struct {
	known   uint64 // by the node's word; it never goes back
	claimed uint64 // by a frame, if that is more
	since   time.Duration
	denied  bool // the last claim was
}

// NewGenerations are those that a node hears of, under a lock. The zero Generations asks nobody.
func NewGenerations(node *Node, group *Group, lock sync.Locker) *Generations {
	g := &Generations{self: node.ID, own: node.Conn.Generation}
	g.ask = func(owner ID, claimed uint64) {
		group.Go(func(ctx context.Context) { // a stopped group asks nothing: nor is anything believed for long
			number, err := node.generationOf(ctx, owner)
			if err != nil {
				node.Log.Debug("a node has not said which generation it is in", zap.Stringer("of", owner), zap.Error(err))
				return
			}
			lock.Lock()
			err = g.told(owner, claimed, number)
			lock.Unlock()
			if err != nil {
				node.countRejected(node.Conn.NodeGeneration(owner.String()), err)
			}
		})
	}
	return g
}

// Late takes note of a frame that came at a time, and says whether it is late. An error means that its generation is not its sender's.
func (g *Generations) Late(owner ID, number uint64, now time.Duration) (bool, error) {
	k, heard := g.of[owner]
	if number == k.claimed && heard {
		return false, nil
	}
	if number < k.claimed && k.claimed > k.known && now-k.since > claimFor { // nobody has said that it is so
		k.claimed = k.known
	}
	if number < k.claimed {
		return true, nil
	}
	switch {
	case number == k.claimed:
	case g.own != nil && owner == g.self:
		if k.known = g.own(); number > k.known {
			return false, forged(owner, number)
		}
	case number == 1: // the first of all shuts nothing out
		k.known = 1
	case k.denied && now-k.since < claimPause:
		return false, forged(owner, number)
	case g.ask != nil:
		g.ask(owner, number)
	}
	k.claimed, k.since, k.denied = number, now, false
	if g.of == nil {
		g.of = make(map[ID]generation)
	}
	g.of[owner] = k
	return false, nil
}

func forged(owner ID, number uint64) error {
	return fmt.Errorf("%w: generation %d in a frame of node %s, which was never in that", bus.ErrMalformed, number, owner)
}

// told takes in a node's word on its generation, which it was asked for because a frame claimed one. The error says that the claim was forged: a node
// that has sent it would have said no less.
func (g *Generations) told(owner ID, claimed, number uint64) error {
	k, heard := g.of[owner]
	if !heard {
		return nil
	}
	k.known = max(k.known, number)
	if k.claimed == claimed && claimed > k.known {
		k.claimed, k.denied = k.known, true
	}
	k.claimed = max(k.claimed, k.known)
	g.of[owner] = k
	if claimed > number {
		return forged(owner, claimed)
	}
	return nil
}

// Forget forgets a node.
func (g *Generations) Forget(owner ID) { delete(g.of, owner) }

// Owners yields the nodes of which frames were heard.
func (g *Generations) Owners() iter.Seq[ID] { return maps.Keys(g.of) }

// ServeGeneration begins to answer which generation a node's connection is in.
func ServeGeneration(node *Node) error {
	_, err := node.Conn.Subscribe(node.Conn.NodeGeneration(node.ID.String()), "", func(msg *bus.Msg) { // it ends with the connection
		if msg.Reply == "" {
			node.Reject(msg, bus.ErrNoReply)
			return
		}
		if err := node.Conn.Publish(msg.Reply, "", bus.AppendUint(nil, node.Conn.Generation())); err != nil {
			node.Log.Debug("a question about the connection was not answered", zap.Error(err))
		}
	})
	return err
}

// generationOf asks a node which generation it is in.
func (n *Node) generationOf(ctx context.Context, owner ID) (uint64, error) {
	if !n.Members.Alive(owner) {
		return 0, errNotThere
	}
	ctx, cancel := context.WithTimeout(ctx, claimFor)
	defer cancel()
	msg, err := n.Conn.Request(ctx, n.Conn.NodeGeneration(owner.String()), nil)
	if err != nil {
		return 0, err
	}
	r := bus.ReadFields(msg.Data)
	number := r.ReadGeneration()
	return number, r.Err()
}

var errNotThere = errors.New("the node is not there")
