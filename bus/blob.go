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
	// chunkSize is the fastest measured on JetStream.
	chunkSize = 512 << 10
	// headerRoom is what a message's headers and the server's own may take of the largest payload.
	headerRoom = 4 << 10
	// maxChunk is the largest message that a NATS server can be configured to take.
	maxChunk = 64 << 20

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
	return Blob{ID: owner + "." + nuid.Next(), Size: size, Chunk: int(min(chunkSize, b.conn.MaxPayload()-headerRoom, b.conn.uploads.limit))}
}

// AppendTo appends the blob's name to a frame.
func (b Blob) AppendTo(buf []byte) []byte {
	return AppendUint(AppendUint(AppendString(buf, b.ID), uint64(b.Size)), uint64(b.Chunk))
}

// ReadBlob reads what AppendTo wrote.
func (r *Reader) ReadBlob() Blob {
	blob := Blob{ID: r.String(), Size: int64(r.Uint()), Chunk: int(r.Uint())}
	owner, name, _ := strings.Cut(blob.ID, ".")
	if blob.Size < 0 || blob.Chunk <= 0 || blob.Chunk > maxChunk || CheckName("owner", owner) != nil || CheckName("blob", name) != nil {
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
	return ask(ctx, c, func(ctx context.Context) (*Bucket, error) { return c.openBucket(ctx, name) })
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

// length is how many bytes a chunk has.
func (b Blob) length(index int) int {
	return int(min(int64(b.Chunk), b.Size-int64(index)*int64(b.Chunk)))
}

// chunkMsg is a chunk as it is stored, and as one node gives it to another.
func chunkMsg(subject string, index int, data []byte) *nats.Msg {
	msg := nats.NewMsg(subject)
	msg.Data = data
	msg.Header.Set(chunkHeader, strconv.Itoa(index))
	msg.Header.Set(checksumHeader, checksum(data))
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

// describedAgain is how often it is looked for a meta message that is on its way.
const describedAgain = 20 * time.Millisecond

// AwaitDescribed waits until stock clients see an object of this name.
func (b *Bucket) AwaitDescribed(ctx context.Context, name string) error {
	tick := time.NewTicker(describedAgain)
	defer tick.Stop()
	for {
		_, err := b.stream.GetLastMsgForSubject(ctx, b.metaSubject(name))
		if !errors.Is(err, jetstream.ErrMsgNotFound) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
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
