package plain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
)

var (
	// ErrSilent is the error of an Asking whose node has shown signs of life, and shows none any more. What was asked for may have been done.
	ErrSilent = errors.New("nothing is heard any more of the node that took the request")

	// ErrUnserved is the error of an Asking that found nobody at its subject.
	ErrUnserved = errors.New("nobody serves the subject")
)

const (
	// askingSilence is how long nothing may be heard of a node that has shown signs of life, and askingLook how often that is looked at.
	askingSilence = 4 * AliveEvery
	askingLook    = 250 * time.Millisecond
)

// Asking is a request in JSON that this process has made as any NATS client makes one, and what is heard of it: for programs that have no Go types
// of what they call.
//
//	asked ─► signs of life … ─► answered, once or, of a stream, again and again ─► ended
type Asking struct {
	node    *member.Node
	sub     *bus.Subscription
	subject string
	unhear  func()
	woken   chan struct{} // holds one: something has come, or the server has refused

	mu      sync.Mutex
	come    []*bus.Msg
	control string    // where a sign of life, or an item, is answered; empty before the first
	shown   bool      // signs of life have come: without any, silence says nothing
	heard   time.Time // when something last came
	denied  error
}

// lastAsking tells the reply subjects of this process's askings apart.
var lastAsking atomic.Uint64

// AskJSON sends a request, which goes to headers too, and is cancelled at ctx's deadline, if it has one, wherever it is then. The Asking is to be ended.
func AskJSON(ctx context.Context, node *member.Node, subject string, payload json.RawMessage, headers map[string]string) (*Asking, error) {
	a := &Asking{node: node, subject: subject, woken: make(chan struct{}, 1)}
	msg := bus.NewMsg(subject, payload)
	msg.Reply = node.Conn.Inbox("json." + strconv.FormatUint(lastAsking.Add(1), 10))
	msg.Header.Set(aliveHeader, "1")
	msg.Header.Set(GoErrorHeader, "1")
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) > 0 {
		msg.Header.Set(deadlineHeader, time.Until(deadline).String())
	}
	call.TraceOf(ctx).Put(msg)
	for name, value := range headers {
		msg.Header.Set(name, value)
	}
	if most := node.Conn.MaxPayload(); int64(len(payload)) > most {
		return nil, fmt.Errorf("%w: the payload has %d bytes, the server takes messages of %d: put it as an object and send its ref", call.ErrArgument, len(payload), most)
	}
	var err error
	if a.sub, err = node.Conn.Subscribe(msg.Reply, "", a.hear); err != nil {
		return nil, err
	}
	a.unhear = node.Conn.OnDenied(a.refused)
	if err := node.Conn.PublishMsg(msg); err != nil {
		a.End()
		return nil, err
	}
	return a, nil
}

// hear takes in what comes.
func (a *Asking) hear(msg *bus.Msg) {
	a.mu.Lock()
	a.heard = time.Now()
	if Alive(msg) {
		a.shown = true
	}
	if a.node.Conn.Answerable(msg.Reply) { // or whoever answers would have this process speak where it may not itself
		a.control, a.shown = msg.Reply, true
	}
	if !Alive(msg) {
		a.come = append(a.come, msg)
	}
	a.mu.Unlock()
	a.wake()
}

// refused takes in the server's word that it does not permit a publish.
func (a *Asking) refused(subject string, err error) {
	if subject != a.subject {
		return
	}
	a.mu.Lock()
	a.denied = err
	a.mu.Unlock()
	a.wake()
}

func (a *Asking) wake() {
	select {
	case a.woken <- struct{}{}:
	default:
	}
}

// Next waits for the next message but for signs of life, and returns ErrUnserved, ErrSilent, bus.ErrDenied or ctx's cause if none comes.
// A request that shows no sign of life at all is not given up: a worker that is no node may show none.
func (a *Asking) Next(ctx context.Context) (*bus.Msg, error) {
	look := time.NewTicker(askingLook)
	defer look.Stop()
	for {
		msg, err := a.poll(time.Now())
		if msg != nil || err != nil {
			return msg, err
		}
		select {
		case <-a.woken:
		case <-look.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (a *Asking) poll(now time.Time) (*bus.Msg, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.denied != nil:
		return nil, a.denied
	case len(a.come) > 0:
		msg := a.come[0]
		a.come = a.come[1:]
		if _, unserved := bus.Unserved(msg); unserved {
			a.control, a.shown = "", false
			return nil, ErrUnserved
		}
		return msg, nil
	case a.shown && now.Sub(a.heard) > askingSilence:
		return nil, ErrSilent
	}
	return nil, nil
}

// Acknowledge says that an item has been taken, and all before it.
func (a *Asking) Acknowledge(item *bus.Msg) error {
	if !a.node.Conn.Answerable(item.Reply) {
		return fmt.Errorf("%w: an item is to be acknowledged at %q", bus.ErrMalformed, bus.Clip(item.Reply, shownBytes))
	}
	return a.node.Conn.Publish(item.Reply, "", nil)
}

// Answered says that what came was the last: End has nothing to stop then.
func (a *Asking) Answered() {
	a.mu.Lock()
	a.control, a.shown = "", false
	a.mu.Unlock()
}

// End hears of no more, and has what was asked for cancelled unless it was answered. It is safe to call twice.
func (a *Asking) End() {
	a.unhear()
	_ = a.sub.Unsubscribe() // its one error is that the connection is closed, or that it was ended before
	a.mu.Lock()
	control := a.control
	a.control = ""
	a.mu.Unlock()
	if control == "" {
		return
	}
	if err := a.node.Conn.Publish(control, "", []byte(StopWord)); err != nil { // the node finds the client gone
		a.node.Log.Debug("a request was not cancelled", zap.String("subject", a.subject), zap.Error(err))
	}
}

// ReadJSON reads an answer: its JSON, whether that is a ref which stands for a result that is too large for a message, or its error as Go programs
// know it.
func ReadJSON(msg *bus.Msg) (text json.RawMessage, byRef bool, err error) {
	if FromNode(msg) {
		return nil, false, goError(msg)
	}
	value, code, words := ReadReply(msg)
	if code != "" {
		return nil, false, bus.Failure{Code: code, Message: words}.Err()
	}
	if value, err = bus.Recode(value, bus.JSON); err != nil {
		return nil, false, err
	}
	return value.Data, msg.Header.Get(ResultHeader) != "", nil
}

// WantsRef says whether headers ask for a ref in place of the result.
func WantsRef(headers map[string]string) bool { return headers[ResultHeader] == ResultRef }
