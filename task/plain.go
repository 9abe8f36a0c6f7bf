package task

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/vmihailenco/msgpack/v5"
	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// The door for plain NATS clients: the payload is the argument, as JSON, or as MessagePack if the Content-Type header says
// so, and the reply is encoded alike. Nothing for a function of no argument, an array of two for one of two.
const (
	contentType     = "Content-Type"
	msgpackType     = "application/msgpack"
	errorHeader     = "Nats-Service-Error"
	errorCodeHeader = "Nats-Service-Error-Code"
	mantaError      = "Manta-Error"
)

// plainDoor is where a node takes what plain clients ask for, as many requests at a time as it is configured to.
type plainDoor struct {
	host    *host
	doors   []*bus.Subscription
	answers *bus.Subscription // of clients to the items of their streams
	limit   int64
	pending atomic.Int64
}

func openPlainDoor(h *host, limit int) (*plainDoor, error) {
	d := &plainDoor{host: h, limit: int64(limit)}
	var err error
	if d.answers, err = h.node.Conn.Subscribe(h.node.Conn.Inbox(takenToken+"*.*"), "", d.taken); err != nil {
		return nil, err
	}
	for _, name := range h.served.names() {
		door, err := h.node.Conn.Subscribe(h.node.Conn.Task(name), bus.Workers, d.asked)
		if err != nil {
			d.close()
			return nil, err
		}
		d.doors = append(d.doors, door)
	}
	return d, nil
}

func (d *plainDoor) close() {
	for _, door := range append(d.doors, d.answers) {
		_ = door.Unsubscribe() // its one error is that the connection is closed, or the subscription drained
	}
}

// asked takes on a plain request as an owner would: the task runs here when there is room, else wherever there is.
func (d *plainDoor) asked(msg *bus.Msg) {
	h, name := d.host, bus.LastToken(msg.Subject)
	f, ok := h.served.lookup(name)
	if !ok || msg.Reply == "" {
		return
	}
	format := bus.JSON
	if msg.Header.Get(contentType) == msgpackType {
		format = bus.Msgpack
	}
	values, err := plainArgs(format, f.arity, msg.Data)
	if err != nil {
		h.refusePlainly(msg, fmt.Errorf("task %q: %w: %w", name, ErrArgument, err))
		return
	}
	if d.pending.Add(1) > d.limit {
		d.pending.Add(-1)
		h.refusePlainly(msg, fmt.Errorf("task %q: %w: %d requests wait at node %s", name, ErrOverload, d.limit, h.node.ID))
		return
	}
	args := make([]call.Arg, len(values))
	for i, v := range values {
		h.store.Capture(&v)
		args[i] = call.Encoded(v)
	}
	if msg.Header.Get(streamHeaderName) != "" {
		d.stream(msg, f, args, format)
		return
	}
	ctx := member.NewContext(h.group.Context(), &member.Scope{Node: h.node})
	result := h.owner.submit(ctx, f.target, call.ArgsOf(args...), format == bus.JSON)
	h.store.When(result, func(objstore.Outcome) {
		d.pending.Add(-1)
		if !h.group.Go(func(ctx context.Context) { h.answerPlainly(ctx, msg, result, format) }) {
			h.refusePlainly(msg, bus.ErrClosed)
		}
	})
}

// plainArgs takes a payload apart into a function's arguments.
func plainArgs(format bus.Format, arity int, payload []byte) ([]bus.Value, error) {
	switch {
	case arity == 0 && len(payload) == 0:
		return nil, nil
	case arity == 0:
		return nil, fmt.Errorf("a payload of %d bytes was sent, the function takes no argument", len(payload))
	case len(payload) == 0:
		return nil, fmt.Errorf("an empty payload was sent, the function takes %d arguments", arity)
	case arity == 1:
		return []bus.Value{{Format: format, Data: payload}}, nil
	}
	split := elements[json.RawMessage]
	if format == bus.Msgpack {
		split = elements[msgpack.RawMessage]
	}
	values, err := split(bus.Value{Format: format, Data: payload})
	if err != nil || len(values) != arity {
		return nil, fmt.Errorf("the function takes %d arguments: send an array of %d", arity, arity)
	}
	return values, nil
}

// elements takes an array apart, each element in the encoding of the whole.
func elements[Raw ~[]byte](array bus.Value) ([]bus.Value, error) {
	raw, err := bus.Decode[[]Raw](array)
	values := make([]bus.Value, len(raw))
	for i, r := range raw {
		values[i] = bus.Value{Format: array.Format, Data: r}
	}
	return values, err
}

// answerPlainly replies with a task's result or error.
func (h *host) answerPlainly(ctx context.Context, msg *bus.Msg, result *objstore.Object, format bus.Format) {
	value, err := h.store.Value(member.NewContext(ctx, &member.Scope{Node: h.node}), result)
	if err == nil {
		h.store.Give(value.Refs)
		value, err = bus.Recode(value, format)
	}
	if err == nil && int64(len(value.Data)) > h.node.Conn.MaxPayload() {
		err = fmt.Errorf("the result has %d bytes, the server takes messages of %d", len(value.Data), h.node.Conn.MaxPayload())
	}
	if err != nil {
		h.refusePlainly(msg, err)
		return
	}
	reply := bus.NewMsg(msg.Reply, value.Data)
	if format == bus.Msgpack {
		reply.Header.Set(contentType, msgpackType)
	}
	h.publishPlainly(reply)
}

func (h *host) refusePlainly(msg *bus.Msg, err error) {
	status, code := "500", bus.EncodeFailure(err).Code
	switch {
	case errors.Is(err, ErrArgument):
		status, code = "400", bus.ErrorCode(err)
	case errors.Is(err, ErrOverload):
		status = "429"
	}
	detail, _ := json.Marshal(map[string]string{"error": err.Error()}) // strings always encode
	reply := bus.NewMsg(msg.Reply, detail)
	reply.Header.Set(errorHeader, err.Error())
	reply.Header.Set(errorCodeHeader, status)
	reply.Header.Set(mantaError, code)
	h.publishPlainly(reply)
}

func (h *host) publishPlainly(reply *bus.Msg) {
	if err := h.node.Conn.PublishMsg(reply); err != nil {
		h.node.Log.Warn("a reply to a plain client was not sent", zap.String("subject", reply.Subject), zap.Error(err))
	}
}
