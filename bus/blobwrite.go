package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// uploadChunks is how many chunks of one upload are unacknowledged at most: 16 to 64 are the fastest measured on JetStream.
	uploadChunks = 32
	// ackSilence is how long no acknowledgement may come before what was sent counts as lost, and is sent again.
	ackSilence = 3 * time.Second
	// uploadPatience bounds how long one chunk is sent again and again while JetStream has no leader or no server answers.
	uploadPatience = 30 * time.Second
	// settleTimeout bounds how long an upload that was given up waits for what it has sent.
	settleTimeout = 2 * time.Second
)

var (
	errSilent      = errors.New("JetStream is silent")
	errInterrupted = errors.New("the connection to NATS was interrupted")
	errDisorder    = errors.New("a chunk was stored behind one that follows it")
)

// Write stores data under the blob's name and returns when every chunk is acknowledged. data must not change meanwhile. It sends
// again what a lost connection or server has swallowed, each chunk under a name that JetStream stores once, and gives up after half a minute
// without an answer. It fails with [ErrFull] if JetStream has no room. When it fails, nothing of it is on its way any more: what
// was stored can be deleted. All writes of a connection share its upload window.
func (b *Bucket) Write(ctx context.Context, blob Blob, data []byte) error {
	w := &blobWriter{bucket: b, blob: blob, data: data, inbox: b.conn.freshInbox("acks"), litter: litterOf(blob)}
	var err error
	if w.acks, err = b.conn.nc.SubscribeSync(w.inbox + ".*"); err != nil {
		return fmt.Errorf("cannot subscribe to %s: %w", w.inbox, w.bucket.conn.wordFor(err))
	}
	defer func() { _ = w.acks.Unsubscribe() }() // its one error is that the connection is closed
	if err = w.write(ctx); err == nil {
		return nil
	}
	w.settle()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("storing blob %s: chunk %d of %d: %w", blob.ID, w.first, blob.chunks(), err)
}

// blobWriter sends chunks in order, up to uploadChunks ahead of the first that is not acknowledged.
//
// Readers of the public format take chunks in the order of the stream. So a chunk that was lost while those behind it arrived
// cannot just be sent again: mend puts those behind it in their place.
type blobWriter struct {
	bucket *Bucket
	blob   Blob
	data   []byte
	inbox  string
	acks   *nats.Subscription

	first  int      // index of the first chunk that is not acknowledged
	sent   []uint64 // of the chunks from first on that were sent: the stream sequence, 0 until acknowledged
	last   uint64   // stream sequence of the chunk before first
	held   int64    // bytes of the upload window
	litter litter
	again  int // how many chunks were removed and stored in another place
}

func (w *blobWriter) write(ctx context.Context) error {
	for {
		err := w.flow(ctx)
		switch {
		case err == nil, ctx.Err() != nil, !mayPass(err):
			return err
		}
		if err := w.mend(ctx); err != nil {
			return err
		}
	}
}

// mayPass says whether an upload that failed so is to be tried again.
func mayPass(err error) bool {
	return errors.Is(err, errSilent) || errors.Is(err, errInterrupted) || errors.Is(err, errDisorder) || notNow(err)
}

// flow sends and hears until all chunks are acknowledged.
func (w *blobWriter) flow(ctx context.Context) error {
	generation := w.bucket.conn.Generation()
	for w.first < w.blob.chunks() {
		next := w.first + len(w.sent)
		if next < w.blob.chunks() && len(w.sent) < uploadChunks {
			if may, err := w.takeRoom(ctx, next); err != nil {
				return err
			} else if may {
				w.sent = append(w.sent, 0)
				if err := w.send(next, w.name(next)); err != nil {
					return err
				}
				continue
			}
		}
		msg, err := w.bucket.conn.nextMsg(ctx, w.acks, generation, ackSilence)
		if err != nil {
			return err
		}
		if err := w.hear(msg); err != nil {
			return err
		}
	}
	return nil
}

// takeRoom takes a chunk's bytes of the upload window. While chunks of this upload are unacknowledged it does not wait: their
// acknowledgements are what makes room.
func (w *blobWriter) takeRoom(ctx context.Context, index int) (bool, error) {
	bytes := int64(w.blob.length(index))
	if !w.bucket.conn.uploads.tryTake(bytes) {
		if w.held > 0 {
			return false, nil
		}
		if err := w.bucket.conn.uploads.take(ctx, bytes); err != nil {
			return false, err
		}
	}
	w.held += bytes
	return true, nil
}

func (w *blobWriter) giveRoom(bytes int64) {
	w.held -= bytes
	w.bucket.conn.uploads.give(bytes)
}

// name is under which JetStream stores a chunk once, however often it is sent.
func (w *blobWriter) name(index int) string { return w.blob.ID + "." + strconv.Itoa(index) }

func (w *blobWriter) send(index int, name string) error {
	start := index * w.blob.Chunk
	msg := chunkMsg(w.bucket.chunkSubject(w.blob), index, w.data[start:start+w.blob.length(index)])
	expire(msg, w.blob.TTL)
	msg.Header.Set(jetstream.MsgIDHeader, name)
	msg.Reply = w.inbox + "." + strconv.Itoa(index)
	return sendFailure(w.bucket.conn.nc.PublishMsg(msg))
}

// sendFailure says what an error of publishing means for another try.
func sendFailure(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, nats.ErrConnectionClosed):
		return ErrClosed
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("a chunk is larger than the server takes: give all servers of the cluster the same max_payload: %w", err)
	default: // while it reconnects nothing is buffered
		return fmt.Errorf("%w: %w", errInterrupted, err)
	}
}

// hear takes in an acknowledgement.
func (w *blobWriter) hear(msg *nats.Msg) error {
	index, err := strconv.Atoi(LastToken(msg.Subject))
	if err != nil || index < w.first || index >= w.first+len(w.sent) {
		return nil // a second acknowledgement
	}
	seq, err := readAck(msg)
	if w.sent[index-w.first] == 0 {
		w.sent[index-w.first] = seq // still 0 if it was refused
		w.giveRoom(min(w.held, int64(w.blob.length(index))))
	}
	if err != nil {
		return err
	}
	return w.advance()
}

// advance moves first past what is acknowledged, as long as it is in order.
func (w *blobWriter) advance() error {
	for len(w.sent) > 0 && w.sent[0] > 0 {
		if w.sent[0] <= w.last {
			return errDisorder
		}
		w.last = w.sent[0]
		w.sent = append(w.sent[:0], w.sent[1:]...)
		if w.bucket.conn.serverInside() {
			w.litter.drop(w.blob.length(w.first))
		}
		w.first++
	}
	return nil
}

// mend stores what was sent, one chunk after the other, until all of it is in the stream, in order. What was under way
// counts as lost.
func (w *blobWriter) mend(ctx context.Context) error {
	w.giveRoom(w.held)
	for end := w.first + len(w.sent); w.first < end; {
		switch seq := w.sent[0]; {
		case seq > w.last:
			if err := w.advance(); err != nil && !errors.Is(err, errDisorder) {
				return err
			}
		case seq == 0:
			if err := w.storeFirst(ctx, w.name(w.first), 0); err != nil {
				return err
			}
		default: // it stands before one that it follows
			if err := w.bucket.remove(ctx, seq); err != nil {
				return err
			}
			w.again++
			if err := w.storeFirst(ctx, w.name(w.first)+".again"+strconv.Itoa(w.again), w.last); err != nil {
				return err
			}
		}
	}
	return nil
}

// storeFirst sends the first chunk under a name until an acknowledgement of it says where behind a place in the stream it is.
func (w *blobWriter) storeFirst(ctx context.Context, name string, behind uint64) error {
	bytes := int64(w.blob.length(w.first))
	if err := w.bucket.conn.uploads.take(ctx, bytes); err != nil {
		return err
	}
	defer w.bucket.conn.uploads.give(bytes)
	for begun := time.Now(); ; {
		err := w.tryFirst(ctx, name, behind)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !mayPass(err):
			return err
		case time.Since(begun) > uploadPatience:
			return fmt.Errorf("not acknowledged within %v: is a server of the bucket's cluster down, or its disk full? (%w)", uploadPatience, err)
		}
		pause(ctx, tryAgain)
	}
}

// tryFirst sends the first chunk once and waits for its acknowledgement. Those of others are noted.
func (w *blobWriter) tryFirst(ctx context.Context, name string, behind uint64) error {
	generation := w.bucket.conn.Generation()
	if err := w.send(w.first, name); err != nil {
		return err
	}
	for {
		msg, err := w.bucket.conn.nextMsg(ctx, w.acks, generation, ackSilence)
		if err != nil {
			return err
		}
		index, err := strconv.Atoi(LastToken(msg.Subject))
		if err != nil || index < w.first || index >= w.first+len(w.sent) {
			continue
		}
		seq, err := readAck(msg)
		switch {
		case index == w.first && err != nil:
			return err
		case index == w.first && seq > behind:
			w.sent[0] = seq
			return nil
		case index > w.first && err == nil && w.sent[index-w.first] == 0:
			w.sent[index-w.first] = seq
		}
	}
}

// settle waits until each chunk is stored, refused or lost, which it is with the connection, and gives back the window's bytes.
func (w *blobWriter) settle() {
	ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
	defer cancel()
	for w.held > 0 {
		msg, err := w.acks.NextMsgWithContext(ctx)
		if err != nil {
			break
		}
		index, err := strconv.Atoi(LastToken(msg.Subject))
		if err == nil && index >= w.first && index < w.first+len(w.sent) && w.sent[index-w.first] == 0 {
			w.sent[index-w.first] = 1 // whatever became of it
			w.giveRoom(min(w.held, int64(w.blob.length(index))))
		}
	}
	w.giveRoom(w.held)
}

// remove deletes one message of the bucket's stream.
func (b *Bucket) remove(ctx context.Context, seq uint64) error {
	_, err := ask(ctx, b.conn, func(ctx context.Context) (struct{}, error) {
		err := b.stream.DeleteMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) { // it is not there any more
			err = nil
		}
		return struct{}{}, err
	})
	return err
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
