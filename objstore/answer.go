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
	if r, kind := bus.ReadFrame(msg.Data); kind == notesFrame {
		s.answerNotes(msg, r)
		return
	}
	q, err := readQuestion(msg.Data)
	if err == nil && msg.Reply == "" {
		err = bus.ErrNoReply
	}
	if err != nil {
		s.node.Reject(msg, err)
		return
	}
	if q.kind == goneFrame {
		s.Forget(q.id)
		s.replyGone(msg)
		return
	}
	s.mu.Lock()
	o := s.find(q.id)
	if q.kind == askFrame {
		s.heldBy(q.id, q.from, q.version, true)
	}
	s.mu.Unlock()
	switch {
	case o == nil:
		s.replyGone(msg)
	case q.kind == freeFrame:
		s.answerFree(msg, o)
	case q.kind == cancelFrame:
		s.answerCancel(msg, o)
	case q.kind == lostFrame:
		s.answerLost(msg, o, q.blob)
	case q.kind == askFrame && o.rises():
		s.answerRises(msg, o)
	default:
		s.answerWhenPortable(msg, o)
	}
}

// question is what a node wants to know, or to say, of an object.
type question struct {
	kind byte
	id   ID
	from member.ID

	version uint64 // of from's hold, if it asks for the value
	blob    string // that is lost, if it says so
}

func readQuestion(data []byte) (q question, err error) {
	r, kind := bus.ReadFrame(data)
	q.kind = kind
	copy(q.id[:], r.Raw(len(q.id)))
	copy(q.from[:], r.Raw(len(q.from)))
	switch kind {
	case askFrame:
		q.version = r.Uint()
	case lostFrame:
		q.blob = r.String()
	case storedFrame, freeFrame, cancelFrame, goneFrame:
	default:
		r.Fail("no question about an object")
	}
	return q, r.Err()
}

// Forget ends what this node knows of another's object that was freed.
func (s *Store) Forget(id ID) {
	s.mu.Lock()
	s.dropCopy(id)
	s.mu.Unlock()
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
