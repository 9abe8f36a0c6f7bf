package placement

import (
	"context"
	"errors"
	"time"

	"manta/bus"
	"manta/internal/member"
	"manta/objstore"
)

const (
	longPoll   = 2 * time.Second        // how long a creator keeps a question
	askTimeout = longPoll + time.Second // after which the question is taken for lost
	askAgain   = 50 * time.Millisecond  // pause after a question that reached nobody
	// unheardFor is how long nobody may be at the subject of a node that membership knows: one that reconnects is back sooner.
	unheardFor = 3 * time.Second
)

// View is a group as its creator has it.
type View struct {
	Version uint64 // grows with every change
	Removed bool
	Bundles []member.Amounts
	Nodes   []member.ID // of each bundle; zero while it has none
}

func (v *View) placed() bool {
	for _, id := range v.Nodes {
		if id == (member.ID{}) {
			return false
		}
	}
	return true
}

// Await returns a group as it is, once that is not the version any more that the caller has; 0 is none. The group of a creator
// that is gone is removed. The error is ctx's cause, or bus.ErrClosed. It is for packages of Manta that bind work to groups.
func Await(ctx context.Context, node *member.Node, id objstore.ID, version uint64) (View, error) {
	e := part.Of(node)
	if creatorOf(id) == node.ID {
		return e.await(ctx, id, version)
	}
	q := question{kind: askFrame, group: id, version: version}
	for {
		answer, err := e.askCreator(ctx, id, q.append(nil))
		if errors.Is(err, errGone) {
			return View{Removed: true}, nil
		}
		if err != nil {
			return View{}, err
		}
		v, err := readView(answer)
		if err != nil {
			return View{}, err
		}
		if v.Removed || v.Version > version {
			return v, nil
		}
	}
}

// creatorOf is the node that made a group.
func creatorOf(id objstore.ID) member.ID { return member.ID(id[:len(member.ID{})]) }

// errGone says that a node is not there any more.
var errGone = errors.New("the node is gone")

func (e *Engine) askCreator(ctx context.Context, id objstore.ID, question []byte) ([]byte, error) {
	creator := creatorOf(id)
	return e.ask(ctx, creator, e.node.Conn.NodeGroups(creator.String()), question)
}

// ask puts a question to a node until it is answered, or the node is gone: then the error is errGone. Questions may arrive twice.
func (e *Engine) ask(ctx context.Context, node member.ID, subject string, question []byte) ([]byte, error) {
	heard := time.Now()
	for {
		msg, err := e.askOnce(ctx, subject, question)
		switch {
		case err == nil:
			return msg.Data, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case errors.Is(err, bus.ErrClosed), errors.Is(err, bus.ErrVersion):
			return nil, err
		case !errors.Is(err, bus.ErrNoResponders):
			heard = time.Now()
		}
		if there, err := e.there(ctx, node); err == nil && !there || time.Since(heard) > unheardFor {
			return nil, errGone
		}
		member.Pause(ctx, askAgain)
	}
}

func (e *Engine) askOnce(ctx context.Context, subject string, question []byte) (*bus.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return e.node.Conn.Request(ctx, subject, question)
}

// there says whether a node is, also one that this node's table may not know yet.
func (e *Engine) there(ctx context.Context, node member.ID) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return e.node.Members.There(ctx, node)
}

// awaiting is await for at most as long as a creator keeps a question: then it returns what there is.
func (e *Engine) awaiting(ctx context.Context, id objstore.ID, version uint64) (View, error) {
	bounded, cancel := context.WithTimeout(ctx, longPoll)
	defer cancel()
	v, err := e.await(bounded, id, version)
	if err != nil && ctx.Err() == nil {
		return e.await(ctx, id, 0)
	}
	return v, err
}

// await is Await at the creator.
func (e *Engine) await(ctx context.Context, id objstore.ID, version uint64) (View, error) {
	for {
		e.mu.Lock()
		g := e.groups[id]
		if g == nil {
			e.mu.Unlock()
			return View{Removed: true}, nil
		}
		v, changed := g.view(), g.changed
		e.mu.Unlock()
		if v.Version > version {
			return v, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return View{}, context.Cause(ctx)
		case <-e.group.Context().Done():
			return View{}, bus.ErrClosed
		}
	}
}
