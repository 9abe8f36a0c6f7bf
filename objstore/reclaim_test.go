package objstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"testing"
	"time"

	"manta/bus"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

// These tests let go of refs by returning from a function that is not inlined: no stack slot holds one.

//go:noinline
func putAndDrop(t *testing.T, ctx context.Context) {
	r := objstore.Put(ctx, floats(mebibyte))
	if err := r.Stored(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestWhatNoRefNamesAnyMoreIsDeleted(t *testing.T) {
	c, bucket := start(t, 1)
	putAndDrop(t, c.Context(0))
	bucket.awaitEmpty()
}

func TestWhatNoRefNamesAnyMoreIsDeletedAlsoWhenItsUploadStillRan(t *testing.T) {
	c, bucket := start(t, 1)
	objstore.Put(c.Context(0), make([]byte, 16<<20))
	if err := c.Node(0).Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	bucket.awaitEmpty()
}

//go:noinline
func callAndDrop(t *testing.T, ctx context.Context) {
	argument := objstore.Put(ctx, floats(mebibyte))
	get(t, ctx, sums.On(ctx, argument))
	get(t, ctx, sums.Go(ctx, floats(mebibyte)))
	get(t, ctx, counts.Go(ctx, mebibyte))
}

func TestArgumentsAndResultsThatNoRefNamesAnyMoreAreDeleted(t *testing.T) {
	c, bucket := start(t, 2)
	callAndDrop(t, c.Context(0))
	bucket.awaitEmpty()
}

//go:noinline
func putAndWrite(t *testing.T, ctx context.Context) []byte {
	data, err := json.Marshal(objstore.Put(ctx, floats(mebibyte)))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestARefThatTravelledKeepsItsObject(t *testing.T) {
	c, _ := start(t, 2)
	data := putAndWrite(t, c.Context(0))
	for range 3 {
		runtime.GC()
	}
	var r objstore.Ref[[]float64]
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if len(get(t, c.Context(i), r)) != mebibyte {
			t.Errorf("node %d reads something else", i)
		}
	}
	if err := objstore.Free(c.Context(1), r); err != nil {
		t.Fatal(err)
	}
	wantFreed(t, c.Context(0), r)
}

func TestTheLargeResultOfACancelledCallIsDeleted(t *testing.T) {
	c, bucket := start(t, 2)
	started := make(chan struct{})
	holds.Store(-1, func(ctx context.Context) {
		close(started)
		<-ctx.Done()
	})
	ctx, cancel := context.WithCancel(c.Context(0))
	r := heldCounts.Go(ctx, -1)
	<-started
	cancel()
	if err := getError(t, c.Context(0), r); !errors.Is(err, task.ErrCancelled) {
		t.Errorf("got %v, want ErrCancelled", err)
	}
	if err := c.Node(0).Drain(t.Context()); err != nil { // waits for the function too
		t.Fatal(err)
	}
	bucket.awaitEmpty()
}

func TestAClosedNodeTakesItsBlobsAlong(t *testing.T) {
	c, bucket := start(t, 2)
	r := objstore.Put(c.Context(1), floats(mebibyte))
	if err := r.Stored(c.Context(1)); err != nil {
		t.Fatal(err)
	}
	putAndWrite(t, c.Context(1))
	if err := c.Node(1).Close(); err != nil {
		t.Fatal(err)
	}
	if used := bucket.usage(); used > 0 {
		t.Errorf("%d bytes are still in the bucket", used)
	}
	if err := getError(t, c.Context(0), r); !errors.Is(err, objstore.ErrOwnerDead) {
		t.Errorf("got %v, want ErrOwnerDead", err)
	}
}

func TestTheObjectsOfANodeThatLeavesFailPromptly(t *testing.T) {
	for name, leave := range map[string]func(*nodetest.Cluster, int){
		"closed": func(c *nodetest.Cluster, i int) { _ = c.Node(i).Close() },
		"killed": (*nodetest.Cluster).Kill,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := nodetest.Start(t, 2)
			kept, never := objstore.Put(c.Context(1), 1), promise[int](t, c.Context(1))
			waiting := make(chan error, 1)
			go func() {
				_, err := never.Get(c.Context(0))
				waiting <- err
			}()
			runtime.Gosched()
			left := time.Now()
			leave(c, 1)
			for what, err := range map[string]error{
				"a wait under way": <-waiting, "a later read": getError(t, c.Context(0), kept), "Free": objstore.Free(c.Context(0), kept),
			} {
				if !errors.Is(err, objstore.ErrOwnerDead) {
					t.Errorf("%s: got %v, want ErrOwnerDead", what, err)
				}
			}
			if took := time.Since(left); took > 6*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestReadsOnAClosedNodeEnd(t *testing.T) {
	c := nodetest.Start(t, 2)
	own, other := promise[int](t, c.Context(0)), promise[int](t, c.Context(1))
	ended := make(chan error, 3)
	go func() { _, err := own.Get(c.Context(0)); ended <- err }()
	go func() { _, err := other.Get(c.Context(0)); ended <- err }()
	go func() { _, err := other.Get(c.Node(0).Context(context.Background())); ended <- err }()
	if err := c.Node(0).Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := <-ended; !errors.Is(err, bus.ErrClosed) {
			t.Errorf("got %v, want ErrClosed", err)
		}
	}
	if err := objstore.Free(c.Node(0).Context(context.Background()), other.Ref); !errors.Is(err, bus.ErrClosed) {
		t.Errorf("Free: got %v, want ErrClosed", err)
	}
}

func TestAnOutcomeThatComesAgainLeavesTheBlobOfTheFirst(t *testing.T) {
	c, bucket := start(t, 1)
	ctx := c.Context(0)
	kept, stray := promise[[]float64](t, ctx), promise[[]float64](t, ctx)
	value, err := bus.Encode(floats(mebibyte))
	if err != nil {
		t.Fatal(err)
	}
	s := kept.store
	out := s.Seal(ctx, kept.object.ID(), value)
	s.Settle(kept.object, &out)
	s.Discard(kept.object.ID(), out)
	one := bucket.usage()
	s.Discard(stray.object.ID(), s.Seal(ctx, stray.object.ID(), value))
	bucket.awaitUsage(one)
	if got := get(t, ctx, kept.Ref); len(got) != mebibyte {
		t.Errorf("got %d numbers", len(got))
	}
}
