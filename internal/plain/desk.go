package plain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// Desk takes plain requests on, as many at a time as it is configured to, and answers them. Its node answers for them until group ends.
type Desk struct {
	node    *member.Node
	store   *objstore.Store
	group   *member.Group
	limit   int64
	pending atomic.Int64
}

// NewDesk returns a desk that has up to limit requests at a time.
func NewDesk(node *member.Node, group *member.Group, limit int) *Desk {
	return &Desk{node: node, store: objstore.StoreOf(node), group: group, limit: int64(limit)}
}

// Request is what a client asks for at an endpoint. It is answered or refused once.
//
//	come ─► admitted ─► ended, and answered
//	  └────────┴──────► refused
type Request struct {
	Msg *bus.Msg

	desk     *Desk
	endpoint *Endpoint
	begun    time.Time
	ctx      context.Context
	cancel   context.CancelFunc
}

// Take takes up a request. It is nil, and rejected, if nobody is to be answered, or at a subject where a node does not speak for others.
func (d *Desk) Take(msg *bus.Msg, e *Endpoint) *Request {
	switch {
	case msg.Reply == "":
		d.node.Reject(msg, bus.ErrNoReply)
		return nil
	case !bus.MayAnswer(msg.Reply):
		d.node.Reject(msg, fmt.Errorf("%w: %q is a subject of NATS or of Manta", bus.ErrNoReply, bus.Clip(msg.Reply, shownBytes)))
		return nil
	}
	return &Request{Msg: msg, desk: d, endpoint: e, begun: time.Now()}
}

// Admit lets a request wait here, or says why not: call.ErrOverload, or call.ErrArgument for a deadline that is none. One that was admitted has to
// end.
func (r *Request) Admit() error {
	deadline, err := deadlineOf(r.Msg)
	if err != nil {
		return err
	}
	d := r.desk
	if d.pending.Add(1) > d.limit {
		d.pending.Add(-1)
		return fmt.Errorf("%w: %d requests wait at node %s", call.ErrOverload, d.limit, d.node.ID)
	}
	r.ctx, r.cancel = member.NewContext(d.group.Context(), &member.Scope{Node: d.node}), func() {}
	if !deadline.IsZero() {
		r.ctx, r.cancel = context.WithDeadline(r.ctx, deadline)
	}
	return nil
}

// Context is the ctx of what is done for the client: until the node closes, or the request's deadline.
func (r *Request) Context() context.Context { return r.ctx }

// End makes room for another request.
func (r *Request) End() {
	r.cancel()
	r.desk.pending.Add(-1)
}

// Capture has this node hold what a request's value names.
func (r *Request) Capture(v *bus.Value) { r.desk.store.Capture(v) }

// Arguments makes arguments of a request's values.
func (r *Request) Arguments(values []bus.Value) []call.Arg {
	args := make([]call.Arg, len(values))
	for i, v := range values {
		r.Capture(&v)
		args[i] = call.Encoded(v)
	}
	return args
}

// AnswerWhenDone answers with what a call comes to, and ends the request then.
func (r *Request) AnswerWhenDone(result *objstore.Object) {
	d := r.desk
	d.store.When(result, func(objstore.Outcome) {
		r.End()
		if !d.group.Go(func(ctx context.Context) {
			value, err := d.store.Value(member.NewContext(ctx, &member.Scope{Node: d.node}), result)
			if err != nil {
				r.Refuse(err)
				return
			}
			r.Answer(value)
		}) {
			r.Refuse(bus.ErrClosed)
		}
	})
}

// Answer answers with a value, in the encoding of the request.
func (r *Request) Answer(value bus.Value) {
	d := r.desk
	d.store.Give(value.Refs)
	value, err := bus.Recode(value, Format(r.Msg))
	if most := d.node.Conn.MaxPayload(); err == nil && int64(len(value.Data)) > most {
		err = fmt.Errorf("the result has %d bytes, the server takes messages of %d", len(value.Data), most)
	}
	if err != nil {
		r.Refuse(err)
		return
	}
	reply := bus.NewMsg(r.Msg.Reply, value.Data)
	SetFormat(reply, Format(r.Msg))
	r.Last(reply)
}

// statuses are those of the codes that have one of their own.
var statuses = map[string]string{"argument": "400", "actor_not_found": "404", "actor_exists": "409", "overload": "429", "deadline": "504"}

// Refuse answers with an error.
func (r *Request) Refuse(err error) {
	code := bus.EncodeFailure(err).Code
	if errors.Is(err, call.ErrArgument) { // also inside the callee's own word
		code = bus.ErrorCode(err)
	}
	r.endpoint.count(r.begun, err)
	r.Publish(bus.NewRefusal(r.Msg.Reply, cmp.Or(statuses[code], "500"), code, err))
}

// Last publishes the reply, or the last of several.
func (r *Request) Last(reply *bus.Msg) {
	r.endpoint.count(r.begun, nil)
	r.Publish(reply)
}

// Publish sends the client a message.
func (r *Request) Publish(msg *bus.Msg) {
	if err := r.desk.node.Conn.PublishMsg(msg); err != nil {
		r.desk.node.Log.Warn("a reply to a plain client was not sent", zap.String("subject", msg.Subject), zap.Error(err))
	}
}
