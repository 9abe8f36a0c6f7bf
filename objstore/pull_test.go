package objstore_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"manta/bus"
	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

// heldUploads plays the bucket's stream, and acknowledges nothing until it is told to.
type heldUploads struct {
	nc *nats.Conn

	mu      sync.Mutex
	waiting []*nats.Msg
	free    bool
	bytes   int // of the chunks that wait
	most    int // of them that ever waited
}

func (h *heldUploads) mostBytes() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.most
}

// holdUploads takes the place of the bucket's stream.
func holdUploads(t *testing.T, c *nodetest.Cluster) *heldUploads {
	t.Helper()
	h := &heldUploads{nc: c.Connect()}
	js, err := jetstream.New(h.nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(t.Context(), "OBJ_manta_default_objects"); err != nil {
		t.Fatal(err)
	}
	sub, err := h.nc.Subscribe("$O.manta_default_objects.>", func(msg *nats.Msg) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.waiting = append(h.waiting, msg)
		h.bytes += chunkBytes(msg)
		h.most = max(h.most, h.bytes)
		h.acknowledge()
	})
	if err == nil {
		err = errors.Join(sub.SetPendingLimits(-1, -1), h.nc.Flush())
	}
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// chunkBytes are the bytes that a message of the bucket takes of the upload window: a description takes none.
func chunkBytes(msg *nats.Msg) int {
	if strings.Contains(msg.Subject, ".M.") {
		return 0
	}
	return len(msg.Data)
}

func (h *heldUploads) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.free = true
	h.acknowledge()
}

func (h *heldUploads) acknowledge() {
	for ; h.free && len(h.waiting) > 0; h.waiting = h.waiting[1:] {
		h.bytes -= chunkBytes(h.waiting[0])
		_ = h.nc.Publish(h.waiting[0].Reply, fmt.Appendf(nil, `{"stream":"OBJ_x","seq":%d}`, time.Now().UnixNano()))
	}
}

func TestAReadDoesNotWaitForTheUpload(t *testing.T) {
	c := nodetest.Start(t, 2)
	h := holdUploads(t, c)
	want := floats(5*mebibyte + 1)
	r := objstore.Put(c.Context(0), want)
	if got := get(t, c.Context(1), r); !slices.Equal(got, want) {
		t.Errorf("%d numbers were read, other than the %d that were put", len(got), len(want))
	}
	stored := make(chan error, 2)
	for i := range 2 {
		go func() { stored <- r.Stored(c.Context(i)) }()
	}
	if s := c.Node(0).Stats().Objects; s.Uploads != 0 || s.GivenBytes < 5<<20 || len(stored) > 0 {
		t.Errorf("%+v, %d say that it is stored: want its bytes given, and no upload that has ended", s, len(stored))
	}
	h.release()
	for range 2 {
		if err := <-stored; err != nil {
			t.Errorf("Stored: %v", err)
		}
	}
}

func TestATaskElsewhereReadsItsArgumentWhileThatGoesUp(t *testing.T) {
	c := clientAndWorker(t)
	h := holdUploads(t, c)
	if got := get(t, c.Context(0), sums.On(c.Context(0), objstore.Put(c.Context(0), floats(mebibyte)))); got != sum(floats(mebibyte)) {
		t.Errorf("the sum is %v", got)
	}
	h.release()
}

// flip changes a bit of a chunk of what is in the bucket.
func flip(t *testing.T, c *nodetest.Cluster, chunk int) {
	t.Helper()
	js, err := jetstream.New(c.Connect())
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "OBJ_manta_default_objects")
	if err != nil {
		t.Fatal(err)
	}
	info, err := stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []*nats.Msg
	for seq := info.State.FirstSeq; seq <= info.State.LastSeq; seq++ {
		raw, err := stream.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		raw.Header.Del("Nats-Msg-Id") // or JetStream would take it for what it has stored
		all = append(all, &nats.Msg{Subject: raw.Subject, Header: raw.Header, Data: raw.Data})
	}
	all[chunk].Data[0] ^= 4
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, msg := range all {
		if _, err := js.PublishMsg(t.Context(), msg); err != nil {
			t.Fatal(err)
		}
	}
}

func TestADamagedChunkComesFromWhoHasTheValue(t *testing.T) {
	for i := range 3 {
		c := nodetest.Start(t, 2)
		want := floats(mebibyte + 1)
		r := objstore.Put(c.Context(0), want)
		if err := c.Node(0).Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		flip(t, c, i)
		if got := get(t, c.Context(1), r); !slices.Equal(got, want) {
			t.Errorf("chunk %d: other numbers were read", i)
		}
		c.Await("one chunk came from the owner", func() bool { return c.Node(0).Stats().Objects.GivenBytes == 512<<10 })
	}
}

func TestADamagedChunkOfAResultComesFromWhereItWasMade(t *testing.T) {
	c := clientAndWorker(t)
	r := counts.Go(c.Context(0), mebibyte)
	if _, _, err := objstore.Wait(c.Context(0), []objstore.Ref[[]float64]{r}, 1); err != nil {
		t.Fatal(err)
	}
	if err := c.Node(1).Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	flip(t, c, 1)
	if got := get(t, c.Context(0), r); !slices.Equal(got, floats(mebibyte)) {
		t.Error("other numbers were read")
	}
}

func TestADamagedChunkWithoutAnotherCopyIsAnErrorThatNamesIt(t *testing.T) {
	c := nodetest.Start(t, 2, nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly, cfg.CacheBytes = i == 0, 1 }))
	r := counts.With(task.Retries(0)).Go(c.Context(0), mebibyte)
	if _, _, err := objstore.Wait(c.Context(0), []objstore.Ref[[]float64]{r}, 1); err != nil {
		t.Fatal(err)
	}
	if err := c.Node(1).Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	flip(t, c, 1)
	err := getError(t, c.Context(0), r)
	if !errors.Is(err, objstore.ErrLost) || !errors.Is(err, bus.ErrChecksum) || !strings.Contains(err.Error(), "in chunk 1 of 2") ||
		!strings.Contains(err.Error(), "blob "+c.Node(0).ID()) {
		t.Errorf("got %v, want ErrLost that names the blob and the chunk", err)
	}
}

func TestAReaderThatLosesTheOwnerDuringTheUploadSaysSo(t *testing.T) {
	c := nodetest.Start(t, 2)
	holdUploads(t, c)
	r := objstore.Put(c.Context(0), floats(mebibyte))
	if _, _, err := objstore.Wait(c.Context(1), []objstore.Ref[[]float64]{r}, 1); err != nil { // it knows where to read
		t.Fatal(err)
	}
	c.Kill(0)
	err := getError(t, c.Context(1), r)
	if !errors.Is(err, objstore.ErrLost) || !errors.Is(err, objstore.ErrOwnerDead) || !strings.Contains(err.Error(), "upload") {
		t.Errorf("got %v, want ErrLost and ErrOwnerDead, during the upload", err)
	}
}

func TestAReaderThatLosesTheOwnerAfterTheUploadReadsTheBucket(t *testing.T) {
	c := nodetest.Start(t, 2)
	want := floats(16 * mebibyte)
	r := objstore.Put(c.Context(0), want)
	if _, _, err := objstore.Wait(c.Context(1), []objstore.Ref[[]float64]{r}, 1); err != nil {
		t.Fatal(err)
	}
	if err := c.Node(0).Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Kill(0)
	if got := get(t, c.Context(1), r); !slices.Equal(got, want) {
		t.Error("other numbers were read")
	}
}

func TestWhatIsFreedWhileItIsReadFailsAsFreed(t *testing.T) {
	c := nodetest.Start(t, 2)
	holdUploads(t, c)
	r := objstore.Put(c.Context(0), floats(2*mebibyte))
	if _, _, err := objstore.Wait(c.Context(1), []objstore.Ref[[]float64]{r}, 1); err != nil { // it knows where to read
		t.Fatal(err)
	}
	c.Pause(1) // what it asks for comes to the owner only afterwards
	ended, told := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := r.Get(c.Context(1))
		ended <- err
	}()
	go func() { told <- objstore.Free(c.Context(0), r) }() // it returns once the reader knows
	c.Await("it is freed at its owner", func() bool {
		_, err := r.Get(c.Context(0))
		return errors.Is(err, objstore.ErrFreed)
	})
	c.Resume(1)
	if err := <-ended; !errors.Is(err, objstore.ErrFreed) {
		t.Errorf("got %v, want ErrFreed", err)
	}
	<-told // there is no stream to delete from: it is played
}

func TestAPutThatHasNoRoomFailsAndTheStoreStaysUsable(t *testing.T) {
	c, bucket := start(t, 2)
	js, err := jetstream.New(c.Connect())
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "OBJ_manta_default_objects")
	if err != nil {
		t.Fatal(err)
	}
	cfg := stream.CachedInfo().Config
	cfg.MaxBytes = 4 << 20
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	large := objstore.Put(c.Context(0), floats(8*mebibyte))
	for what, err := range map[string]error{
		"Stored": large.Stored(c.Context(0)), "a read here": getError(t, c.Context(0), large),
		"Stored elsewhere": large.Stored(c.Context(1)), "a read elsewhere": getError(t, c.Context(1), large),
	} {
		if !errors.Is(err, objstore.ErrFull) {
			t.Errorf("%s: got %v, want ErrFull", what, err)
		}
	}
	bucket.awaitEmpty() // although the ref is held
	small := objstore.Put(c.Context(0), floats(2*mebibyte))
	if err := small.Stored(c.Context(0)); err != nil {
		t.Error(err)
	}
	if len(get(t, c.Context(1), small)) != 2*mebibyte || len(get(t, c.Context(1), objstore.Put(c.Context(0), "x"))) != 1 {
		t.Error("other objects suffered")
	}
	if err := objstore.Free(c.Context(0), large); err != nil {
		t.Error(err)
	}
	wantFreed(t, c.Context(0), large)
}
