package plain

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
)

const (
	// aliveHeader asks for a sign of life at once and then every AliveEvery until the reply: an empty message with the status 100.
	aliveHeader = "Manta-Alive"
	// SignStatus is the status of a sign of life, also of a stream's.
	SignStatus = "100"
	// AliveEvery is how often a client that wants it is shown that its request is here.
	AliveEvery = time.Second
	// StopWord is the answer to a sign of life, or to a stream's item, that cancels what was asked for.
	StopWord = "stop"
)

// company is the requests of clients that want to know that their node is there, and may cancel them.
type company struct {
	node  *member.Node
	group *member.Group
	ear   string   // beneath it clients answer signs of life
	kept  sync.Map // of requests, by the secret that its client alone is told
}

func newCompany(node *member.Node, group *member.Group, kind string) (*company, error) {
	c := &company{node: node, group: group, ear: node.Conn.Ear("taken." + kind + ".alive.")}
	_, err := node.Conn.Subscribe(c.ear+"*", "", c.answered) // it ends with the connection
	return c, err
}

// keep shows a request's client signs of life until it ends.
func (c *company) keep(r *Request) {
	ctx, cancel := context.WithCancelCause(r.ctx)
	release := r.cancel
	r.ctx, r.cancel = ctx, func(cause error) {
		cancel(cause)
		release(nil)
	}
	secret := bus.Secret()
	c.kept.Store(secret, r)
	if !c.group.Go(func(context.Context) {
		defer c.kept.Delete(secret)
		c.show(r, secret)
	}) {
		c.kept.Delete(secret)
	}
}

func (c *company) show(r *Request, secret string) {
	tick := time.NewTicker(AliveEvery)
	defer tick.Stop()
	for r.ctx.Err() == nil {
		sign := bus.NewMsg(r.Msg.Reply, nil)
		sign.Reply = c.ear + secret
		sign.Header.Set("Status", SignStatus)
		r.Publish(sign)
		select {
		case <-tick.C:
		case <-r.ctx.Done():
		}
	}
}

// answered takes in a client's word that it does not want the reply any more, or NATS's that the client is gone.
func (c *company) answered(msg *bus.Msg) {
	_, gone := bus.Unserved(msg)
	if r, ok := c.kept.Load(bus.LastToken(msg.Subject)); ok && (gone || string(msg.Data) == StopWord) {
		c.node.Log.Debug("a plain client does not want its reply any more", zap.String("subject", r.(*Request).Msg.Subject), zap.Bool("gone", gone))
		r.(*Request).cancel(call.ErrCancelled)
	}
}
