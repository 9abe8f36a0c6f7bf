package task

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/member"
	"manta/objstore"
)

// whyTimeout bounds how long another node is asked.
const whyTimeout = 5 * time.Second

// Why says in words why a task has no outcome yet, or that it has one. Package node documents it.
func (e *Engine) Why(ctx context.Context, id objstore.ID) (string, error) {
	if e.asker != nil {
		return e.asker.why(id), nil
	}
	if id.Durable() {
		return e.durables.why(ctx, id)
	}
	o := e.owner
	switch id.Owner() {
	case o.node.ID:
		return o.why(id), nil
	case objstore.ID{}.Owner():
		return "", errors.New("the zero id names no task: its ref failed before it got one, and Get has the error")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, whyTimeout, fmt.Errorf("node %s, which owns task %s, does not answer", id.Owner(), id))
	defer cancel()
	msg, err := o.node.Conn.Request(ctx, o.node.Conn.NodeWhy(id.Owner().String()), []byte(id.String()))
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case errors.Is(err, bus.ErrNoResponders):
		return "", fmt.Errorf("task %s: %w: node %s", id, objstore.ErrOwnerDead, id.Owner())
	case err != nil:
		return "", err
	}
	return string(msg.Data), nil
}

// answerWhy answers whoever asks this node: the question is an id, the answer words, both plain text.
func (o *owner) answerWhy(msg *bus.Msg) {
	id, err := objstore.ParseID(bus.Clip(string(msg.Data), 64))
	words := ""
	switch {
	case msg.Reply == "":
		o.node.Reject(msg, bus.ErrNoReply)
		return
	case err != nil:
		words = err.Error()
	case id.Owner() != o.node.ID:
		words = fmt.Sprintf("node %s owns it: ask that one", id.Owner())
	default:
		words = o.why(id)
	}
	if err := o.node.Conn.Publish(msg.Reply, "", []byte(words)); err != nil {
		o.node.Log.Debug("an answer to why was not sent", zap.Error(err))
	}
}

// why says what keeps a task of this node, or what has become of it.
func (o *owner) why(id objstore.ID) string {
	if words := o.reason(id.Number()); words != "" {
		return words
	}
	return o.store.Fate(id)
}

// reason says what keeps a task from its outcome; "" if it is none that waits for one.
func (o *owner) reason(number uint64) string {
	o.mu.Lock()
	defer o.unlock()
	for s := range o.waiting {
		if s.Number() == number {
			return o.attempt(s) + awaits(s)
		}
	}
	for _, l := range o.numbered {
		if l == nil { // its group is removed
			continue
		}
		if s, words := o.reasonIn(l, number); s != nil && !s.ended {
			return o.attempt(s) + words
		}
	}
	return ""
}

func awaits(s *submission) string {
	var all []string
	for _, m := range s.Missing() {
		all = append(all, fmt.Sprintf("argument %d, object %s", m.Position, m.Object))
	}
	if len(all) == 0 {
		return "its arguments have just come"
	}
	return "waiting for " + strings.Join(all, ", and ")
}

// noteLoss remembers where a task that is tried again was lost; p is nil if that is not known.
func (o *owner) noteLoss(s *submission, p *peer) {
	if o.lostAt[s] = (member.ID{}); p != nil {
		o.lostAt[s] = p.id
	}
}

// attempt begins what is said of a task that was lost before.
func (o *owner) attempt(s *submission) string {
	if s.Attempt < 2 {
		return ""
	}
	switch lostAt, lost := o.lostAt[s]; {
	case !lost && s.again:
		return fmt.Sprintf("its result was lost and is computed again, attempt %d: ", s.Attempt)
	case !lost:
		return fmt.Sprintf("attempt %d: ", s.Attempt)
	case lostAt == member.ID{}:
		return fmt.Sprintf("attempt %d after worker lost on a node that had not said yet that it had it: ", s.Attempt)
	default:
		return fmt.Sprintf("attempt %d after worker lost on node %s: ", s.Attempt, lostAt)
	}
}

// reasonIn returns a task if it is in a lane, and what keeps it.
func (o *owner) reasonIn(l *lane, number uint64) (*submission, string) {
	if l.door != nil && l.door.task.Number() == number {
		if !o.feasible(l) {
			return l.door.task, o.obstacle(l)
		}
		words := fmt.Sprintf("knocking at the door of %q: no node has said yet that it has it", l.function)
		if l.closed != 0 {
			words = fmt.Sprintf("knocking at the door of %q, behind which nobody was: no node serves it, or one has just joined", l.function)
		}
		return l.door.task, words
	}
	for _, p := range l.order {
		if s := p.flight[number]; s != nil {
			words := fmt.Sprintf("at %s for at least %v, running or queued there", p, p.held(s, o.now()).Round(time.Millisecond))
			if p.unserved {
				words += "; NATS says that nobody is there"
			}
			return s, words
		}
	}
	s, ahead := l.backlog.find(number)
	switch {
	case s == nil:
		return nil, ""
	case l.bound != nil && !l.bound.placed():
		return s, fmt.Sprintf("waiting for the bundles of %s, which are not all placed", l.in)
	case !o.feasible(l):
		return s, o.obstacle(l)
	case !o.served(l):
		return s, fmt.Sprintf("no node serves %q", l.function)
	default:
		return s, fmt.Sprintf("queued behind %d tasks of %q; the nodes that could run it are full: %s", ahead, l.function, l.crowd())
	}
}

// crowd says how many of the lane's tasks its peers have.
func (l *lane) crowd() string {
	var all []string
	more := 0
	for _, p := range l.order {
		switch {
		case !p.there():
		case len(all) == namedNodes:
			more++
		default:
			all = append(all, fmt.Sprintf("%s has %d of them", p, len(p.flight)))
		}
	}
	switch {
	case more > 0:
		all = append(all, fmt.Sprintf("and %d more", more))
	case len(all) == 0:
		return "none of them answers"
	}
	return strings.Join(all, ", ")
}

// find returns a submission by its number, and how many are to go before it; nil if it is not in the queue.
func (q *queue) find(number uint64) (found *submission, ahead int) {
	for s := range q.all() {
		if s.Number() == number {
			return s, ahead
		}
		if !s.ended {
			ahead++
		}
	}
	return nil, ahead
}
