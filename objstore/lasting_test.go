package objstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

// bySize are values of both kinds: those that are in the record and those that have a blob.
var bySize = map[string][]float64{"small": floats(3), "large": floats(mebibyte + 1)}

// lasting puts a durable object, which must be stored.
func lasting[T any](t *testing.T, ctx context.Context, v T, opts ...objstore.Option) objstore.Ref[T] {
	t.Helper()
	r := objstore.Put(ctx, v, append(opts, objstore.Durable())...)
	if err := r.Stored(ctx); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestADurableObjectIsReadAfterItsOwnersDeathAndUntilSomebodyFreesIt(t *testing.T) {
	for name, value := range bySize {
		t.Run(name, func(t *testing.T) {
			nodetest.Virtual(t, func(t *testing.T) {
				c, bucket := start(t, 4)
				r := objstore.Put(c.Context(1), value, objstore.Durable())
				c.Kill(1)
				if got := get(t, c.Context(0), r); !slices.Equal(got, value) {
					t.Error("other numbers were read")
				}
				time.Sleep(3 * time.Minute) // virtual: what it owned is purged twice
				if got := get(t, c.Context(2), r); !slices.Equal(got, value) {
					t.Error("other numbers were read three minutes later")
				}
				if _, err := bucket.bucket.GetBytes(t.Context(), r.ID().String()); len(value) > mebibyte && err != nil {
					t.Errorf("a stock client: %v", err)
				}
				if err := objstore.Free(c.Context(3), r); err != nil {
					t.Fatal(err)
				}
				c.Await("those who have read it know", func() bool {
					_, here := r.Get(c.Context(0))
					_, there := r.Get(c.Context(2))
					return errors.Is(here, objstore.ErrFreed) && errors.Is(there, objstore.ErrFreed)
				})
				wantFreed(t, c.Context(3), r)
				c.Add()
				wantFreed(t, c.Context(4), r)
				if err := objstore.Free(c.Context(0), r); err != nil {
					t.Errorf("the second time: %v", err)
				}
				bucket.awaitEmpty()
			})
		})
	}
}

func TestADurableObjectIsReadWhereItWasPutWithoutBeingFetched(t *testing.T) {
	c := nodetest.Start(t, 1)
	v := floats(mebibyte)
	r := lasting(t, c.Context(0), v)
	if got := get(t, c.Context(0), r); &got[0] != &v[0] {
		t.Error("it was copied")
	}
	if s := c.Node(0).Stats().Objects; s.Downloads > 0 {
		t.Errorf("%+v, want no download", s)
	}
}

func TestTheRefOfADurableObjectIsKeptAsText(t *testing.T) {
	c := nodetest.Start(t, 1)
	text, err := json.Marshal(lasting(t, c.Context(0), "x"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Node(0).Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Node(0).Close(); err != nil {
		t.Fatal(err)
	}
	c.Add()
	var r objstore.Ref[string]
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if got := get(t, c.Context(1), r); got != "x" {
		t.Errorf("got %q", got)
	}
}

func TestADurableObjectWithATTLIsGoneWhenItIsOver(t *testing.T) {
	for name, value := range bySize {
		t.Run(name, func(t *testing.T) {
			nodetest.Virtual(t, func(t *testing.T) {
				c, bucket := start(t, 3)
				r := lasting(t, c.Context(0), value, objstore.TTL(20*time.Second))
				time.Sleep(18 * time.Second) // virtual
				get(t, c.Context(0), r)
				get(t, c.Context(1), r)
				time.Sleep(4 * time.Second) // virtual
				wantFreed(t, c.Context(0), r)
				if err := getError(t, c.Context(2), r); !errors.Is(err, objstore.ErrExpired) {
					t.Errorf("got %v, want ErrExpired", err)
				}
				time.Sleep(time.Minute + 2*time.Second) // virtual
				bucket.awaitEmpty()
			})
		})
	}
}

func TestADurableObjectForWhichThereIsNoRoomFailsAndNothingIsLeftOfIt(t *testing.T) {
	c, bucket := start(t, 1, nodetest.Configure(func(_ int, cfg *node.Config) { cfg.ObjectQuota = 2 << 20 }))
	ctx := c.Context(0)
	large := objstore.Put(ctx, floats(3*mebibyte), objstore.Durable())
	for what, err := range map[string]error{"Stored": large.Stored(ctx), "a read": getError(t, ctx, large)} {
		if !errors.Is(err, objstore.ErrFull) {
			t.Errorf("%s: got %v, want ErrFull", what, err)
		}
	}
	bucket.awaitEmpty()
	small := lasting(t, ctx, 7) // the bucket of records is there now
	js, err := jetstream.New(c.Connect())
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "KV_manta_default_results")
	if err != nil {
		t.Fatal(err)
	}
	limited := stream.CachedInfo().Config
	limited.MaxBytes = 1
	if _, err := js.UpdateStream(t.Context(), limited); err != nil {
		t.Fatal(err)
	}
	err = objstore.Put(ctx, floats(1000), objstore.Durable()).Stored(ctx)
	if !errors.Is(err, objstore.ErrFull) || !strings.Contains(err.Error(), "manta_default_results") {
		t.Errorf("a small one: got %v, want ErrFull that names the bucket", err)
	}
	get(t, ctx, small)
	if err := objstore.Free(ctx, small); err != nil {
		t.Errorf("freeing what takes the room: %v", err)
	}
	c.Add()
	wantFreed(t, c.Context(1), small)
}

func TestADurablePutWhoseCtxEndsFailsWithItsCauseAndNothingIsLeftOfIt(t *testing.T) {
	c, bucket := start(t, 1)
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(c.Context(0))
	cancel(why)
	for name, value := range bySize {
		if err := getError(t, c.Context(0), objstore.Put(ctx, value, objstore.Durable())); !errors.Is(err, why) {
			t.Errorf("a %s one: got %v, want the cause", name, err)
		}
	}
	bucket.awaitEmpty()
}

func TestATaskLendsItsCPUsWhileItPutsADurableObject(t *testing.T) {
	c := nodetest.Start(t, 1)
	ctx, waits := announced(t, c.Context(0))
	lasting(t, ctx, 1)
	select {
	case <-waits:
	default:
		t.Error("it did not")
	}
}

type holder struct{ Inner objstore.Ref[int] }

func TestADurableObjectHoldsNoRefWhoseObjectEndsBeforeIt(t *testing.T) {
	c := nodetest.Start(t, 2)
	mortal := objstore.Put(c.Context(0), 1)
	err := getError(t, c.Context(0), objstore.Put(c.Context(0), holder{mortal}, objstore.Durable()))
	if !strings.Contains(err.Error(), mortal.ID().String()) || !strings.Contains(err.Error(), "objstore.Durable()") {
		t.Errorf("got %v, want the ref, and what to do", err)
	}
	outer := lasting(t, c.Context(0), holder{lasting(t, c.Context(0), 7)})
	if err := c.Node(0).Close(); err != nil {
		t.Fatal(err)
	}
	if got := get(t, c.Context(1), get(t, c.Context(1), outer).Inner); got != 7 {
		t.Errorf("got %d", got)
	}
}

func TestADurableObjectIsAnArgumentOfAnyTask(t *testing.T) {
	c := clientAndWorker(t)
	for name, value := range bySize {
		r := lasting(t, c.Context(0), value)
		for how, f := range map[string]task.Func[[]float64, float64]{"an ordinary": sums, "a durable": sums.With(task.Durable())} {
			if got := get(t, c.Context(0), f.On(c.Context(0), r)); got != sum(value) {
				t.Errorf("a %s one, %s task: the sum is %v", name, how, got)
			}
		}
	}
}

func TestADamagedChunkOfADurableObjectComesFromWhoPutIt(t *testing.T) {
	c := nodetest.Start(t, 2)
	want := floats(mebibyte + 1)
	r := lasting(t, c.Context(0), want)
	flip(t, c, 1)
	if got := get(t, c.Context(1), r); !slices.Equal(got, want) {
		t.Error("other numbers were read")
	}
}

func TestADurableObjectWhoseBytesAreGoneIsLost(t *testing.T) {
	c := nodetest.Start(t, 2)
	r := lasting(t, c.Context(0), floats(mebibyte))
	if err := c.Node(0).Close(); err != nil {
		t.Fatal(err)
	}
	flip(t, c, 1)
	if err := getError(t, c.Context(1), r); !errors.Is(err, objstore.ErrLost) {
		t.Errorf("got %v, want ErrLost", err)
	}
}
