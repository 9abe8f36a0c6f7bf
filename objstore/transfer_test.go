package objstore_test

import (
	"bytes"
	"context"
	"sync"
	"testing"

	"manta/bus"
	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
)

func TestALargeObjectGoesUpOnceAndDownOnceANode(t *testing.T) {
	c := nodetest.Start(t, 3)
	data := objstore.Put(c.Context(0), floats(2*mebibyte))
	want := sum(floats(2 * mebibyte))
	var readers sync.WaitGroup
	for i := range 30 {
		readers.Go(func() {
			if v := get(t, c.Context(i%3), data); sum(v) != want {
				t.Errorf("reader %d: the sum is %v, want %v", i, sum(v), want)
			}
		})
	}
	readers.Go(func() {
		var refs []objstore.Ref[float64]
		for range 30 {
			refs = append(refs, sums.On(c.Context(0), data))
		}
		for _, got := range getAll(t, c.Context(0), refs) {
			if got != want {
				t.Errorf("a task: the sum is %v, want %v", got, want)
			}
		}
	})
	readers.Wait()
	if err := data.Stored(c.Context(0)); err != nil { // they may have read it before
		t.Fatal(err)
	}
	for i := range 3 {
		up, down := int64(0), int64(1)
		if i == 0 {
			up, down = 1, 0 // the owner reads its own
		}
		s := c.Node(i).Stats().Objects
		if s.Uploads != up || s.Downloads != down {
			t.Errorf("node %d: %d uploads, %d downloads, want %d and %d", i, s.Uploads, s.Downloads, up, down)
		}
		if s.UploadedBytes != up*2<<20 || s.DownloadedBytes != down*2<<20 {
			t.Errorf("node %d: %+v bytes", i, s)
		}
	}
}

func getAll[T any](t *testing.T, ctx context.Context, refs []objstore.Ref[T]) []T {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	values, err := objstore.GetAll(ctx, refs)
	if err != nil {
		t.Error(err)
	}
	return values
}

func TestManyPutsAtOnceKeepWithinTheUploadWindowOfTheirNode(t *testing.T) {
	const puts, window = 50, 1 << 20
	c := nodetest.Start(t, 1, nodetest.Configure(func(_ int, cfg *node.Config) { cfg.UploadWindow = window }))
	h := holdUploads(t, c)
	var refs []objstore.Ref[[]float64]
	for range puts {
		refs = append(refs, objstore.Put(c.Context(0), floats(mebibyte)))
	}
	c.Await("the window is full", func() bool { return h.mostBytes() >= window })
	h.release()
	for _, r := range refs {
		if err := r.Stored(c.Context(0)); err != nil {
			t.Error(err)
		}
	}
	if most := h.mostBytes(); most != window {
		t.Errorf("%d bytes were unacknowledged at once, want the window's %d", most, window)
	}
}

func TestALargeResultIsReadInPlaceWhereItWasMade(t *testing.T) {
	c := clientAndWorker(t)
	v := counts.Go(c.Context(0), mebibyte)
	for range 3 {
		if got := get(t, c.Context(0), sums.On(c.Context(0), v)); got != sum(floats(mebibyte)) {
			t.Errorf("the sum is %v", got)
		}
	}
	if s := c.Node(1).Stats().Objects; s.Uploads != 1 || s.Downloads != 0 {
		t.Errorf("where it was made: %+v, want one upload and no download", s)
	}
	if len(get(t, c.Context(0), v)) != mebibyte {
		t.Error("its owner reads something else")
	}
	if s := c.Node(0).Stats().Objects; s.Uploads != 0 || s.Downloads != 1 {
		t.Errorf("at its owner: %+v, want one download", s)
	}
}

func TestSmallValuesNeverGoToTheBucket(t *testing.T) {
	c, bucket := start(t, 2)
	r := objstore.Put(c.Context(0), make([]byte, objstore.InlineLimit))
	if len(get(t, c.Context(1), r)) != objstore.InlineLimit {
		t.Error("it changed its size")
	}
	if s := c.Node(1).Stats().Objects; bucket.usage() > 0 || s != (objstore.Stats{Held: s.Held}) {
		t.Errorf("%d bytes are in the bucket, %+v", bucket.usage(), s)
	}
}

func TestAStockClientReadsABlob(t *testing.T) {
	c, bucket := start(t, 1)
	data := bytes.Repeat([]byte("0123456789"), 200_000)
	r := objstore.Put(c.Context(0), data)
	if err := c.Node(0).Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := bucket.bucket.GetBytes(t.Context(), r.ID().String())
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

func TestStoredWaitsForTheBucket(t *testing.T) {
	c, bucket := start(t, 2)
	ctx := c.Context(0)
	large := objstore.Put(ctx, floats(mebibyte))
	if err := large.Stored(ctx); err != nil || bucket.usage() < 1<<20 {
		t.Errorf("a large value: %v, %d bytes are in the bucket", err, bucket.usage())
	}
	if err := large.Stored(c.Context(1)); err != nil {
		t.Errorf("a large value of another node: %v", err)
	}
	if err := objstore.Put(ctx, 1).Stored(ctx); err != nil {
		t.Errorf("a small value: %v", err)
	}
	if err := objstore.Put(ctx, make(chan int)).Stored(ctx); err == nil {
		t.Error("a value that cannot be encoded is stored")
	}
	p := promise[int](t, ctx)
	stored := make(chan error, 1)
	go func() { stored <- p.Stored(ctx) }()
	p.keep(t, 1)
	if err := <-stored; err != nil {
		t.Errorf("a value that comes later: %v", err)
	}
}

func TestTheCacheForgetsWhatWasReadLongestAgo(t *testing.T) {
	c := nodetest.Start(t, 2, nodetest.Configure(func(_ int, cfg *node.Config) { cfg.CacheBytes = 3 << 20 }))
	var refs []objstore.Ref[[]float64]
	for range 4 {
		refs = append(refs, objstore.Put(c.Context(0), floats(mebibyte)))
	}
	read := func(i int, downloads int64) {
		t.Helper()
		if len(get(t, c.Context(1), refs[i])) != mebibyte {
			t.Errorf("object %d changed its size", i)
		}
		if got := c.Node(1).Stats().Objects.Downloads; got != downloads {
			t.Errorf("after reading object %d: %d downloads, want %d", i, got, downloads)
		}
	}
	for i, downloads := range []int64{1, 2, 3, 4} {
		read(i, downloads)
	}
	read(1, 4)
	read(0, 5) // takes the place of 2
	read(1, 5)
	read(2, 6)
}

func TestAnObjectLargerThanTheCacheIsReadAllTheSame(t *testing.T) {
	c := nodetest.Start(t, 2, nodetest.Configure(func(_ int, cfg *node.Config) { cfg.CacheBytes = 1 }))
	r := objstore.Put(c.Context(0), floats(mebibyte))
	for range 2 {
		if len(get(t, c.Context(1), r)) != mebibyte {
			t.Error("it changed its size")
		}
	}
}

func TestALargePutOnAClosedNodeFailsAsClosed(t *testing.T) {
	c := nodetest.Start(t, 1)
	ctx := c.Context(0)
	if err := c.Node(0).Close(); err != nil {
		t.Fatal(err)
	}
	r := objstore.Put(ctx, floats(mebibyte))
	if _, err := r.Get(c.Node(0).Context(t.Context())); err != bus.ErrClosed { //nolint:errorlint // this very one
		t.Errorf("got %v, want ErrClosed", err)
	}
}
