package objstore_test

import (
	"context"
	"errors"
	"testing"

	"manta/node/nodetest"
	"manta/objstore"
)

func wantFreed[T any](t *testing.T, ctx context.Context, r objstore.Ref[T]) {
	t.Helper()
	if err := getError(t, ctx, r); !errors.Is(err, objstore.ErrFreed) {
		t.Errorf("got %v, want ErrFreed", err)
	}
}

func TestAFreedObjectIsGoneOnEveryNode(t *testing.T) {
	c, bucket := start(t, 3)
	for name, value := range map[string][]float64{"small": floats(1), "large": floats(mebibyte)} {
		for freer := range 3 {
			r := objstore.Put(c.Context(0), value)
			for reader := range 2 { // node 2 never asked for it
				get(t, c.Context(reader), r)
			}
			for range 2 { // the second time is no error
				if err := objstore.Free(c.Context(freer), r); err != nil {
					t.Fatalf("a %s one, by node %d: %v", name, freer, err)
				}
			}
			for i := range 3 {
				wantFreed(t, c.Context(i), r)
			}
			if err := r.Stored(c.Context(1)); !errors.Is(err, objstore.ErrFreed) {
				t.Errorf("Stored: got %v, want ErrFreed", err)
			}
			if used := bucket.usage(); used > 0 {
				t.Errorf("%d bytes are still in the bucket", used)
			}
		}
	}
}

func TestFreeTakesRefsOfSeveralTypes(t *testing.T) {
	c := nodetest.Start(t, 1)
	number, text := objstore.Put(c.Context(0), 1), objstore.Put(c.Context(0), "x")
	if err := objstore.Free(c.Context(0), number.Any(), text.Any()); err != nil {
		t.Fatal(err)
	}
	wantFreed(t, c.Context(0), number)
	wantFreed(t, c.Context(0), text)
}

func TestFreeEndsAnUploadUnderWay(t *testing.T) {
	c, bucket := start(t, 2)
	for freer := range 2 {
		r := objstore.Put(c.Context(0), make([]byte, 64<<20))
		if err := objstore.Free(c.Context(freer), r); err != nil {
			t.Fatal(err)
		}
		wantFreed(t, c.Context(1), r)
		bucket.awaitEmpty()
	}
	if s := c.Node(1).Stats().Objects; s.Downloads > 0 {
		t.Errorf("%+v, want no download", s)
	}
}

func TestFreeEndsTheWaitForAValueThatIsYetToCome(t *testing.T) {
	c := nodetest.Start(t, 2)
	p := promise[int](t, c.Context(0))
	ended := make(chan error, 2)
	for i := range 2 {
		go func() {
			_, err := p.Get(c.Context(i))
			ended <- err
		}()
	}
	if err := objstore.Free(c.Context(0), p.Ref); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-ended; !errors.Is(err, objstore.ErrFreed) {
			t.Errorf("got %v, want ErrFreed", err)
		}
	}
	p.keep(t, 1)
	wantFreed(t, c.Context(0), p.Ref)
}

func TestTheLargeResultOfAFreedCallIsDeleted(t *testing.T) {
	c, bucket := start(t, 2)
	for i := range 2 {
		started, release := make(chan struct{}), make(chan struct{})
		holds.Store(i, func(context.Context) { close(started); <-release })
		r := heldCounts.Go(c.Context(0), i)
		<-started
		if err := objstore.Free(c.Context(0), r); err != nil {
			t.Fatal(err)
		}
		close(release)
		wantFreed(t, c.Context(0), r)
		if err := c.Node(0).Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	bucket.awaitEmpty()
}

func TestWhatIsFreedCannotBeAnArgument(t *testing.T) {
	c := nodetest.Start(t, 1)
	r := objstore.Put(c.Context(0), floats(mebibyte))
	if err := objstore.Free(c.Context(0), r); err != nil {
		t.Fatal(err)
	}
	wantFreed(t, c.Context(0), sums.On(c.Context(0), r))
}
