package objstore_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"manta/bus"
	"manta/internal/member"
	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
)

// patience bounds what must come, and comes much sooner unless something is broken.
const patience = 20 * time.Second

// mebibyte of float64s: large enough for the bucket.
const mebibyte = 1 << 20 / 8

// floats returns n numbers of which every one is different.
func floats(n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = float64(i)
	}
	return v
}

// start starts a cluster together with what a stock NATS client sees of its objects.
func start(t *testing.T, n int, opts ...nodetest.Option) (*nodetest.Cluster, stock) {
	t.Helper()
	var inside []nats.Option
	c := nodetest.Start(t, n, append(opts, nodetest.Configure(func(i int, cfg *node.Config) {
		if i == 0 {
			inside = cfg.Options
		}
	}))...)
	nc, err := nats.Connect(nats.DefaultURL, inside...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := js.ObjectStore(t.Context(), "manta_default_objects")
	if err != nil {
		t.Fatal(err)
	}
	return c, stock{t, bucket}
}

// stock is a nats.go client of the bucket, which knows nothing of Manta.
type stock struct {
	t      *testing.T
	bucket jetstream.ObjectStore
}

// usage is how many bytes the bucket holds.
func (s stock) usage() uint64 {
	s.t.Helper()
	status, err := s.bucket.Status(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return status.Size()
}

// awaitEmpty waits until nothing is left in the bucket.
func (s stock) awaitEmpty() {
	s.t.Helper()
	s.awaitUsage(0)
}

// awaitUsage waits until the bucket holds at most so many bytes. Nobody is told of that, so it asks again and again.
func (s stock) awaitUsage(most uint64) {
	s.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); s.usage() > most; <-tick.C {
		if time.Now().After(deadline) {
			s.t.Fatalf("%d bytes are still in the bucket", s.usage())
		}
		runtime.GC()
	}
}

// promised is a ref that has a value when the test says so.
type promised[T any] struct {
	objstore.Ref[T]
	store  *objstore.Store
	object *objstore.Object
}

func promise[T any](t *testing.T, ctx context.Context) promised[T] {
	t.Helper()
	scope, err := member.FromContext(ctx)
	if err != nil {
		t.Fatal(err)
	}
	store := objstore.StoreOf(scope.Node)
	object := store.Promise()
	return promised[T]{objstore.RefTo[T](object), store, object}
}

func (p promised[T]) keep(t *testing.T, v T) {
	t.Helper()
	value, err := bus.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	p.store.Settle(p.object, &objstore.Outcome{Value: value})
}

func (p promised[T]) fail(err error) { p.store.Settle(p.object, &objstore.Outcome{Err: err}) }

// get reads a ref that must have a value.
func get[T any](t *testing.T, ctx context.Context, r objstore.Ref[T]) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	v, err := r.Get(ctx)
	if err != nil {
		t.Fatalf("reading %v: %v", r, err)
	}
	return v
}

// getError reads a ref that must have failed, or fail soon.
func getError[T any](t *testing.T, ctx context.Context, r objstore.Ref[T]) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := r.Get(ctx); err != nil {
		return err
	}
	t.Fatalf("reading %v: got a value, want an error", r)
	return nil
}

// announced returns a ctx like the one of a running task, and a channel that is closed once somebody waits in it.
func announced(t *testing.T, ctx context.Context) (context.Context, <-chan struct{}) {
	t.Helper()
	scope, err := member.FromContext(ctx)
	if err != nil {
		t.Fatal(err)
	}
	w := announcer{waits: make(chan struct{}), once: new(sync.Once)}
	return member.NewContext(ctx, &member.Scope{Node: scope.Node, Work: w}), w.waits
}

type announcer struct {
	waits chan struct{}
	once  *sync.Once
}

func (w announcer) Block()   { w.once.Do(func() { close(w.waits) }) }
func (w announcer) Unblock() {}
