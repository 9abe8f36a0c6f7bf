package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// readChunks is how many chunks one read has asked for and not got, at most.
	readChunks = 32
	// readSilence is how long nothing may come before what is missing is asked for again, and longer each time; after
	// readPatience without a chunk the read fails.
	readSilence  = time.Second
	readPatience = 15 * time.Second
	// replicaPatience is how long a chunk may be missing, or wrong, at a server of several that have it, and how long the one
	// server of a bucket may be away.
	replicaPatience = 2 * time.Second
)

var errGap = fmt.Errorf("%w: a chunk is missing", ErrBlobGone)

// ErrStalled is returned by Bucket.Fill when JetStream has sent nothing for a while, however often it was asked.
var ErrStalled = errors.New("JetStream sends nothing")

// Read returns a blob's bytes in memory that room makes once the first chunk has proved that the blob is there; nil makes it on
// the heap. Its errors are those of Fill.
func (b *Bucket) Read(ctx context.Context, blob Blob, room func(size int64) ([]byte, error)) ([]byte, error) {
	a := NewAssembly(blob, room)
	if err := b.Fill(ctx, a); err != nil {
		return nil, err
	}
	return a.Data(), nil
}

// Fill reads what an assembly lacks, by JetStream's direct get: no consumer has to be made or kept. It fails with [ErrBlobGone] if
// a chunk is missing and with [ErrChecksum] if one was changed, in which case the assembly has got the others; with
// [ErrStalled] when nothing has come for 15 s, having asked again meanwhile; and with [ErrNoBucket] when no server has the bucket.
func (b *Bucket) Fill(ctx context.Context, a *Assembly) error {
	if a.Whole() {
		return nil
	}
	r := &blobReader{bucket: b, assembly: a, inbox: b.conn.freshInbox("blob")}
	var err error
	if r.answers, err = b.conn.nc.SubscribeSync(r.inbox + ".*"); err != nil {
		return fmt.Errorf("cannot subscribe to %s: %w", r.inbox, r.bucket.conn.wordFor(err))
	}
	defer func() { _ = r.answers.Unsubscribe() }() // its one error is that the connection is closed
	if err := r.answers.SetPendingLimits(-1, 2*downloadWindow); err != nil {
		return r.bucket.conn.wordFor(err)
	}
	if err = r.readAll(ctx); err != nil && ctx.Err() == nil {
		err = fmt.Errorf("reading blob %s: %w", a.blob.ID, err)
	}
	return err
}

// blobReader asks for chunks, several at a time. Where the first and the last one are in the stream tells whether the blob lies
// there in one piece: then each chunk's place is known; else the server looks for the next ones, a batch at a time.
type blobReader struct {
	bucket   *Bucket
	assembly *Assembly
	inbox    string
	answers  *nats.Subscription

	first, last uint64 // stream sequences of the blob's ends, 0 until known
	from        uint64 // where in the stream the next batch begins
	batches     int
	silence     time.Duration
	generation  uint64
}

// readAll makes pass after pass until nothing is missing or another pass will not help.
func (r *blobReader) readAll(ctx context.Context) error {
	r.silence = readSilence
	for heard := time.Now(); ; {
		before := r.assembly.left
		err := r.pass(ctx)
		if r.assembly.Whole() {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if r.assembly.left < before {
			heard, r.silence = time.Now(), readSilence
		}
		silent := time.Since(heard)
		switch {
		case errors.Is(err, errSilent):
			r.silence *= 2
		case errors.Is(err, errUnserved):
			if !r.bucket.replicated() && silent > replicaPatience || silent > readPatience {
				return fmt.Errorf("%w: %s", ErrNoBucket, r.bucket.name)
			}
			pause(ctx, tryAgain)
		case errors.Is(err, errInterrupted):
			pause(ctx, tryAgain)
		case errors.Is(err, ErrBlobGone), errors.Is(err, ErrChecksum):
			if !r.bucket.replicated() || silent > replicaPatience {
				return err
			}
			pause(ctx, tryAgain)
		default:
			return err
		}
		if silent > readPatience {
			return fmt.Errorf("%w: %w", ErrStalled, err)
		}
	}
}

// replicated says whether several servers have the bucket, and one may be behind the others.
func (b *Bucket) replicated() bool { return b.stream.CachedInfo().Config.Replicas > 1 }

// pass asks once for everything that is missing.
func (r *blobReader) pass(ctx context.Context) error {
	r.generation = r.bucket.conn.Generation()
	if r.first == 0 {
		if err := r.findEnds(ctx); err != nil || r.assembly.Whole() {
			return err
		}
	}
	if r.last-r.first == uint64(r.assembly.blob.chunks()-1) {
		return r.readByPlace(ctx)
	}
	return r.readInBatches(ctx)
}

// getRequest is what a direct get asks for.
type getRequest struct {
	Seq      uint64 `json:"seq,omitempty"`
	NextFor  string `json:"next_by_subj,omitempty"`
	LastFor  string `json:"last_by_subj,omitempty"`
	Batch    int    `json:"batch,omitempty"`
	MaxBytes int    `json:"max_bytes,omitempty"`
}

// ask sends a direct get; its answers come under a token.
func (r *blobReader) ask(token string, request getRequest) error {
	data, err := json.Marshal(request)
	if err != nil {
		return err
	}
	return sendFailure(r.bucket.conn.nc.PublishRequest("$JS.API.DIRECT.GET.OBJ_"+r.bucket.name, r.inbox+"."+token, data))
}

func (r *blobReader) next(ctx context.Context) (*nats.Msg, error) {
	return r.bucket.conn.nextMsg(ctx, r.answers, r.generation, r.silence)
}

// The tokens under which the ends of a blob are answered.
const (
	firstToken = "first"
	lastToken  = "last"
)

// findEnds reads the first and the last chunk. They are taken only if both are there and bear the right indices: so what claims to
// be larger than it is gets no memory.
func (r *blobReader) findEnds(ctx context.Context) error {
	subject, chunks := r.bucket.chunkSubject(r.assembly.blob), r.assembly.blob.chunks()
	ends := make(map[string]*nats.Msg)
	want := 1
	if err := r.takeWindow(ctx, 2); err != nil {
		return err
	}
	defer r.giveWindow(2)
	if chunks > 1 {
		want = 2
		if err := r.ask(firstToken, getRequest{Seq: 1, NextFor: subject}); err != nil {
			return err
		}
	}
	if err := r.ask(lastToken, getRequest{LastFor: subject}); err != nil {
		return err
	}
	for len(ends) < want {
		msg, err := r.next(ctx)
		if err != nil {
			return err
		}
		switch token := LastToken(msg.Subject); token {
		case firstToken, lastToken:
			index := 0
			if token == lastToken {
				index = chunks - 1
			}
			if err := r.statusOf(msg, index); err != nil {
				return err
			}
			if msg.Header.Get(chunkHeader) != strconv.Itoa(index) || len(msg.Data) != r.assembly.blob.length(index) {
				return fmt.Errorf("%w: found chunk %q of %d bytes, want %d of %d", errGap,
					msg.Header.Get(chunkHeader), len(msg.Data), index, chunks)
			}
			ends[token] = msg
		}
	}
	return r.takeEnds(ends)
}

func (r *blobReader) takeEnds(ends map[string]*nats.Msg) (err error) {
	if r.last, err = sequenceOf(ends[lastToken]); err != nil {
		return err
	}
	first := ends[lastToken]
	if ends[firstToken] != nil {
		first = ends[firstToken]
	}
	if r.first, err = sequenceOf(first); err != nil {
		return err
	}
	r.from = r.first
	for _, msg := range ends {
		if taken := r.assembly.take(msg); taken != nil {
			err = taken
		}
	}
	if errors.Is(err, ErrChecksum) && r.assembly.blob.chunks() > len(ends) {
		return nil // the pass goes on with the others, and finds this one again
	}
	return err
}

// byServer returns a header that the server has set: it stands behind one of that name which the message was stored with, as it is
// when somebody has copied it from another stream.
func byServer(msg *nats.Msg, header string) string {
	values := msg.Header[header]
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

func sequenceOf(msg *nats.Msg) (uint64, error) {
	seq, err := strconv.ParseUint(byServer(msg, jetstream.SequenceHeader), 10, 64)
	if err != nil || seq == 0 {
		return 0, fmt.Errorf("%w: a chunk without its place in the stream", errGap)
	}
	return seq, nil
}

// statusOf is the error of an answer that is no chunk.
func (r *blobReader) statusOf(msg *nats.Msg, index int) error {
	switch status := msg.Header.Get("Status"); status {
	case "":
		return nil
	case "404":
		return r.assembly.gap(index)
	case "503":
		return errUnserved
	default:
		return fmt.Errorf("JetStream answers %s %s", status, msg.Header.Get("Description"))
	}
}

// readByPlace reads chunks whose sequences are known. It goes on past one that is missing or wrong, and returns the first such error.
func (r *blobReader) readByPlace(ctx context.Context) (err error) {
	subject := r.bucket.chunkSubject(r.assembly.blob)
	asked := make(map[int]bool, readChunks)
	defer func() { r.giveWindow(len(asked)) }()
	for cursor := 0; ; {
		for len(asked) < readChunks {
			index := r.assembly.missing(cursor)
			if index < 0 {
				break
			}
			if len(asked) == 0 {
				if err := r.takeWindow(ctx, 1); err != nil {
					return err
				}
			} else if !r.tryWindow(1) {
				break // what comes makes room
			}
			asked[index] = true
			if err := r.ask(strconv.Itoa(index), getRequest{Seq: r.first + uint64(index)}); err != nil {
				return err
			}
			cursor = index + 1
		}
		if len(asked) == 0 {
			return err
		}
		msg, failed := r.next(ctx)
		if failed != nil {
			return failed
		}
		index, malformed := strconv.Atoi(LastToken(msg.Subject))
		if malformed != nil || !asked[index] {
			continue // of an earlier pass
		}
		delete(asked, index)
		r.giveWindow(1)
		if failed := r.takeAt(msg, index, subject); failed != nil && err == nil {
			err = failed
		}
	}
}

// takeAt takes the answer to a question for one chunk.
func (r *blobReader) takeAt(msg *nats.Msg, index int, subject string) error {
	if err := r.statusOf(msg, index); err != nil {
		return err
	}
	if byServer(msg, jetstream.SubjectHeader) != subject || msg.Header.Get(chunkHeader) != strconv.Itoa(index) {
		return r.assembly.gap(index)
	}
	return r.assembly.take(msg)
}

// readInBatches reads chunks that lie among those of other blobs.
func (r *blobReader) readInBatches(ctx context.Context) (err error) {
	if r.assembly.missing(0) < 0 {
		return nil
	}
	for r.from <= r.last {
		if failed := r.takeWindow(ctx, readChunks); failed != nil {
			return failed
		}
		next, failed := r.readBatch(ctx, &err)
		r.giveWindow(readChunks)
		if failed != nil {
			return failed
		}
		if next == r.from {
			break
		}
		r.from = next
	}
	r.from = r.first // for another pass
	if index := r.assembly.missing(0); index >= 0 && err == nil {
		return r.assembly.gap(index)
	}
	return err
}

// readBatch reads some chunks and returns where to go on: where it began, if nothing is left. wrong gets the error of a chunk that is.
func (r *blobReader) readBatch(ctx context.Context, wrong *error) (next uint64, err error) {
	r.batches++
	token := "b" + strconv.Itoa(r.batches)
	if err := r.ask(token, getRequest{
		Seq: r.from, NextFor: r.bucket.chunkSubject(r.assembly.blob), Batch: readChunks, MaxBytes: (readChunks + 1) * r.assembly.blob.Chunk,
	}); err != nil {
		return 0, err
	}
	for next = r.from; ; {
		msg, err := r.next(ctx)
		if err != nil {
			return 0, err
		}
		if LastToken(msg.Subject) != token {
			continue
		}
		switch msg.Header.Get("Status") {
		case "204", "404": // end of the batch, or of all
			return next, nil
		}
		if err := r.statusOf(msg, r.assembly.missing(0)); err != nil {
			return 0, err
		}
		at, err := sequenceOf(msg)
		if err != nil {
			return 0, err
		}
		next = max(next, at+1)
		if err := r.assembly.take(msg); err != nil && *wrong == nil {
			*wrong = err
		}
	}
}

// takeWindow takes room for chunks of the window of all reads, which may have to become free. Whoever waits has asked for nothing.
func (r *blobReader) takeWindow(ctx context.Context, chunks int) error {
	return r.bucket.conn.downloads.take(ctx, r.bytes(chunks))
}

func (r *blobReader) tryWindow(chunks int) bool {
	return r.bucket.conn.downloads.tryTake(r.bytes(chunks))
}
func (r *blobReader) giveWindow(chunks int)  { r.bucket.conn.downloads.give(r.bytes(chunks)) }
func (r *blobReader) bytes(chunks int) int64 { return int64(chunks) * int64(r.assembly.blob.Chunk) }
