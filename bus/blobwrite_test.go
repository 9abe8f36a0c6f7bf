package bus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"manta/bus"
)

// connectConfigured connects like connectTo, with a changed configuration.
func connectConfigured(t *testing.T, srv nats.InProcessConnProvider, change func(*bus.Config)) *bus.Conn {
	t.Helper()
	cfg := bus.Config{
		Name: t.Name(), Namespace: "test", User: "tester", Storage: jetstream.MemoryStorage,
		Options: []nats.Option{nats.InProcessServer(srv)}, Log: zap.NewNop(),
	}
	change(&cfg)
	conn, err := bus.Connect(within(t, 10*time.Second), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// keeper plays the stream of a bucket, and decides when it acknowledges.
type keeper struct {
	nc *nats.Conn

	mu     sync.Mutex
	held   []*nats.Msg // not acknowledged
	bytes  int         // of them
	most   int         // bytes that were ever held
	stored int         // bytes that were acknowledged
	seq    int
}

func (k *keeper) acknowledge(msg *nats.Msg) {
	k.seq++
	k.bytes -= len(msg.Data)
	k.stored += len(msg.Data)
	_ = k.nc.Publish(msg.Reply, fmt.Appendf(nil, `{"stream":"OBJ_blobs","seq":%d}`, k.seq))
}

func TestAllUploadsTogetherKeepWithinTheWindow(t *testing.T) {
	const uploads, window = 50, 2 << 20
	size := 10 << 20
	if testing.Short() {
		size = 1 << 20
	}
	srv := runServer(t)
	conn := connectConfigured(t, srv, func(cfg *bus.Config) { cfg.UploadWindow = window })
	k := &keeper{nc: stockConn(t, srv)}
	// Nothing is acknowledged before the window is full, or all that there is has come: so what comes is as much as may ever come.
	sub, err := k.nc.Subscribe("$O.blobs.C.>", func(msg *nats.Msg) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.held = append(k.held, msg)
		k.bytes += len(msg.Data)
		k.most = max(k.most, k.bytes)
		for len(k.held) > 0 && (k.bytes >= window || k.stored+k.bytes == uploads*size) {
			k.acknowledge(k.held[0])
			k.held = k.held[1:]
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		t.Fatal(err)
	}
	if err := k.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	bucket, data, ended := bus.UnopenedBucket(conn, "blobs"), make([]byte, size), make(chan error, uploads)
	for range uploads {
		go func() { ended <- bucket.Write(t.Context(), bucket.NewBlob("owner", int64(size)), data) }()
	}
	for range uploads {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if k.most != window {
		t.Errorf("%d bytes were unacknowledged at once, want the window's %d", k.most, window)
	}
}

func stockConn(t *testing.T, srv *server.Server) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(nats.DefaultURL, nats.InProcessServer(srv))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func TestASmallUploadDoesNotWaitForLargeOnesToEnd(t *testing.T) {
	srv := runServer(t)
	conn := connectConfigured(t, srv, func(cfg *bus.Config) { cfg.UploadWindow = chunk })
	nc := stockConn(t, srv)
	chunks := make(chan *nats.Msg, 100)
	if _, err := nc.ChanSubscribe("$O.blobs.C.>", chunks); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	bucket, ended := bus.UnopenedBucket(conn, "blobs"), make(chan string, 2)
	upload := func(owner string, size int) {
		if err := bucket.Write(t.Context(), bucket.NewBlob(owner, int64(size)), make([]byte, size)); err != nil {
			t.Error(err)
		}
		ended <- owner
	}
	go upload("large", 20*chunk)
	first := <-chunks
	go upload("small", chunk)
	for i, msg := 1, first; ; i++ {
		if strings.Contains(msg.Subject, ".small.") && i > 10 {
			t.Errorf("the small one is number %d of all chunks", i)
		}
		if err := nc.Publish(msg.Reply, fmt.Appendf(nil, `{"seq":%d}`, i)); err != nil {
			t.Fatal(err)
		}
		if i == 21 {
			break
		}
		msg = receive(t, chunks)
	}
	if first := receive(t, ended); first != "small" {
		t.Errorf("the %s one ended first", first)
	}
	receive(t, ended)
}

func TestWhatAServerSwallowsIsStoredAgainInOrder(t *testing.T) {
	srv := runServer(t)
	bucket, nc := openBucket(t, connectTo(t, srv)), stockConn(t, srv)
	lost := make(map[string]bool) // by the index of a chunk that came by; of some it, or its acknowledgement, is lost the first time
	sub, err := nc.Subscribe("$O.relay.C.>", func(msg *nats.Msg) {
		index := msg.Header.Get("Manta-Chunk")
		onward := &nats.Msg{Subject: strings.Replace(msg.Subject, "relay", "blobs", 1), Header: msg.Header, Data: msg.Data, Reply: msg.Reply}
		if !lost[index] {
			lost[index] = true
			switch index {
			case "2", "5":
				return
			case "3", "9":
				onward.Reply = ""
			}
		}
		_ = nc.PublishMsg(onward) // one that does not arrive is sent again
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(sub.SetPendingLimits(-1, -1), nc.Flush()); err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 20*chunk+1)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data)
	blob := bucket.NewBlob("owner", int64(len(data)))
	if err := bus.Relayed(bucket, "relay").Write(within(t, 60*time.Second), blob, data); err != nil {
		t.Fatal(err)
	}
	if err := bucket.Describe(t.Context(), "name", blob, bus.Value{Format: bus.Bytes, Data: data}); err != nil {
		t.Fatal(err)
	}
	got, err := bucket.Read(within(t, 30*time.Second), blob, nil)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes were read, %v", len(got), err)
	}
	if order := chunkOrder(t, stockClient(t, srv), blob); len(order) != 21 || !slices.IsSorted(order) {
		t.Errorf("the chunks are in the stream as %v", order)
	}
	store, err := stockClient(t, srv).ObjectStore(t.Context(), "blobs")
	if err != nil {
		t.Fatal(err)
	}
	object, err := store.Get(within(t, 30*time.Second), "name")
	if err != nil {
		t.Fatal(err)
	}
	if got, err = io.ReadAll(object); err != nil || !bytes.Equal(got, data) { // in the stream's order
		t.Errorf("a stock client read %d bytes, %v", len(got), err)
	}
}

// chunkOrder returns the indices of a blob's chunks as they are in the stream.
func chunkOrder(t *testing.T, js jetstream.JetStream, blob bus.Blob) (order []int) {
	t.Helper()
	stream, err := js.Stream(t.Context(), "OBJ_blobs")
	if err != nil {
		t.Fatal(err)
	}
	for seq := stream.CachedInfo().State.FirstSeq; seq <= stream.CachedInfo().State.LastSeq; seq++ {
		msg, err := stream.GetMsg(within(t, 10*time.Second), seq)
		if err != nil || msg.Subject != "$O.blobs.C."+blob.ID {
			continue // removed, or the meta message
		}
		index, err := strconv.Atoi(msg.Header.Get("Manta-Chunk"))
		if err != nil {
			t.Error(err)
		}
		order = append(order, index)
	}
	return order
}

func TestAStoreWithoutRoomSaysSoAndStaysUsable(t *testing.T) {
	for name, limit := range map[string]func(*testing.T, *server.Server) *bus.Bucket{
		"the server's memory": func(t *testing.T, srv *server.Server) *bus.Bucket { return openBucket(t, connectTo(t, srv)) },
		"the stream's limit": func(t *testing.T, srv *server.Server) *bus.Bucket {
			_, err := stockClient(t, srv).CreateObjectStore(t.Context(), jetstream.ObjectStoreConfig{
				Bucket: "blobs", Storage: jetstream.MemoryStorage, MaxBytes: 4 << 20,
			})
			if err != nil {
				t.Fatal(err)
			}
			return openBucket(t, connectTo(t, srv))
		},
	} {
		t.Run(name, func(t *testing.T) {
			bucket := limit(t, runServer(t, func(opts *server.Options) { opts.JetStreamMaxMemory = 6 << 20 }))
			kept, want := write(t, bucket, 2*chunk)
			blob := bucket.NewBlob("owner", 20*chunk)
			err := bucket.Write(within(t, 30*time.Second), blob, make([]byte, 20*chunk))
			if !errors.Is(err, bus.ErrFull) || !strings.Contains(err.Error(), blob.ID) || !strings.Contains(err.Error(), "raise") {
				t.Errorf("got %v, want ErrFull that names the blob and what to do", err)
			}
			if err := bucket.Delete(t.Context(), "name", blob); err != nil {
				t.Fatal(err)
			}
			if got, err := bucket.Read(within(t, 30*time.Second), kept, nil); err != nil || !bytes.Equal(got, want) {
				t.Errorf("another blob suffered: %d bytes, %v", len(got), err)
			}
			write(t, bucket, 3*chunk)
		})
	}
}

func TestAnUploadThatIsGivenUpLeavesTheWindowEmpty(t *testing.T) {
	srv := runServer(t)
	conn := connectConfigured(t, srv, func(cfg *bus.Config) { cfg.UploadWindow = 2 * chunk })
	bucket := openBucket(t, conn)
	for range 5 {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- bucket.Write(ctx, bucket.NewBlob("owner", 64*chunk), make([]byte, 64*chunk)) }()
		cancel()
		<-ended
	}
	write(t, bucket, 8*chunk)
}
