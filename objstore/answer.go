package objstore

import (
	"context"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/member"
)

// answer serves this node's object subject. It never blocks.
func (s *Store) answer(msg *bus.Msg) {
	q, err := readQuestion(msg.Data)
	if err != nil {
		s.node.Log.Warn("a malformed question about an object", zap.String("subject", msg.Subject), zap.Error(err))
		return
	}
	if q.kind == goneFrame {
		s.forget(q.id)
		s.replyGone(msg)
		return
	}
	s.mu.Lock()
	e := s.exported[q.id]
	if e != nil && (q.kind == askFrame || q.kind == storedFrame) {
		e.asked(q.from)
	}
	s.mu.Unlock()
	switch {
	case e == nil:
		s.replyGone(msg)
	case q.kind == freeFrame:
		s.answerFree(msg, e.object)
	case q.kind == cancelFrame:
		s.answerCancel(msg, e.object)
	case q.kind == askFrame && e.object.rises():
		s.answerRises(msg, e.object)
	default:
		s.answerWhenPortable(msg, e.object)
	}
}

// question is what a node wants to know, or to say, of an object.
type question struct {
	kind byte
	id   ID
	from member.ID
}

func readQuestion(data []byte) (q question, err error) {
	r, kind := bus.ReadFrame(data)
	q.kind = kind
	copy(q.id[:], r.Raw(len(q.id)))
	copy(q.from[:], r.Raw(len(q.from)))
	if kind != askFrame && kind != storedFrame && kind != freeFrame && kind != cancelFrame && kind != goneFrame {
		r.Fail("no question about an object")
	}
	return q, r.Err()
}

// forget ends what this node knows of another's object that was freed.
func (s *Store) forget(id ID) {
	o := lookup(id)
	if o == nil {
		return
	}
	st := o.mirror(s, nil)
	if st == nil {
		return
	}
	if blob := st.free(); blob != nil {
		s.cache.drop(blob.Blob)
	}
}

func (s *Store) answerFree(msg *bus.Msg, o *Object) {
	s.group.Go(func(ctx context.Context) {
		if err := s.freeOwn(ctx, o); err != nil {
			s.replyError(msg, err)
			return
		}
		s.replyGone(msg)
	})
}

func (s *Store) answerCancel(msg *bus.Msg, o *Object) {
	if err := o.cancel(); err != nil {
		s.replyError(msg, err)
		return
	}
	s.reply(msg, append(bus.AppendFrame(nil, answerFrame), answerDone))
}

// answerWhenPortable answers as soon as any node can read the object, or "pending" if that takes too long.
func (s *Store) answerWhenPortable(msg *bus.Msg, o *Object) {
	portable := o.portable()
	select {
	case <-portable:
		s.answerOutcome(msg, o)
		return
	default:
	}
	s.group.Go(func(ctx context.Context) {
		timer := time.NewTimer(longPoll)
		defer timer.Stop()
		select {
		case <-portable:
			s.answerOutcome(msg, o)
		case <-timer.C:
			s.reply(msg, append(bus.AppendFrame(nil, answerFrame), answerPending))
		case <-ctx.Done(): // whoever asks again finds that nobody is here
			s.reply(msg, append(bus.AppendFrame(nil, answerFrame), answerPending))
		}
	})
}

func (s *Store) answerOutcome(msg *bus.Msg, o *Object) {
	out := *o.outcome.Load()
	out.notice()
	if out.Blob != nil {
		out.Value = bus.Value{} // the asking node reads the blob
	}
	s.reply(msg, out.AppendTo(append(bus.AppendFrame(nil, answerFrame), answerOutcome)))
}

func (s *Store) replyGone(msg *bus.Msg) {
	s.reply(msg, append(bus.AppendFrame(nil, answerFrame), answerGone))
}

func (s *Store) replyError(msg *bus.Msg, err error) {
	s.reply(msg, Outcome{Err: err}.AppendTo(append(bus.AppendFrame(nil, answerFrame), answerOutcome)))
}

func (s *Store) reply(msg *bus.Msg, frame []byte) {
	if err := s.node.Conn.Publish(msg.Reply, "", frame); err != nil {
		s.node.Log.Info("an answer about an object was not sent; it will be asked for again", zap.Error(err))
	}
}
