package objstore_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"manta/node"
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

// A reader that can read neither the bucket nor the maker's memory asks the owner for a chunk each time. This is its last try.
func TestWhatIsFreedDuringTheLastTryToReadItFailsAsFreed(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := nodetest.Start(t, 3, nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly, cfg.CacheBytes = i != 1, 1 }))
		r := counts.Go(c.Context(0), mebibyte)
		for _, i := range []int{0, 2} { // they know where it is
			if _, _, err := objstore.Wait(c.Context(i), []objstore.Ref[[]float64]{r}, 1); err != nil {
				t.Fatal(err)
			}
		}
		nc := c.Connect()
		js, err := jetstream.New(nc)
		if err == nil {
			err = js.DeleteStream(t.Context(), "OBJ_manta_default_objects")
		}
		if err != nil {
			t.Fatal(err)
		}
		tries := make(chan struct{}, 3)
		for subject, hear := range map[string]nats.MsgHandler{
			"$JS.API.DIRECT.GET.OBJ_manta_default_objects":           func(*nats.Msg) {}, // in silence
			"manta.default.node." + c.Node(0).ID() + ".object.chunk": func(*nats.Msg) { tries <- struct{}{} },
		} {
			if _, err := nc.Subscribe(subject, hear); err != nil {
				t.Fatal(err)
			}
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		c.Pause(1)
		ended := make(chan error, 1)
		go func() {
			_, err := r.Get(c.Context(2))
			ended <- err
		}()
		for range 3 {
			<-tries
		}
		synctest.Wait()                    // the owner has said that the maker may have it
		_ = objstore.Free(c.Context(0), r) // there is no stream to delete from
		if err := <-ended; !errors.Is(err, objstore.ErrFreed) {
			t.Errorf("got %v, want ErrFreed", err)
		}
		c.Resume(1)
	})
}
