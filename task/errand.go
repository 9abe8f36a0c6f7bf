package task

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/internal/plain"
	"manta/objstore"
)

const (
	// errandSilence is how long nothing may be heard of a task after the connection was interrupted. Otherwise a worker that computes and says
	// nothing meanwhile is not gone, for silentFor.
	errandSilence = 4 * plain.AliveEvery
	// sendAgainEvery is how often a task is sent again while the connection is away.
	sendAgainEvery = 100 * time.Millisecond
)

// errand is a task at a worker.
//
//	made ─► sent ─► answered
//	          ├── nobody there ─► taken back
//	          └── interrupted ─► signs of life again, or the answer
//	                   └── silence ─► lost
type errand struct {
	lane    *lane
	peer    *peer
	number  uint64 // of the task
	attempt int

	sent     bool
	heard    moment        // when a sign of life came, or it was sent, or the connection came back
	patience time.Duration // how long nothing may be heard of it: for ever if 0
}

// send sends tasks to a worker, each by itself.
func (ws *workers) send(l *lane, p *peer, tasks []*submission) {
	for _, s := range tasks {
		ws.last++
		n := ws.last
		e := &errand{lane: l, peer: p, number: s.Number(), attempt: int(s.Attempt)}
		ws.errands[n] = e
		if p.worker.has++; p.worker.has == 1 {
			p.worker.heard, p.worker.pinged, p.worker.strikes = ws.owner.now(), ws.owner.now(), 0
		}
		entry, subject := s.Entry(), ws.owner.node.Conn.Worker(p.worker.name, l.function)
		ws.owner.group.Go(func(ctx context.Context) { // arguments may be on other nodes
			if err := ws.run(ctx, n, subject, &entry); err != nil {
				ws.settle(n, e.done(objstore.Outcome{Err: fmt.Errorf("%s: %w", l.function, err)}))
			}
		})
	}
}

// run sends a task as soon as its arguments, and the connection, are there. An error says that it is not to be sent.
func (ws *workers) run(ctx context.Context, n uint64, subject string, entry *call.Entry) error {
	o := ws.owner
	msg, err := ws.requestOf(member.NewContext(ctx, &member.Scope{Node: o.node}), entry)
	if err != nil {
		return err
	}
	msg.Subject, msg.Reply = subject, o.node.Conn.Inbox(workerTaskToken+strconv.FormatUint(n, 10))
	for ws.leaves(n) {
		switch err := o.node.Conn.PublishMsg(msg); {
		case err == nil:
			return nil
		case errors.Is(err, bus.ErrMessageSize):
			return fmt.Errorf("%w: %w: put a ref to a large value inside a struct", call.ErrArgument, err)
		case errors.Is(err, bus.ErrClosed):
			return err
		default:
			o.node.Log.Debug("a task was not sent to a worker", zap.String("subject", subject), zap.Error(err))
		}
		select {
		case <-time.After(sendAgainEvery):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// leaves notes that a task is on its way. False: it is not wanted any more.
func (ws *workers) leaves(n uint64) bool {
	o := ws.owner
	o.mu.Lock()
	defer o.unlock()
	e, open := ws.errands[n]
	if open {
		e.sent, e.heard = true, o.now()
	}
	return open
}

// requestOf makes a plain request of a task.
func (ws *workers) requestOf(ctx context.Context, e *call.Entry) (*bus.Msg, error) {
	args, err := e.Args.List()
	if err != nil {
		return nil, err
	}
	store := ws.owner.store
	values := make([]bus.Value, len(args))
	for i, a := range args {
		if a.Value.Format == 0 {
			if a.Value, err = store.Open(ctx, a.Object); err != nil {
				return nil, fmt.Errorf("argument %d: %w", i+1, err)
			}
		}
		store.Give(a.Value.Refs)
		values[i] = a.Value
	}
	return plain.NewRequest(values, e, ws.owner.node.Conn.MaxPayload())
}

// answered takes in a worker's answer, or that the task reached nobody.
func (ws *workers) answered(n uint64, msg *bus.Msg, unserved bool) {
	o := ws.owner
	o.mu.Lock()
	e, open := ws.errands[n]
	if open && unserved {
		ws.over(n)
		e.peer.worker.absent = o.now()
		e.lane.workerAbsent(e.peer, e.number, o.now())
		o.watch(e.lane)
	}
	o.unlock()
	if !open || unserved {
		return
	}
	value, code, words := plain.ReadReply(msg)
	switch {
	case code == bus.ErrorCode(call.ErrOverload):
		ws.settle(n, result{number: e.number, attempt: e.attempt, status: call.Busy})
	case code != "":
		ws.settle(n, e.done(objstore.Outcome{Err: e.failure(code, words)}))
	case len(value.Data) <= objstore.InlineLimit:
		o.store.Capture(&value)
		ws.settle(n, e.done(objstore.Outcome{Value: value}))
	default:
		o.store.Capture(&value)
		o.group.Go(func(ctx context.Context) {
			ws.settle(n, e.done(o.store.Seal(ctx, objstore.NewID(o.node.ID, e.number), value)))
		})
	}
}

func (e *errand) done(out objstore.Outcome) result {
	return result{number: e.number, attempt: e.attempt, status: call.Done, outcome: &out}
}

// failure is a worker's word that its function failed.
func (e *errand) failure(code, words string) error {
	return errorOf(&call.Failure{
		Func: e.lane.function, Node: e.peer.worker.name, Attempt: e.attempt, Code: code, Message: words,
		Advice: call.Advice{Never: code == bus.ErrorCode(ErrArgument)},
	})
}

// settle ends an errand with what has come of its task.
func (ws *workers) settle(n uint64, r result) {
	o := ws.owner
	o.mu.Lock()
	defer o.unlock()
	if _, open := ws.errands[n]; !open { // the worker was taken for gone
		o.stray(r.number, r.outcome)
		return
	}
	e := ws.over(n)
	e.peer.worker.heard, e.peer.worker.absent = o.now(), 0
	e.lane.workerAnswered(e.peer, &r, o.now())
	o.watch(e.lane)
}

// underway takes in a sign of life of a task. One that comes just after an interruption may be from before it.
func (ws *workers) underway(n uint64) {
	o := ws.owner
	o.mu.Lock()
	defer o.unlock()
	e, open := ws.errands[n]
	if !open {
		return
	}
	e.heard = o.now()
	if e.patience == 0 || e.heard-o.reconnected >= plain.AliveEvery {
		e.patience = silentFor
	}
	e.peer.worker.heard, e.peer.worker.strikes = e.heard, 0
}

// interrupted notes that the connection was away. What workers run they still do, and answer; but a task that was just sent may not have come there, and
// an answer that was sent meanwhile nobody sends again.
func (ws *workers) interrupted() {
	now := ws.owner.now()
	for _, e := range ws.errands {
		if e.sent {
			e.heard, e.patience = now, errandSilence
		}
	}
	for _, w := range ws.known {
		w.heard, w.strikes = now, 0
	}
}

// lose takes the tasks back of which nothing is heard any more.
func (ws *workers) lose(now moment) {
	var silent []uint64
	for n, e := range ws.errands {
		if e.patience > 0 && now-e.heard >= e.patience {
			silent = append(silent, n)
		}
	}
	slices.Sort(silent)
	for _, n := range slices.Backward(silent) { // each goes to the front
		e := ws.over(n)
		e.lane.workerLost(e.peer, e.number, now)
	}
}

// forget ends the errands of a worker that is gone.
func (ws *workers) forget(w *worker) {
	maps.DeleteFunc(ws.errands, func(_ uint64, e *errand) bool { return e.peer.worker == w })
}

// over ends an errand.
func (ws *workers) over(n uint64) *errand {
	e := ws.errands[n]
	delete(ws.errands, n)
	e.peer.worker.has--
	return e
}
