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

// Admit counts a request until Done, or returns call.ErrOverload.
func (d *Desk) Admit() error {
	if d.pending.Add(1) > d.limit {
		d.Done()
		return fmt.Errorf("%w: %d requests wait at node %s", call.ErrOverload, d.limit, d.node.ID)
	}
	return nil
}

// Done ends a request that was admitted.
func (d *Desk) Done() { d.pending.Add(-1) }

// Context is the ctx of what is done for a client: none of its own.
func (d *Desk) Context() context.Context {
	return member.NewContext(d.group.Context(), &member.Scope{Node: d.node})
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

// AnswerWhenDone answers a request that was admitted with what a call comes to.
func (d *Desk) AnswerWhenDone(msg *bus.Msg, result *objstore.Object) {
	d.store.When(result, func(objstore.Outcome) {
		d.Done()
		if !d.group.Go(func(ctx context.Context) {
			value, err := d.store.Value(member.NewContext(ctx, &member.Scope{Node: d.node}), result)
			if err != nil {
				d.Refuse(msg, err)
				return
			}
			d.Answer(msg, value)
		}) {
			d.Refuse(msg, bus.ErrClosed)
		}
	})
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
var statuses = map[string]string{"argument": "400", "actor_not_found": "404", "actor_exists": "409", "overload": "429"}

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
