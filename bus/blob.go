package bus

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

const (
	// chunkSize and uploadWindow are the fastest pair measured on JetStream: 512 KiB chunks, 16 unacknowledged.
	chunkSize    = 512 << 10
	uploadWindow = 16
	// settleTimeout bounds how long an upload that was given up waits for what it has sent.
	settleTimeout = 2 * time.Second
	// headerRoom is what a message's headers and the server's own may take of the largest payload.
	headerRoom = 4 << 10
	// readBatch bounds what one request to the server may send at once, in bytes: under the 64 MiB that the server
	// buffers for a client before it calls it slow.
	readBatch = 32 << 20

	// readStall is how long nothing may come before the rest is asked for again; maxStalls is how often in a row.
	readStall = 5 * time.Second
	maxStalls = 3

	chunkHeader    = "Manta-Chunk"  // index of a chunk, from 0
	checksumHeader = "Manta-Crc32c" // of a chunk's bytes, hexadecimal
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Bucket is an object store bucket. It writes the public format of NATS object stores (ADR-20: chunks, then a meta
// message), so any NATS client can read what is in it; it does so with larger chunks, more of them under way, and the
// digest off the path, because nats.go's own object store client moves a fifth of what the streams beneath it can.
type Bucket struct {
	conn   *Conn
	name   string
	stream jetstream.Stream
}

// Blob names the bytes of one write.
type Blob struct {
	ID    string // of its chunks: the owner's name, a dot, and what is unique; two tokens of their subject
	Size  int64  // bytes
	Chunk int    // bytes a chunk, the last one less

	TTL time.Duration // how long it is kept, in whole seconds; 0: until it is deleted. It is the writer's alone and does not travel
}

// NewBlob names a blob that is yet to be written. Its id begins with the owner's name, a subject token of its own: so all
// that an owner has in the bucket can be named by one wildcard.
func (b *Bucket) NewBlob(owner string, size int64) Blob {
	return Blob{ID: owner + "." + nuid.Next(), Size: size, Chunk: int(min(chunkSize, b.conn.MaxPayload()-headerRoom))}
}

// AppendTo appends the blob's name to a frame.
func (b Blob) AppendTo(buf []byte) []byte {
	return AppendUint(AppendUint(AppendString(buf, b.ID), uint64(b.Size)), uint64(b.Chunk))
}

// ReadBlob reads what AppendTo wrote.
func (r *Reader) ReadBlob() Blob {
	blob := Blob{ID: r.String(), Size: int64(r.Uint()), Chunk: int(r.Uint())}
	owner, name, _ := strings.Cut(blob.ID, ".")
	if blob.Size < 0 || blob.Chunk <= 0 || CheckName("owner", owner) != nil || CheckName("blob", name) != nil {
		r.Fail("impossible blob")
	}
	return blob
}

func (b Blob) chunks() int {
	n := b.Size / int64(b.Chunk)
	if b.Size%int64(b.Chunk) > 0 {
		n++
	}
	return int(n)
}

// OpenBucket opens an object store bucket, and creates it if it is not there.
func (c *Conn) OpenBucket(ctx context.Context, name string) (*Bucket, error) {
	return patiently(ctx, func(ctx context.Context) (*Bucket, error) { return c.openBucket(ctx, name) })
}

func (c *Conn) openBucket(ctx context.Context, name string) (*Bucket, error) {
	_, err := c.js.CreateObjectStore(ctx, jetstream.ObjectStoreConfig{Bucket: name, Storage: c.storage, Replicas: c.replicas})
	if err != nil && !errors.Is(err, jetstream.ErrBucketExists) {
		return nil, cannotOpen(name, c.replicas, err)
	}
	c.raiseReplicas(ctx, "OBJ_"+name)
	if err := c.setQuota(ctx, "OBJ_"+name); err != nil {
		return nil, err
	}
	stream, err := c.js.Stream(ctx, "OBJ_"+name)
	if err == nil {
		stream, err = c.allowTTL(ctx, stream)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open bucket %s: %w", name, err)
	}
	return &Bucket{conn: c, name: name, stream: stream}, nil
}

func (b *Bucket) chunkSubject(blob Blob) string { return "$O." + b.name + ".C." + blob.ID }
func (b *Bucket) metaSubject(name string) string {
	return "$O." + b.name + ".M." + base64.URLEncoding.EncodeToString([]byte(name))
}

// Write stores data under the blob's name and returns when every chunk is acknowledged. data must not change meanwhile. When it
// fails, nothing of it is on its way any more: what was stored can be deleted.
func (b *Bucket) Write(ctx context.Context, blob Blob, data []byte) error {
	var sent acks
	defer func() { sent.settle() }()
	for i := range blob.chunks() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if len(sent) == uploadWindow {
			if err := sent.awaitFirst(ctx); err != nil {
				return err
			}
		}
		start := i * blob.Chunk
		ack, err := b.conn.js.PublishMsgAsync(b.chunk(blob, i, data[start:min(start+blob.Chunk, len(data))]))
		if err != nil {
			return fmt.Errorf("cannot store chunk %d of %d: %w", i, blob.chunks(), err)
		}
		sent = append(sent, ack)
	}
	for len(sent) > 0 {
		if err := sent.awaitFirst(ctx); err != nil {
			return err
		}
	}
	return nil
}

// acks are of chunks that were sent and not acknowledged yet.
type acks []jetstream.PubAckFuture

func (a *acks) awaitFirst(ctx context.Context) error {
	first := (*a)[0]
	select {
	case <-first.Ok():
		*a = append((*a)[:0], (*a)[1:]...)
		return nil
	case err := <-first.Err():
		*a = (*a)[1:]
		return fmt.Errorf("JetStream refused a chunk: %w", overQuota(err))
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// settle waits until each chunk is stored, refused or lost, which it is with the connection.
func (a acks) settle() {
	timer := time.NewTimer(settleTimeout)
	defer timer.Stop()
	for _, ack := range a {
		select {
		case <-ack.Ok():
		case <-ack.Err():
		case <-timer.C:
			return
		}
	}
}

func (b *Bucket) chunk(blob Blob, index int, data []byte) *nats.Msg {
	msg := nats.NewMsg(b.chunkSubject(blob))
	msg.Data = data
	msg.Header.Set(chunkHeader, strconv.Itoa(index))
	msg.Header.Set(checksumHeader, checksum(data))
	expire(msg, blob.TTL)
	return msg
}

func checksum(data []byte) string {
	return strconv.FormatUint(uint64(crc32.Checksum(data, castagnoli)), 16)
}

// Describe publishes the meta message that makes a written blob visible to stock clients as an object of this name. The
// digest that the format wants is computed here, at SHA-256's pace.
func (b *Bucket) Describe(ctx context.Context, name string, blob Blob, value Value) error {
	digest := sha256.Sum256(value.Data)
	meta, err := json.Marshal(jetstream.ObjectInfo{
		ObjectMeta: jetstream.ObjectMeta{
			Name:    name,
			Headers: nats.Header{"Manta-Type": []string{value.Format.String()}},
			Opts:    &jetstream.ObjectMetaOptions{ChunkSize: uint32(blob.Chunk)},
		},
		Bucket: b.name,
		NUID:   blob.ID,
		Size:   uint64(blob.Size),
		Chunks: uint32(blob.chunks()),
		Digest: "SHA-256=" + base64.URLEncoding.EncodeToString(digest[:]),
	})
	if err != nil {
		return err
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	msg := nats.NewMsg(b.metaSubject(name))
	msg.Data = meta
	msg.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
	expire(msg, blob.TTL)
	_, err = b.conn.js.PublishMsg(ctx, msg)
	return err
}

// Read returns a blob's bytes in memory that room makes once the first chunk has proved that the blob is there; nil makes it on
// the heap. It fails with [ErrBlobGone] if a chunk is missing, with [ErrChecksum] if one was changed, and with
// [ErrNoBucket] if there is no bucket to look in.
// When nothing comes for a while, or a chunk is left out, it asks again, and gives up after three times without a chunk between.
func (b *Bucket) Read(ctx context.Context, blob Blob, room func(size int64) ([]byte, error)) ([]byte, error) {
	if room == nil {
		room = func(size int64) ([]byte, error) { return make([]byte, size), nil }
	}
	r := blobReader{bucket: b, blob: blob, room: room}
	for stalls := 0; r.next < blob.chunks(); {
		before := r.next
		err := r.readBatch(ctx)
		switch {
		case err == nil, r.next > before && mayHelp(err):
			stalls = 0
		case mayHelp(err) && stalls < maxStalls:
			stalls++
		default:
			return nil, fmt.Errorf("reading blob %s: %w", blob.ID, err)
		}
	}
	return r.data, nil
}

var (
	errStalled = errors.New("JetStream sends nothing")
	errGap     = fmt.Errorf("%w: a chunk is missing", ErrBlobGone)
)

// mayHelp says whether asking again may help. A chunk can be missing only on the way: when a connection is lost and comes
// back, what the server sent meanwhile is left out.
func mayHelp(err error) bool { return errors.Is(err, errStalled) || errors.Is(err, errGap) }

// blobReader asks for chunks a batch at a time by JetStream's direct get: no consumer has to be made or kept.
type blobReader struct {
	bucket *Bucket
	blob   Blob
	room   func(size int64) ([]byte, error)
	data   []byte // of room; nil before the first chunk
	next   int    // index of the chunk that must come next
	seq    uint64 // stream sequence to go on from
}

// readBatch asks for the next chunks at an inbox of their own, so that late ones of an earlier batch do not mix in.
func (r *blobReader) readBatch(ctx context.Context) error {
	conn := r.bucket.conn
	inbox := conn.Inbox("blob." + strconv.FormatInt(conn.inboxes.Add(1), 10))
	sub, err := conn.nc.SubscribeSync(inbox)
	if err != nil {
		return fmt.Errorf("cannot subscribe to %s: %w", inbox, err)
	}
	defer func() { _ = sub.Unsubscribe() }() // its one error is that the connection is closed
	if err := sub.SetPendingLimits(-1, 2*readBatch); err != nil {
		return err
	}
	want := min(r.blob.chunks()-r.next, max(1, readBatch/r.blob.Chunk))
	ask, err := json.Marshal(map[string]any{
		"seq": r.seq, "next_by_subj": r.bucket.chunkSubject(r.blob), "batch": want, "max_bytes": readBatch + r.blob.Chunk,
	})
	if err != nil {
		return err
	}
	if err := conn.Publish("$JS.API.DIRECT.GET.OBJ_"+r.bucket.name, inbox, ask); err != nil {
		return err
	}
	return r.takeAll(ctx, sub)
}

// takeAll takes chunks until the server says that the batch has ended.
func (r *blobReader) takeAll(ctx context.Context, sub *nats.Subscription) error {
	for {
		msg, err := nextMsg(ctx, sub)
		if err != nil {
			return err
		}
		switch status := msg.Header.Get("Status"); status {
		case "":
			if err := r.take(msg); err != nil {
				return err
			}
		case "204": // end of the batch
			return nil
		case "404":
			return fmt.Errorf("%w: chunk %d of %d", ErrBlobGone, r.next, r.blob.chunks())
		default:
			return fmt.Errorf("JetStream answers %s %s", status, msg.Header.Get("Description"))
		}
	}
}

func nextMsg(ctx context.Context, sub *nats.Subscription) (*nats.Msg, error) {
	bounded, cancel := context.WithTimeout(ctx, readStall)
	defer cancel()
	msg, err := sub.NextMsgWithContext(bounded)
	if err != nil && ctx.Err() == nil && bounded.Err() != nil {
		return nil, errStalled
	}
	if errors.Is(err, nats.ErrNoResponders) { // the bucket has no leader, or its server has lost it
		return nil, ErrNoBucket
	}
	return msg, err
}

func (r *blobReader) take(msg *nats.Msg) error {
	start := r.next * r.blob.Chunk
	size := min(r.blob.Chunk, int(r.blob.Size)-start)
	seq, err := strconv.ParseUint(msg.Header.Get(jetstream.SequenceHeader), 10, 64)
	if err != nil || msg.Header.Get(chunkHeader) != strconv.Itoa(r.next) || size != len(msg.Data) {
		return fmt.Errorf("%w: found chunk %s (%d bytes), want %d (%d bytes)",
			errGap, msg.Header.Get(chunkHeader), len(msg.Data), r.next, size)
	}
	if msg.Header.Get(checksumHeader) != checksum(msg.Data) {
		return fmt.Errorf("%w in chunk %d", ErrChecksum, r.next)
	}
	if r.data == nil {
		if r.data, err = r.room(r.blob.Size); err != nil {
			return err
		}
	}
	copy(r.data[start:], msg.Data)
	r.next++
	r.seq = seq + 1
	return nil
}

// Delete removes a blob's chunks and its meta message.
func (b *Bucket) Delete(ctx context.Context, name string, blob Blob) error {
	if err := b.stream.Purge(ctx, jetstream.WithPurgeSubject(b.chunkSubject(blob))); err != nil {
		return err
	}
	return b.stream.Purge(ctx, jetstream.WithPurgeSubject(b.metaSubject(name)))
}

// Usage returns how many bytes the bucket holds.
func (b *Bucket) Usage(ctx context.Context) (bytes uint64, err error) {
	info, err := b.stream.Info(ctx)
	if err != nil {
		return 0, err
	}
	return info.State.Bytes, nil
}
