package objstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/member"
)

// The conversation between a node that wants an object and its owner, on the owner's object subject. A question about an
// object that has no value yet is answered "pending" after a while, and asked again: so a lost message costs a moment, and
// a dead owner is noticed, whatever happens.
const (
	askFrame    = 'a' // id → outcome, pending or gone
	freeFrame   = 'f' // id → gone
	answerFrame = 'o'

	answerOutcome = 'o'
	answerPending = 'p'
	answerGone    = 'g'

	longPoll     = 2 * time.Second       // how long an owner keeps a question
	askTimeout   = 3 * longPoll          // after which the question is taken for lost
	askAgain     = 50 * time.Millisecond // pause after a question that reached nobody
	ownerUnheard = 3 * time.Second       // how long nobody may serve the owner's subject before it counts as gone
)

const (
	outcomeValue = 'v'
	outcomeBlob  = 'b'
	outcomeError = 'e'
)

// AppendTo appends an outcome to a frame.
func (o Outcome) AppendTo(b []byte) []byte {
	switch {
	case o.Err != nil:
		return bus.EncodeFailure(o.Err).AppendTo(append(b, outcomeError))
	case o.Blob != nil:
		return o.Blob.Blob.AppendTo(append(b, outcomeBlob, byte(o.Blob.Format)))
	default:
		return o.Value.AppendTo(append(b, outcomeValue))
	}
}

// ReadOutcome reads what AppendTo wrote; values are views into the frame.
func ReadOutcome(r *bus.Reader) (o Outcome) {
	switch r.Byte() {
	case outcomeValue:
		o.Value = r.ReadValue()
	case outcomeBlob:
		format := bus.Format(r.Byte())
		o.Blob = &StoredBlob{Blob: r.ReadBlob(), Format: format}
	case outcomeError:
		o.Err = r.ReadFailure().Err()
	default:
		r.Fail("unknown kind of outcome")
	}
	return o
}

// follow asks an object's owner until it has a settled outcome.
func (s *Store) follow(id ID, st *state) {
	started := s.group.Go(func(ctx context.Context) {
		out, err := s.ask(ctx, askFrame, id)
		if err != nil {
			out = Outcome{Err: err}
		}
		st.settle(out, true)
	})
	if !started {
		st.settle(Outcome{Err: bus.ErrClosed}, true)
	}
}

func (s *Store) askFree(ctx context.Context, id ID) error {
	out, err := s.ask(ctx, freeFrame, id)
	if err != nil {
		return err
	}
	if errors.Is(out.Err, ErrFreed) {
		return nil
	}
	return out.Err
}

// ask puts a question to an object's owner until it is answered, or the owner is gone.
func (s *Store) ask(ctx context.Context, kind byte, id ID) (Outcome, error) {
	subject := s.node.Conn.NodeObject(id.owner().String())
	question := append(bus.AppendFrame(nil, kind), id[:]...)
	heard := time.Now()
	for {
		msg, err := s.askOnce(ctx, subject, question)
		switch {
		case ctx.Err() != nil:
			return Outcome{}, context.Cause(ctx)
		case errors.Is(err, bus.ErrNoResponders):
			if !s.node.Members.Alive(id.owner()) || time.Since(heard) > ownerUnheard {
				return Outcome{}, fmt.Errorf("%w: node %s of object %s", ErrOwnerDead, id.owner(), id)
			}
			member.Pause(ctx, askAgain)
			continue
		case err != nil:
			member.Pause(ctx, askAgain)
			continue
		}
		heard = time.Now()
		if out, ok := readAnswer(msg.Data); ok {
			return out, nil
		}
	}
}

func (s *Store) askOnce(ctx context.Context, subject string, question []byte) (*bus.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return s.node.Conn.Request(ctx, subject, question)
}

// readAnswer returns the outcome, or false if the owner says that there is none yet.
func readAnswer(data []byte) (Outcome, bool) {
	r, kind := bus.ReadFrame(data)
	if kind != answerFrame {
		r.Fail("no answer about an object")
	}
	var out Outcome
	switch r.Byte() {
	case answerPending:
		return Outcome{}, false
	case answerGone:
		out.Err = ErrFreed
	case answerOutcome:
		out = ReadOutcome(&r)
	default:
		r.Fail("unknown answer about an object")
	}
	if r.Err() != nil {
		return Outcome{Err: fmt.Errorf("%w: %w", ErrLost, r.Err())}, true
	}
	return out, true
}

// answer serves this node's object subject. It never blocks.
func (s *Store) answer(msg *bus.Msg) {
	r, kind := bus.ReadFrame(msg.Data)
	var id ID
	copy(id[:], r.Raw(len(id)))
	if r.Err() != nil || kind != askFrame && kind != freeFrame {
		s.node.Log.Warn("a malformed question about an object", zap.String("subject", msg.Subject), zap.Error(r.Err()))
		return
	}
	s.mu.Lock()
	e := s.exported[id]
	s.mu.Unlock()
	switch {
	case e == nil:
		s.reply(msg, append(bus.AppendFrame(nil, answerFrame), answerGone))
	case kind == freeFrame:
		s.answerFree(msg, id, e.state)
	default:
		s.answerWhenPortable(msg, e.state)
	}
}

func (s *Store) answerFree(msg *bus.Msg, id ID, st *state) {
	s.group.Go(func(ctx context.Context) {
		if err := s.freeOwn(ctx, id, st); err != nil {
			s.reply(msg, Outcome{Err: err}.AppendTo(append(bus.AppendFrame(nil, answerFrame), answerOutcome)))
			return
		}
		s.reply(msg, append(bus.AppendFrame(nil, answerFrame), answerGone))
	})
}

// answerWhenPortable answers as soon as any node can read the object, or "pending" if that takes too long.
func (s *Store) answerWhenPortable(msg *bus.Msg, st *state) {
	portable := st.done(&st.portable)
	select {
	case <-portable:
		s.answerOutcome(msg, st)
		return
	default:
	}
	s.group.Go(func(ctx context.Context) {
		timer := time.NewTimer(longPoll)
		defer timer.Stop()
		select {
		case <-portable:
			s.answerOutcome(msg, st)
		case <-timer.C:
			s.reply(msg, append(bus.AppendFrame(nil, answerFrame), answerPending))
		case <-ctx.Done():
		}
	})
}

func (s *Store) answerOutcome(msg *bus.Msg, st *state) {
	out, _ := st.peek()
	if out.Blob != nil {
		out.Value = bus.Value{} // the asking node reads the blob
	}
	s.reply(msg, out.AppendTo(append(bus.AppendFrame(nil, answerFrame), answerOutcome)))
}

func (s *Store) reply(msg *bus.Msg, frame []byte) {
	if err := s.node.Conn.Publish(msg.Reply, "", frame); err != nil {
		s.node.Log.Info("an answer about an object was not sent; it will be asked for again", zap.Error(err))
	}
}
