package objstore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
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
	lostFrame   = 'l' // to the owner: a copy cannot be read → another copy, pending, or why there is none; the blob's id follows
	cancelFrame = 'x' // to the owner: what it is to be the result of is not wanted → done, gone or why not
	goneFrame   = 'g' // from the owner, to a node that holds it: it is freed → gone
	notesFrame  = 'n' // between any two: what each has to know of handles, see post → done
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
		return o.Blob.Blob.AppendTo(bus.AppendFormat(append(b, kind), o.Blob.Format, o.Blob.Refs))
	default:
		return o.Value.AppendTo(append(b, outcomeValue))
	}
}

// ReadOutcome reads what AppendTo wrote; values are views into the frame.
func ReadOutcome(r *bus.Reader) (o Outcome) {
	o.Read(r)
	return o
}

// Read is ReadOutcome into a zero Outcome.
func (o *Outcome) Read(r *bus.Reader) {
	switch kind := r.Byte(); kind {
	case outcomeValue:
		if r.ReadValueTo(&o.Value); o.Value.Format == 0 {
			r.Fail("value without a format")
		}
	case outcomeBlob, outcomeRises:
		format, refs := r.ReadFormat()
		o.Blob = &StoredBlob{Blob: r.ReadBlob(), Format: format, Refs: refs, Rising: kind == outcomeRises}
	case outcomeError:
		o.Err = r.ReadFailure().Err()
	default:
		r.Fail("unknown kind of outcome")
	}
}

// follow asks an object's owner until it has a settled outcome. The question makes this node a holder. What the value names is the
// owner's to keep as long as this node holds the object, so the handle stays until the owners of that know of this node: see accept.
func (s *Store) follow(o *Object, st *state) {
	if s.node.Confined {
		st.settle(&Outcome{Err: fmt.Errorf("object %s: %w", o.id, bus.ErrConfined)})
		return
	}
	if o.id.Durable() {
		s.archive.Await(o.id, func(out *Outcome) { st.settle(out) })
		return
	}
	started := s.group.Go(func(ctx context.Context) {
		version := s.asking(o)
		out, err := s.ask(ctx, o.id.Owner(), bus.AppendUint(s.question(askFrame, o.id), version))
		if err != nil {
			out = Outcome{Err: err}
		}
		s.answered(o.id, version)
		s.accept(ctx, o, st, &out)
	})
	if !started {
		st.settle(&Outcome{Err: bus.ErrClosed})
	}
}

// accept settles what this node knows of another's object, and returns when the owners of what the value names know of this node.
func (s *Store) accept(ctx context.Context, o *Object, st *state, out *Outcome) {
	s.copied(o.id, out.Blob)
	arrival := s.Arrive(out.Refs())
	st.settle(out)
	select {
	case <-arrival.Done():
	case <-ctx.Done():
	}
	runtime.KeepAlive(o)
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

// tellGone tells the nodes that hold an object that it is freed. It returns when those that are there know.
func (s *Store) tellGone(ctx context.Context, id ID, holders []member.ID) error {
	told := make(chan error, len(holders))
	for _, holder := range holders {
		go func() {
			_, err := s.ask(ctx, holder, s.question(goneFrame, id))
			told <- err
		}()
	}
	var failed error
	for range holders {
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
		case errors.Is(err, bus.ErrClosed), errors.Is(err, bus.ErrVersion):
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
