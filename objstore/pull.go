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

// The conversation in which a node reads a blob from another's memory, on the subject NodeObjectChunk: a question names the object, the
// blob and the chunk; the answer is the chunk with its index and checksum in headers, as it is stored, or a frame that says why not.
const (
	chunkFrame = 'c' // to a holder

	answerStored    = 's' // the upload is done: read it from the bucket
	answerElsewhere = 'e' // with the id of a node that may have it
	answerNone      = 'n' // neither

	// pullSilence is how long a holder may be silent before it is asked again, and then given up.
	pullSilence = 5 * time.Second
	// maxHolders is how many nodes are asked for a chunk that the bucket lacks.
	maxHolders = 2
)

// Why a node does not give a chunk.
var (
	errUploaded = errors.New("the blob is stored")
	errNotHere  = errors.New("no node has the blob in memory")
)

type elsewhereError struct{ node member.ID }

func (e elsewhereError) Error() string { return fmt.Sprintf("node %s has the blob", e.node) }

// fetch reads the blob of an object into memory that room makes, nil for the heap: from its owner while it goes up, else from the bucket.
// What is missing or wrong there comes from a node that has the value in memory; when there is none the error is ErrLost.
func (s *Store) fetch(ctx context.Context, id ID, blob StoredBlob, room func(size int64) ([]byte, error)) ([]byte, error) {
	a := bus.NewAssembly(blob.Blob, room)
	var pulled error
	if blob.Rising {
		pulled = s.pull(ctx, id.Owner(), a, question{kind: chunkFrame, id: id, from: s.node.ID}, true)
		switch {
		case a.Whole():
			return a.Data(), nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case !givenUp(pulled):
			return nil, pulled
		}
	}
	err := s.bucket.Fill(ctx, a)
	switch {
	case err == nil:
		return a.Data(), nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case !damaged(err):
		return nil, err
	}
	if pulled == nil || errors.Is(pulled, errUploaded) {
		pulled = s.mend(ctx, id, a, blob.From)
	}
	switch {
	case a.Whole():
		s.node.Log.Warn("chunks that the bucket lacks came from another node", zap.Stringer("object", id), zap.Error(err))
		return a.Data(), nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(pulled, bus.ErrNoResponders) && blob.Rising:
		return nil, fmt.Errorf("%w: %w before the upload ended: %w", ErrLost, ErrOwnerDead, err)
	case givenUp(pulled):
		return nil, fmt.Errorf("%w: %w; no other copy: %w", ErrLost, err, pulled)
	}
	return nil, pulled
}

// damaged says whether an error of the bucket's is that it lacks chunks which another node may have.
func damaged(err error) bool {
	return errors.Is(err, bus.ErrBlobGone) || errors.Is(err, bus.ErrChecksum) || errors.Is(err, bus.ErrStalled) ||
		errors.Is(err, bus.ErrNoBucket)
}

// givenUp says whether a pull has ended without a word on the object's fate.
func givenUp(err error) bool {
	if _, named := errors.AsType[elsewhereError](err); named {
		return true
	}
	return errors.Is(err, bus.ErrNoResponders) || errors.Is(err, bus.ErrStalled) || errors.Is(err, bus.ErrChecksum) ||
		errors.Is(err, errUploaded) || errors.Is(err, errNotHere)
}

// mend reads what an assembly lacks from the object's owner, or from the node that made it, which the owner knows.
func (s *Store) mend(ctx context.Context, id ID, a *bus.Assembly, maker member.ID) error {
	holder := id.Owner()
	if holder == s.node.ID {
		holder = maker
	}
	for range maxHolders {
		if holder == s.node.ID || holder == (member.ID{}) {
			return errNotHere
		}
		err := s.pull(ctx, holder, a, question{kind: chunkFrame, id: id, from: s.node.ID}, false)
		named, ok := errors.AsType[elsewhereError](err)
		if !ok {
			return err
		}
		holder = named.node
	}
	return errNotHere
}

// pull reads what an assembly lacks from a node. A rising blob is asked for only until it is stored.
func (s *Store) pull(ctx context.Context, holder member.ID, a *bus.Assembly, q question, rising bool) error {
	alive := func() bool { return s.node.Members.Alive(holder) }
	for begun := time.Now(); ; {
		err := s.node.Conn.Pull(ctx, a, bus.Pull{
			Subject: s.node.Conn.NodeObjectChunk(holder.String()),
			Question: func(index int) []byte {
				return chunkQuestion{question: q, blob: a.Blob().ID, index: uint64(index), rising: rising}.append(nil)
			},
			Answer:  readRefusal,
			Alive:   alive,
			Silence: pullSilence,
		})
		// One that is alive and listens to nobody reconnects.
		if !errors.Is(err, bus.ErrNoResponders) || !alive() || time.Since(begun) > ownerUnheard || ctx.Err() != nil {
			return err
		}
		member.Pause(ctx, askAgain)
	}
}

// chunkQuestion asks for one chunk of a blob of an object.
type chunkQuestion struct {
	question
	blob   string
	index  uint64
	rising bool
}

func (q chunkQuestion) append(b []byte) []byte {
	b = append(append(bus.AppendFrame(b, q.kind), q.id[:]...), q.from[:]...)
	rising := uint64(0)
	if q.rising {
		rising = 1
	}
	return bus.AppendUint(bus.AppendUint(bus.AppendString(b, q.blob), q.index), rising)
}

func readChunkQuestion(data []byte) (q chunkQuestion, err error) {
	r, kind := bus.ReadFrame(data)
	q.kind = kind
	copy(q.id[:], r.Raw(len(q.id)))
	copy(q.from[:], r.Raw(len(q.from)))
	q.blob, q.index, q.rising = r.String(), r.Uint(), r.Uint() > 0
	if kind != chunkFrame {
		r.Fail("no question for a chunk")
	}
	return q, r.Err()
}

// readRefusal is the error of an answer that is no chunk.
func readRefusal(msg *bus.Msg) error {
	r, kind := bus.ReadFrame(msg.Data)
	if kind != answerFrame {
		r.Fail("no answer about a chunk")
	}
	var err error
	switch r.Byte() {
	case answerGone:
		err = ErrFreed
	case answerStored:
		err = errUploaded
	case answerNone:
		err = errNotHere
	case answerElsewhere:
		var named elsewhereError
		copy(named.node[:], r.Raw(len(named.node)))
		err = named
	case answerOutcome:
		if err = ReadOutcome(&r).Err; err == nil {
			r.Fail("no reason")
		}
	default:
		r.Fail("unknown answer about a chunk")
	}
	if r.Err() != nil {
		return fmt.Errorf("%w: %w", ErrLost, r.Err())
	}
	return err
}

// give serves this node's chunk subject: one answer at a time, from the value's own memory. It has a subscription to itself, since
// a server that is slow to take what it sends holds up those behind.
func (s *Store) give(msg *bus.Msg) {
	q, err := readChunkQuestion(msg.Data)
	if err == nil && msg.Reply == "" {
		err = bus.ErrNoReply
	}
	if err != nil {
		s.node.Reject(msg, err)
		return
	}
	value, blob, refusal := s.holding(q)
	if refusal != nil {
		s.reply(msg, refusal)
		return
	}
	sent, err := s.node.Conn.SendChunk(msg.Reply, blob, q.index, value.Data)
	switch {
	case err != nil:
		s.node.Log.Info("a chunk was not sent; it will be asked for again", zap.Error(err))
	case !sent:
		s.reply(msg, append(bus.AppendFrame(nil, answerFrame), answerNone))
	default:
		s.stats.givenBytes.Add(int64(blob.Chunk))
	}
}

// holding returns the blob of which a chunk is wanted and its bytes, or what to answer instead.
func (s *Store) holding(q chunkQuestion) (value bus.Value, blob bus.Blob, refusal []byte) {
	answer := bus.AppendFrame(nil, answerFrame)
	s.mu.Lock()
	o := s.find(q.id)
	s.mu.Unlock()
	durable := q.id.Durable()
	if o == nil || o.home != s || durable { // what it knows of others' objects is in its cache alone, but for what it Put itself to last
		if durable && o != nil {
			if value, blob, ok := o.heldDurable(s, q.blob); ok {
				return value, blob, nil
			}
		}
		if q.id.Owner() == s.node.ID && !durable {
			return value, blob, append(answer, answerGone)
		}
		if value, blob, ok := s.cache.peek(q.blob); ok {
			return value, blob, nil
		}
		return value, blob, append(answer, answerNone)
	}
	out, u := o.outcome.Load(), o.upload()
	switch {
	case out == nil:
		return value, blob, append(answer, answerNone)
	case out.Err != nil:
		return value, blob, Outcome{Err: out.Err}.AppendTo(append(answer, answerOutcome))
	case u != nil && u.blob.ID == q.blob && q.rising && out.Blob != nil:
		return value, blob, append(answer, answerStored)
	case u != nil && u.blob.ID == q.blob && out.Value.Format != 0:
		return out.Value, u.blob, nil
	}
	if value, blob, ok := s.cache.peek(q.blob); ok {
		return value, blob, nil
	}
	if out.Blob != nil && out.Blob.Blob.ID == q.blob && out.Blob.From != (member.ID{}) {
		return value, blob, append(append(answer, answerElsewhere), out.Blob.From[:]...)
	}
	return value, blob, append(answer, answerNone)
}

// peek returns a blob that is in the cache.
func (c *cache) peek(id string) (value bus.Value, blob bus.Blob, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	el, ok := c.entries[id]
	if !ok {
		return value, blob, false
	}
	e := el.Value.(*cached)
	select {
	case <-e.done:
		return e.value, e.blob, e.err == nil
	default:
		return value, blob, false
	}
}

// rises says whether an object's value is here and on its way to the bucket.
func (o *Object) rises() bool {
	out := o.outcome.Load()
	return out != nil && out.Err == nil && out.Blob == nil && o.upload() != nil
}

// answerRises answers that an object can be read from here until it is stored.
func (s *Store) answerRises(msg *bus.Msg, o *Object) {
	value, u := o.outcome.Load().Value, o.upload()
	if u == nil || value.Format == 0 { // it was freed at this moment
		s.answerWhenPortable(msg, o)
		return
	}
	blob := &StoredBlob{Blob: u.blob, Format: value.Format, Refs: value.Refs, Rising: true}
	s.reply(msg, Outcome{Blob: blob}.AppendTo(append(bus.AppendFrame(nil, answerFrame), answerOutcome)))
}

// awaitStored waits until the owner of an object says that its upload has ended, and how.
func (s *Store) awaitStored(ctx context.Context, scope *member.Scope, id ID) error {
	if scope.Work != nil {
		scope.Work.Block()
		defer scope.Work.Unblock()
	}
	out, err := s.ask(ctx, id.Owner(), s.question(storedFrame, id))
	if err != nil {
		return err
	}
	return out.Err
}

// discardFailed deletes what an upload that failed has written: the room may be what others lack.
func (s *Store) discardFailed(ctx context.Context, id ID, blob bus.Blob) {
	if err := s.deleteBlob(ctx, id, blob.ID); err != nil && ctx.Err() == nil {
		s.node.Log.Warn("a part of an object stays in the bucket", zap.Stringer("object", id), zap.Error(err))
	}
}
