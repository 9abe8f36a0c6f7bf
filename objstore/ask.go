package objstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"manta/bus"
	"manta/internal/member"
)

// The conversation between a node that wants an object and its owner, on each other's object subjects. A question about an
// object that has no value yet is answered "pending" after a while, and asked again: so a lost message costs a moment, and
// a dead owner is noticed, whatever happens.
const (
	askFrame    = 'a' // to the owner → outcome, pending or gone
	storedFrame = 's' // the same of an object whose blob goes up: → outcome once it is stored
	freeFrame   = 'f' // to the owner → gone
	cancelFrame = 'x' // to the owner: what it is to be the result of is not wanted → done, gone or why not
	goneFrame   = 'g' // from the owner, to a node that asked: it is freed → gone
	answerFrame = 'o'

	answerOutcome = 'o'
	answerPending = 'p'
	answerGone    = 'g'
	answerDone    = 'd'

	longPoll     = 2 * time.Second        // how long an owner keeps a question
	askTimeout   = longPoll + time.Second // after which the question is taken for lost
	askAgain     = 50 * time.Millisecond  // pause after a question that reached nobody
	ownerUnheard = 3 * time.Second        // how long nobody may serve the owner's subject before it counts as gone
)

const (
	outcomeValue = 'v'
	outcomeBlob  = 'b'
	outcomeRises = 'u'
	outcomeError = 'e'
)

// AppendTo appends an outcome to a frame.
func (o Outcome) AppendTo(b []byte) []byte {
	switch {
	case o.Err != nil:
		return bus.EncodeFailure(o.Err).AppendTo(append(b, outcomeError))
	case o.Blob != nil:
		kind := byte(outcomeBlob)
		if o.Blob.Rising {
			kind = outcomeRises
		}
		return o.Blob.Blob.AppendTo(append(b, kind, byte(o.Blob.Format)))
	default:
		return o.Value.AppendTo(append(b, outcomeValue))
	}
}

// ReadOutcome reads what AppendTo wrote; values are views into the frame.
func ReadOutcome(r *bus.Reader) (o Outcome) {
	switch kind := r.Byte(); kind {
	case outcomeValue:
		if o.Value = r.ReadValue(); o.Value.Format == 0 {
			r.Fail("value without a format")
		}
	case outcomeBlob, outcomeRises:
		format := bus.Format(r.Byte())
		o.Blob = &StoredBlob{Blob: r.ReadBlob(), Format: format, Rising: kind == outcomeRises}
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
		out, err := s.ask(ctx, id.Owner(), s.question(askFrame, id))
		if err != nil {
			out = Outcome{Err: err}
		}
		st.settle(&out)
	})
	if !started {
		st.settle(&Outcome{Err: bus.ErrClosed})
	}
}

func (s *Store) askFree(ctx context.Context, id ID) error {
	out, err := s.ask(ctx, id.Owner(), s.question(freeFrame, id))
	if err != nil {
		return err
	}
	if errors.Is(out.Err, ErrFreed) {
		return nil
	}
	return out.Err
}

// tellGone tells the nodes that asked for an object that it is freed. It returns when those that are there know.
func (s *Store) tellGone(ctx context.Context, id ID, readers []member.ID) error {
	told := make(chan error, len(readers))
	for _, reader := range readers {
		go func() {
			_, err := s.ask(ctx, reader, s.question(goneFrame, id))
			told <- err
		}()
	}
	var failed error
	for range readers {
		if err := <-told; err != nil && !errors.Is(err, ErrOwnerDead) {
			failed = err
		}
	}
	return failed
}

func (s *Store) question(kind byte, id ID) []byte {
	return append(append(bus.AppendFrame(nil, kind), id[:]...), s.node.ID[:]...)
}

// ask puts a question to a node until it is answered, or the node is gone.
func (s *Store) ask(ctx context.Context, node member.ID, question []byte) (Outcome, error) {
	subject := s.node.Conn.NodeObject(node.String())
	heard := time.Now()
	for {
		msg, err := s.askOnce(ctx, subject, question)
		switch {
		case ctx.Err() != nil:
			return Outcome{}, context.Cause(ctx)
		case errors.Is(err, bus.ErrNoResponders):
			if !s.node.Members.Alive(node) || time.Since(heard) > ownerUnheard {
				return Outcome{}, fmt.Errorf("%w: node %s", ErrOwnerDead, node)
			}
			member.Pause(ctx, askAgain)
			continue
		case errors.Is(err, bus.ErrClosed):
			return Outcome{}, err
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
	case answerDone:
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
