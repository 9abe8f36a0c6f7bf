package bus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"manta/bus"
)

const chunk = 512 << 10

func openBucket(t *testing.T, conn *bus.Conn) *bus.Bucket {
	t.Helper()
	bucket, err := conn.OpenBucket(within(t, 30*time.Second), "blobs")
	if err != nil {
		t.Fatal(err)
	}
	return bucket
}

// write stores random bytes of a size.
func write(t *testing.T, bucket *bus.Bucket, size int) (bus.Blob, []byte) {
	t.Helper()
	data := make([]byte, size)
	source := rand.NewChaCha8([32]byte{byte(size)})
	_, _ = source.Read(data) // never fails
	blob := bucket.NewBlob("owner", int64(size))
	if err := bucket.Write(within(t, 30*time.Second), blob, data); err != nil {
		t.Fatal(err)
	}
	return blob, data
}

func TestABlobOfAnySizeIsReadAsItWasWritten(t *testing.T) {
	bucket := openBucket(t, connect(t))
	for _, size := range []int{0, 1, chunk - 1, chunk, chunk + 1, 5*chunk + 7, 17 * chunk} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			blob, want := write(t, bucket, size)
			got, err := bucket.Read(within(t, 30*time.Second), blob, nil)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes were read, %v; want the %d that were written", len(got), err, len(want))
			}
		})
	}
}

func TestABlobLargerThanOneBatchIsReadAsItWasWritten(t *testing.T) {
	if testing.Short() {
		t.Skip("moves 33 MiB")
	}
	bucket := openBucket(t, connect(t))
	blob, want := write(t, bucket, 66*chunk+1)
	if got, err := bucket.Read(within(t, 60*time.Second), blob, nil); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes were read, %v; want the %d that were written", len(got), err, len(want))
	}
}

func TestTwoConcurrentReadsOfTwoBlobsDoNotMix(t *testing.T) {
	bucket := openBucket(t, connect(t))
	results := make(chan error, 4)
	for i := range 4 {
		blob, want := write(t, bucket, (3+i%2)*chunk)
		go func() {
			got, err := bucket.Read(t.Context(), blob, nil)
			if err == nil && !bytes.Equal(got, want) {
				err = errors.New("other bytes were read than were written")
			}
			results <- err
		}()
	}
	for range 4 {
		if err := receive(t, results); err != nil {
			t.Error(err)
		}
	}
}

func TestAStockClientReadsADescribedBlob(t *testing.T) {
	srv := runServer(t)
	bucket, ctx := openBucket(t, connectTo(t, srv)), within(t, 30*time.Second)
	blob, want := write(t, bucket, 2*chunk+3)
	if err := bucket.Describe(ctx, "picture one", blob, bus.Value{Format: bus.Bytes, Data: want}); err != nil {
		t.Fatal(err)
	}
	store, err := stockClient(t, srv).ObjectStore(ctx, "blobs")
	if err != nil {
		t.Fatal(err)
	}
	object, err := store.Get(ctx, "picture one")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(object) // fails if the digest does not match
	if err != nil || !bytes.Equal(got, want) || object.Error() != nil {
		t.Errorf("%d bytes were read, %v, %v; want the %d that were written", len(got), err, object.Error(), len(want))
	}
	info, err := object.Info()
	if err != nil || info.Headers.Get("Manta-Type") != "[]byte" || info.Chunks != 3 {
		t.Errorf("got %+v, %v", info, err)
	}
}

// tamper replaces the chunks of a stored blob.
func tamper(t *testing.T, js jetstream.JetStream, blob bus.Blob, change func(i int, chunk *nats.Msg) *nats.Msg) {
	t.Helper()
	ctx := within(t, 30*time.Second)
	stream, err := js.Stream(ctx, "OBJ_blobs")
	if err != nil {
		t.Fatal(err)
	}
	info, err := stream.Info(ctx)
	if err != nil {
		t.Fatal(err)
	}
	subject := "$O.blobs.C." + blob.ID
	var changed []*nats.Msg
	for seq := info.State.FirstSeq; seq <= info.State.LastSeq; seq++ {
		raw, err := stream.GetMsg(ctx, seq)
		if err != nil || raw.Subject != subject {
			t.Fatalf("message %d: %+v, %v", seq, raw, err)
		}
		raw.Header.Del("Nats-Msg-Id") // or JetStream would take it for what it has stored
		msg := &nats.Msg{Subject: subject, Header: raw.Header, Data: raw.Data}
		if msg = change(len(changed), msg); msg != nil {
			changed = append(changed, msg)
		}
	}
	if err := stream.Purge(ctx); err != nil {
		t.Fatal(err)
	}
	for _, msg := range changed {
		if _, err := js.PublishMsg(ctx, msg); err != nil {
			t.Fatal(err)
		}
	}
}

func TestABlobThatIsNotWhatWasWrittenIsNeverRead(t *testing.T) {
	tests := []struct {
		name   string
		change func(i int, chunk *nats.Msg) *nats.Msg
		want   error
	}{
		{"a flipped bit", func(i int, chunk *nats.Msg) *nats.Msg {
			if i == 1 {
				chunk.Data[7] ^= 1
			}
			return chunk
		}, bus.ErrChecksum},
		{"no first chunk", without(0), bus.ErrBlobGone},
		{"no chunk in the middle", without(1), bus.ErrBlobGone},
		{"no last chunk", without(2), bus.ErrBlobGone},
		{"a chunk cut short", func(_ int, chunk *nats.Msg) *nats.Msg {
			chunk.Data = chunk.Data[:len(chunk.Data)-1]
			return chunk
		}, bus.ErrBlobGone},
		{"a chunk without its index", func(_ int, chunk *nats.Msg) *nats.Msg {
			chunk.Header.Del("Manta-Chunk")
			return chunk
		}, bus.ErrBlobGone},
		{"a chunk without its checksum", func(_ int, chunk *nats.Msg) *nats.Msg {
			chunk.Header.Del("Manta-Crc32c")
			return chunk
		}, bus.ErrChecksum},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			srv := runServer(t)
			bucket := openBucket(t, connectTo(t, srv))
			blob, _ := write(t, bucket, 2*chunk+3)
			tamper(t, stockClient(t, srv), blob, test.change)
			if data, err := bucket.Read(within(t, 30*time.Second), blob, nil); !errors.Is(err, test.want) || data != nil {
				t.Errorf("%d bytes were read, %v; want %v", len(data), err, test.want)
			}
		})
	}
}

func without(index int) func(int, *nats.Msg) *nats.Msg {
	return func(i int, chunk *nats.Msg) *nats.Msg {
		if i == index {
			return nil
		}
		return chunk
	}
}

func TestADeletedBlobIsGoneAndItsRoomIsFree(t *testing.T) {
	bucket, ctx := openBucket(t, connect(t)), within(t, 30*time.Second)
	kept, want := write(t, bucket, chunk)
	before, err := bucket.Usage(ctx)
	if err != nil {
		t.Fatal(err)
	}
	blob, data := write(t, bucket, 3*chunk)
	if err := bucket.Describe(ctx, "name", blob, bus.Value{Format: bus.Bytes, Data: data}); err != nil {
		t.Fatal(err)
	}
	if used, err := bucket.Usage(ctx); err != nil || used < before+3*chunk {
		t.Errorf("the bucket holds %d bytes, %v; it held %d before", used, err, before)
	}
	for range 2 { // the second time there is nothing to delete
		if err := bucket.Delete(ctx, "name", blob); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := bucket.Read(ctx, blob, nil); !errors.Is(err, bus.ErrBlobGone) {
		t.Errorf("reading it: %v, want ErrBlobGone", err)
	}
	if used, err := bucket.Usage(ctx); err != nil || used != before {
		t.Errorf("the bucket holds %d bytes, %v; want %d as before", used, err, before)
	}
	if got, err := bucket.Read(ctx, kept, nil); err != nil || !bytes.Equal(got, want) {
		t.Errorf("another blob suffered: %d bytes, %v", len(got), err)
	}
}

func TestABlobThatWasNeverWrittenIsGone(t *testing.T) {
	bucket := openBucket(t, connect(t))
	// However large it claims to be: nothing is allocated before its first chunk has come.
	for _, size := range []int64{1, 1 << 40, 1<<63 - 1} {
		if _, err := bucket.Read(within(t, 30*time.Second), bucket.NewBlob("nobody", size), nil); !errors.Is(err, bus.ErrBlobGone) {
			t.Errorf("%d bytes: %v, want ErrBlobGone", size, err)
		}
	}
}

func TestReadingAndWritingEndWithTheirContext(t *testing.T) {
	bucket := openBucket(t, connect(t))
	blob, data := write(t, bucket, 4*chunk)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("not wanted any more"))
	if _, err := bucket.Read(ctx, blob, nil); err == nil {
		t.Error("Read: no error")
	}
	if err := bucket.Write(ctx, bucket.NewBlob("owner", int64(len(data))), data); err == nil {
		t.Error("Write: no error")
	}
}

func TestAReadGoesOnWhenItsConnectionIsBack(t *testing.T) {
	if testing.Short() {
		t.Skip("waits 5 s until a batch counts as stalled")
	}
	srv := runServer(t)
	line := &cutLine{server: srv}
	reader := openBucket(t, connectTo(t, line))
	blob, want := write(t, openBucket(t, connectTo(t, srv)), 20*chunk)
	line.cutAfter.Store(5 * chunk)
	got, err := reader.Read(within(t, 60*time.Second), blob, nil)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes were read, %v; want the %d that were written", len(got), err, len(want))
	}
	if line.cutAfter.Load() > 0 {
		t.Error("the connection was never cut")
	}
}

// cutLine is the way to a server that breaks once, after some bytes.
type cutLine struct {
	server   nats.InProcessConnProvider
	cutAfter atomic.Int64 // bytes; breaks when it falls to 0 or below from above
}

func (l *cutLine) InProcessConn() (net.Conn, error) {
	conn, err := l.server.InProcessConn()
	return &cutConn{conn, l}, err
}

type cutConn struct {
	net.Conn
	line *cutLine
}

func (c *cutConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if left := c.line.cutAfter.Add(int64(-n)); left <= 0 && left+int64(n) > 0 {
		_ = c.Close() // this is the cut
		return 0, net.ErrClosed
	}
	return n, err
}
