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

const (
	// failureHeader is the code under which the error of a function is registered, beside the code that says that it failed.
	failureHeader = "Manta-Failure"
	// ResultHeader asks for a ref of the result in place of its value, and says in a reply that it is one, by the word ResultRef.
	ResultHeader = "Manta-Result"
	ResultRef    = "ref"
)

// PendingTimeout is how long a request waits for room, unless configured: less than the 5 s for which the nats command waits.
const PendingTimeout = 4 * time.Second

// Desk takes plain requests on, as many at a time as it is configured to, and answers them. Its node answers for them until group ends.
type Desk struct {
	node    *member.Node
	store   *objstore.Store
	group   *member.Group
	limit   int64
	pending atomic.Int64
	claims  claims
	company *company
}

// NewDesk returns a desk that has up to limit requests at a time, all of one kind, a word.
func NewDesk(node *member.Node, group *member.Group, limit int, kind string) (*Desk, error) {
	company, err := newCompany(node, group, kind)
	return &Desk{node: node, store: objstore.StoreOf(node), group: group, limit: int64(limit), claims: claims{node: node, group: group}, company: company}, err
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
	cancel   context.CancelCauseFunc
	claim    *claim // nil of one that may be made again and again
}

// Take takes up a request. It is nil, and rejected, if nobody is to be answered.
func (d *Desk) Take(msg *bus.Msg, e *Endpoint) *Request {
	if msg.Reply == "" {
		d.node.Reject(msg, bus.ErrNoReply)
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
	r.ctx, r.cancel = call.TraceIn(r.Msg).Context(member.NewContext(d.group.Context(), &member.Scope{Node: d.node})), func(error) {}
	if !deadline.IsZero() {
		ctx, release := context.WithDeadline(r.ctx, deadline)
		r.ctx, r.cancel = ctx, func(error) { release() }
	}
	if r.Msg.Header.Get(aliveHeader) != "" {
		d.company.keep(r)
	}
	return nil
}

// Context is the ctx of what is done for the client: until the node closes, or the request's deadline.
func (r *Request) Context() context.Context { return r.ctx }

// End makes room for another request.
func (r *Request) End() {
	r.cancel(nil)
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

// AnswerWhenDone answers with what a call comes to, and ends the request then. A result that no message takes is answered with a ref, as any is
// if the client asks for that.
func (r *Request) AnswerWhenDone(result *objstore.Object) {
	r.desk.store.When(result, func(objstore.Outcome) {
		r.End()
		r.inBackground(func(ctx context.Context) { r.answerWith(ctx, result) })
	})
}

// inBackground does something for a request that has ended.
func (r *Request) inBackground(do func(context.Context)) {
	d := r.desk
	if !d.group.Go(func(ctx context.Context) { do(member.NewContext(ctx, &member.Scope{Node: d.node})) }) {
		r.Refuse(bus.ErrClosed)
	}
}

func (r *Request) answerWith(ctx context.Context, result *objstore.Object) {
	byRef := r.Msg.Header.Get(ResultHeader) == ResultRef
	most := r.most()
	value, err := r.desk.store.Fetch(ctx, result, most)
	if err == nil && !byRef {
		value, err = r.encoded(value)
		byRef = err == nil && int64(len(value.Data)) > most
	}
	if errors.Is(err, objstore.ErrTooLarge) {
		byRef, err = true, nil
	}
	switch {
	case err != nil:
		r.Refuse(err)
	case byRef:
		r.answerRef(result)
	default:
		r.Answer(value)
	}
}

// answerRef answers with a ref.
func (r *Request) answerRef(result *objstore.Object) {
	ref := objstore.RefTo[any](result)
	value, err := bus.EncodeJSON(ref)
	if Format(r.Msg) == bus.Msgpack {
		value, err = bus.Encode(ref)
	}
	if err != nil {
		r.Refuse(err)
		return
	}
	reply := r.reply(value)
	reply.Header.Set(ResultHeader, ResultRef)
	r.Last(reply)
}

// Answer answers with a value, in the encoding of the request.
func (r *Request) Answer(value bus.Value) {
	value, err := r.encoded(value)
	if most := r.most(); err == nil && int64(len(value.Data)) > most {
		err = fmt.Errorf("%w: the answer has %d bytes, a message takes %d", objstore.ErrTooLarge, len(value.Data), most)
	}
	if err != nil {
		r.Refuse(err)
		return
	}
	r.Last(r.reply(value))
}

// encoded is a value as the client reads it.
func (r *Request) encoded(value bus.Value) (bus.Value, error) {
	return bus.Recode(value, Format(r.Msg))
}

// reply is a message with a value, whose refs are the client's from now on.
func (r *Request) reply(value bus.Value) *bus.Msg {
	r.desk.store.Give(value.Refs)
	reply := bus.NewMsg(r.Msg.Reply, value.Data)
	SetFormat(reply, Format(r.Msg))
	return reply
}

// most is how many bytes an answer may have.
func (r *Request) most() int64 {
	most := r.desk.node.Conn.MaxPayload()
	if Format(r.Msg) == bus.Msgpack {
		most -= headerRoom
	}
	if r.claim != nil {
		most = most/4*3 - recordOverhead // in base 64 inside a record
	}
	return most
}

// headerRoom is what the headers of an answer in MessagePack take of its message: one in JSON has none.
const headerRoom = 128

// statuses are those of the codes that have one of their own.
var statuses = map[string]string{
	"argument": "400", "actor_not_found": "404", "actor_exists": "409", "too_large": "413", "overload": "429", "deadline": "504",
}

// Refuse answers with an error.
func (r *Request) Refuse(err error) {
	code := bus.EncodeFailure(err).Code
	if errors.Is(err, call.ErrArgument) { // also inside the callee's own word
		code = bus.ErrorCode(err)
	}
	reply := bus.NewRefusal(r.Msg.Reply, cmp.Or(statuses[code], "500"), code, err)
	if r.Msg.Header.Get(GoErrorHeader) != "" {
		reply.Header.Set(GoErrorHeader, packFailure(err))
	}
	if own := bus.ErrorCode(err); code == call.FailedCode && own != bus.UnknownCode {
		reply.Header.Set(failureHeader, own)
	}
	r.endpoint.count(r.begun, err)
	if r.claim != nil && !errors.Is(err, bus.ErrClosed) { // which leaves no time: the next one to take the request up sees that this node is gone
		if idle[code] {
			r.desk.claims.release(r.claim)
		} else {
			r.desk.claims.record(r.claim, reply)
		}
	}
	r.Publish(reply)
}

// idle are the codes of errors after which a request has done nothing: it may be made again.
var idle = map[string]bool{
	"argument": true, "overload": true, "not_registered": true, "class_not_registered": true, "infeasible": true, "closed": true, "actor_not_found": true,
}

// Last publishes the reply, or the last of several.
func (r *Request) Last(reply *bus.Msg) {
	r.endpoint.count(r.begun, nil)
	if r.claim != nil {
		r.desk.claims.record(r.claim, reply)
	}
	r.Publish(reply)
}

// Publish sends the client a message.
func (r *Request) Publish(msg *bus.Msg) {
	if err := r.desk.node.Conn.PublishMsg(msg); err != nil {
		r.desk.node.Log.Warn("a reply to a plain client was not sent", zap.String("subject", msg.Subject), zap.Error(err))
	}
}
