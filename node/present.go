package node

import (
	"context"
	"encoding/json"
	"fmt"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/event"
)

// What a node says of itself when it is asked for what it has at this moment. The question and the answer are JSON, which PROTOCOL.md describes.

// stateQuestion is what a node is asked.
type stateQuestion struct {
	Kind event.Kind `json:"kind"`
	Most int        `json:"most"` // things in the answer
}

// mostPresent bounds what one node says at once.
const mostPresent = 10_000

// answerState answers what this node has of a kind.
func (n *Node) answerState(msg *bus.Msg) {
	if msg.Reply == "" {
		n.self.Reject(msg, bus.ErrNoReply)
		return
	}
	var q stateQuestion
	if err := json.Unmarshal(msg.Data, &q); err != nil {
		n.self.Reject(msg, fmt.Errorf("%w: a question about a node's state: %w", bus.ErrMalformed, err))
		return
	}
	if q.Most <= 0 || q.Most > mostPresent {
		q.Most = mostPresent
	}
	n.group.Go(func(context.Context) { n.sayState(msg, q) })
}

// sayState answers with as much as a message holds.
func (n *Node) sayState(msg *bus.Msg, q stateQuestion) {
	for most := q.Most; ; most /= 2 {
		b, err := n.present(q.Kind, most)
		if err != nil {
			n.self.Reject(msg, err)
			return
		}
		data, err := json.Marshal(b)
		if err == nil && int64(len(data)) > n.self.Conn.MaxPayload() && most > 1 {
			continue
		}
		if err == nil {
			err = n.self.Conn.Publish(msg.Reply, "", data)
		}
		if err != nil {
			n.self.Log.Info("the node's state was not told", zap.Error(err))
		}
		return
	}
}

// present is what this node has of a kind.
func (n *Node) present(kind event.Kind, most int) (b event.Batch, err error) {
	b.Node = n.ID()
	switch kind {
	case event.Tasks:
		b.Tasks, b.More = n.tasks.Present(most)
	case event.Actors:
		b.Actors, b.More = n.actors.Present(most)
	case event.Objects:
		b.Objects, b.More = n.objects.Present(most)
	case event.Groups:
		b.Groups, b.More = n.groups.Present(most)
	case event.Nodes:
		b.Nodes = []*event.Node{n.presentNode()}
	default:
		return b, fmt.Errorf("%w: there is no kind %q: want task, actor, object, group or node", bus.ErrMalformed, kind)
	}
	return b, nil
}

func (n *Node) presentNode() *event.Node {
	_, free := n.Resources()
	stats := n.Stats()
	f := &event.Node{ID: n.ID(), Free: free, Submitted: stats.Tasks.Submitted, Ran: stats.Tasks.Ran, Living: n.actors.Living(), Kept: stats.Objects.Askable}
	f.Pending, f.Running = n.tasks.Pending()
	if f.Free == nil {
		f.Free = Resources{}
	}
	return f
}
