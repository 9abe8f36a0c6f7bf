package plain

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// The headers of an error.
const (
	ErrorHeader  = "Nats-Service-Error"      // in words
	statusHeader = "Nats-Service-Error-Code" // as HTTP has them
	CodeHeader   = "Manta-Error"
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

// Admit takes a request on, or says why not: call.ErrOverload, or call.ErrArgument for a deadline that is none. It is its taker's to end.
func (d *Desk) Admit(msg *bus.Msg) (*Request, error) {
	deadline, err := deadlineOf(msg)
	if err != nil {
		return nil, err
	}
	if d.pending.Add(1) > d.limit {
		d.pending.Add(-1)
		return nil, fmt.Errorf("%w: %d requests wait at node %s", call.ErrOverload, d.limit, d.node.ID)
	}
	r := &Request{desk: d, msg: msg, ctx: member.NewContext(d.group.Context(), &member.Scope{Node: d.node}), cancel: func() {}}
	if !deadline.IsZero() {
		r.ctx, r.cancel = context.WithDeadline(r.ctx, deadline)
	}
	return r, nil
}

// Request is one that was admitted.
type Request struct {
	desk   *Desk
	msg    *bus.Msg
	ctx    context.Context
	cancel context.CancelFunc
}

// Context is the ctx of what is done for the client: until the node closes, or the request's deadline.
func (r *Request) Context() context.Context { return r.ctx }

// End makes room for another request.
func (r *Request) End() {
	r.cancel()
	r.desk.pending.Add(-1)
}

// AnswerWhenDone answers with what a call comes to, and ends the request then.
func (r *Request) AnswerWhenDone(result *objstore.Object) {
	d := r.desk
	d.store.When(result, func(objstore.Outcome) {
		r.End()
		if !d.group.Go(func(ctx context.Context) {
			value, err := d.store.Value(member.NewContext(ctx, &member.Scope{Node: d.node}), result)
			if err != nil {
				d.Refuse(r.msg, err)
				return
			}
			d.Answer(r.msg, value)
		}) {
			d.Refuse(r.msg, bus.ErrClosed)
		}
	})
}

// Capture has this node hold what a request's value names.
func (d *Desk) Capture(v *bus.Value) { d.store.Capture(v) }

// Arguments makes arguments of a request's values.
func (d *Desk) Arguments(values []bus.Value) []call.Arg {
	args := make([]call.Arg, len(values))
	for i, v := range values {
		d.Capture(&v)
		args[i] = call.Encoded(v)
	}
	return args
}

// Answer answers a request with a value, in the encoding of the request.
func (d *Desk) Answer(msg *bus.Msg, value bus.Value) {
	d.store.Give(value.Refs)
	value, err := bus.Recode(value, Format(msg))
	if most := d.node.Conn.MaxPayload(); err == nil && int64(len(value.Data)) > most {
		err = fmt.Errorf("the result has %d bytes, the server takes messages of %d", len(value.Data), most)
	}
	if err != nil {
		d.Refuse(msg, err)
		return
	}
	reply := bus.NewMsg(msg.Reply, value.Data)
	SetFormat(reply, Format(msg))
	d.Publish(reply)
}

// statuses are those of the codes that have one of their own.
var statuses = map[string]string{"argument": "400", "actor_not_found": "404", "actor_exists": "409", "overload": "429", "deadline": "504"}

// Refuse answers a request with an error.
func (d *Desk) Refuse(msg *bus.Msg, err error) {
	code := bus.EncodeFailure(err).Code
	if errors.Is(err, call.ErrArgument) { // also inside the callee's own word
		code = bus.ErrorCode(err)
	}
	status := cmp.Or(statuses[code], "500")
	detail, _ := json.Marshal(map[string]string{"error": err.Error()}) // strings always encode
	reply := bus.NewMsg(msg.Reply, detail)
	reply.Header.Set(ErrorHeader, err.Error())
	reply.Header.Set(statusHeader, status)
	reply.Header.Set(CodeHeader, code)
	d.Publish(reply)
}

// Publish sends a message to a client.
func (d *Desk) Publish(reply *bus.Msg) {
	if err := d.node.Conn.PublishMsg(reply); err != nil {
		d.node.Log.Warn("a reply to a plain client was not sent", zap.String("subject", reply.Subject), zap.Error(err))
	}
}
