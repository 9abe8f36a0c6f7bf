package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/member"
)

// ClockReading is how another node's clock stands to this one's.
type ClockReading struct {
	Ahead time.Duration // how far the other one is ahead; below 0: behind
	Trip  time.Duration // of the question and its answer, half of which Ahead may be wrong by
}

// clockReadings is how often a clock is read: the quickest answer counts.
const clockReadings = 3

// ReadClock reads a node's clock. Deadlines of plain requests are by the clock of the node that takes them, and times in the State API by that of who
// tells of them. The error is ErrUnknownNode if there is no such node, or it knows nothing of clocks.
func ReadClock(ctx context.Context, nodeID string) (best ClockReading, err error) {
	scope, err := member.Unconfined(ctx)
	if err != nil {
		return best, err
	}
	if bus.CheckName("node id", nodeID) != nil {
		return best, fmt.Errorf("node %q: %w", bus.Clip(nodeID, 64), ErrUnknownNode)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, askTimeout, fmt.Errorf("node %s does not answer: %w", nodeID, context.DeadlineExceeded))
	defer cancel()
	for i := range clockReadings {
		asked := time.Now()
		msg, err := scope.Node.Conn.Request(ctx, scope.Node.Conn.NodeClock(nodeID), nil)
		trip := time.Since(asked)
		switch {
		case errors.Is(err, bus.ErrNoResponders):
			return best, fmt.Errorf("node %s: %w", nodeID, ErrUnknownNode)
		case err != nil && ctx.Err() != nil:
			return best, context.Cause(ctx)
		case err != nil:
			return best, err
		}
		there, err := time.Parse(time.RFC3339Nano, string(msg.Data))
		if err != nil {
			return best, fmt.Errorf("node %s: %w: its time is %q", nodeID, bus.ErrMalformed, bus.Clip(string(msg.Data), 64))
		}
		if i == 0 || trip < best.Trip {
			best = ClockReading{Ahead: there.Sub(asked.Add(trip / 2)), Trip: trip}
		}
	}
	return best, nil
}

// tellTime answers what time it is here.
func (n *Node) tellTime(msg *bus.Msg) {
	if msg.Reply == "" {
		n.self.Reject(msg, bus.ErrNoReply)
		return
	}
	if err := n.self.Conn.Publish(msg.Reply, "", []byte(time.Now().UTC().Format(time.RFC3339Nano))); err != nil {
		n.self.Log.Info("the time was not told", zap.Error(err))
	}
}
