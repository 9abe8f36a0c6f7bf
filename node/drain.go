package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/member"
)

// askTimeout bounds how long another node may take to say that it has taken a request on.
const askTimeout = 5 * time.Second

// DrainNode has another node of the cluster, or this one, drain and leave, as the end of Run's ctx does: it takes no more work, finishes what it has within
// its Config.DrainTimeout, and closes. Its Run or RunUntilSignal then returns, and so its process ends; a program without them sees its node's ctx end.
//
// DrainNode returns once the node has begun. AwaitMembers waits until it has left. The error is ErrUnknownNode if there is no such node, bus.ErrDenied if
// this one may not ask, and ctx's cause, or after 5 s a deadline error, if the node does not answer: then it may drain all the same.
func DrainNode(ctx context.Context, nodeID string) error {
	scope, err := member.Unconfined(ctx)
	if err != nil {
		return err
	}
	id, err := member.ParseID(nodeID)
	if err != nil || !slices.ContainsFunc(scope.Node.Members.All(), func(m member.Info) bool { return m.ID == id }) {
		return fmt.Errorf("node %q: %w", bus.Clip(nodeID, 64), ErrUnknownNode)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, askTimeout, fmt.Errorf("node %s does not answer: %w", id, context.DeadlineExceeded))
	defer cancel()
	_, err = scope.Node.Conn.Request(ctx, scope.Node.Conn.NodeDrain(id.String()), nil)
	switch {
	case errors.Is(err, bus.ErrNoResponders):
		return fmt.Errorf("node %s: %w any more", id, ErrUnknownNode)
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return err
}

// departure is a drain that DrainNode has asked for.
type departure struct {
	done chan struct{} // closed when the node is closed
	err  error         // valid then
}

// askedToDrain takes a request to drain. Who asks again gets the same answer.
func (n *Node) askedToDrain(msg *bus.Msg) {
	if msg.Reply == "" {
		n.self.Reject(msg, bus.ErrNoReply)
		return
	}
	if d := (&departure{done: make(chan struct{})}); n.departure.CompareAndSwap(nil, d) {
		n.self.Log.Info("the node drains, since it was asked to")
		go func() { // it ends with Close, which it calls itself; run waits for it
			defer close(d.done)
			d.err = n.drainAndClose(context.Background())
		}()
	}
	if err := n.self.Conn.Publish(msg.Reply, "", nil); err != nil {
		n.self.Log.Warn("a request to drain was not answered", zap.Error(err))
	}
}

// departed is how what DrainNode asked for has ended, once the node is closed; nil if nobody asked.
func (n *Node) departed() error {
	d := n.departure.Load()
	if d == nil {
		return nil
	}
	<-d.done
	return d.err
}
