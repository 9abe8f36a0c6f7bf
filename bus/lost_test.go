package bus_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"manta/bus"
)

func TestATableOutlivesItsBucket(t *testing.T) {
	srv := runServer(t)
	stock := stockClient(t, srv)
	for _, test := range []struct {
		name string
		use  func(context.Context, *bus.Table) error
		want error
	}{
		{"Put", func(ctx context.Context, table *bus.Table) error {
			_, err := table.Put(ctx, "a", nil)
			return err
		}, nil},
		{"Create", func(ctx context.Context, table *bus.Table) error {
			_, err := table.Create(ctx, "a", nil, time.Minute)
			return err
		}, nil},
		{"Get", func(ctx context.Context, table *bus.Table) error {
			_, err := table.Get(ctx, "a")
			return err
		}, bus.ErrNotFound},
		{"Look", func(ctx context.Context, table *bus.Table) error {
			e, err := table.Look(ctx, "a")
			if !e.Gone || e.Revision != 0 {
				t.Errorf("found %+v", e)
			}
			return err
		}, nil},
		{"All", func(ctx context.Context, table *bus.Table) error {
			_, err := table.All(ctx)
			return err
		}, nil},
		{"Replace", func(ctx context.Context, table *bus.Table) error {
			_, err := table.Replace(ctx, "a", nil, 1)
			return err
		}, bus.ErrChanged},
		{"Renew", func(ctx context.Context, table *bus.Table) error {
			_, err := table.Renew(ctx, "a", nil, 1, time.Minute)
			return err
		}, bus.ErrChanged},
		{"Renew of nothing", func(ctx context.Context, table *bus.Table) error {
			_, err := table.Renew(ctx, "a", nil, 0, time.Minute)
			return err
		}, nil},
		{"Delete", func(ctx context.Context, table *bus.Table) error { return table.Delete(ctx, "a") }, nil},
		{"DeleteRevision", func(ctx context.Context, table *bus.Table) error { return table.DeleteRevision(ctx, "a", 1) }, bus.ErrChanged},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx := within(t, 30*time.Second)
			table := openTable(t, connectTo(t, srv))
			if _, err := table.Put(ctx, "a", nil); err != nil {
				t.Fatal(err)
			}
			if err := stock.DeleteKeyValue(ctx, "records"); err != nil {
				t.Fatal(err)
			}
			if err := test.use(ctx, table); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if _, err := table.Put(ctx, "b", nil); err != nil {
				t.Errorf("then: %v", err)
			}
		})
	}
}

func TestAWatchTellsWhenItsBucketIsGone(t *testing.T) {
	t.Parallel() // nats.go takes 10 s to find out
	srv := runServer(t, atPort(server.RANDOM_PORT))
	conn := dial(t, srv)
	table := openTable(t, conn)
	watch, err := table.Watch(t.Context(), func(bus.Entry) {})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	select {
	case <-watch.Ended():
		t.Fatal("it has ended already")
	default:
	}
	again := make(chan struct{}, 1)
	conn.OnReconnect(func() { again <- struct{}{} })
	restart(t, srv)
	receive(t, again)
	// nats.go misses the heartbeats of the consumer behind the watch, asks for another, and is told that there is no stream.
	select {
	case <-watch.Ended():
	case <-time.After(time.Minute):
		t.Fatal("it goes on without a bucket")
	}
	seen := make(chan bus.Entry, 1)
	fresh, err := table.Watch(t.Context(), func(e bus.Entry) { seen <- e })
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Stop()
	if _, err := table.Put(t.Context(), "a", nil); err != nil {
		t.Fatal(err)
	}
	receive(t, seen)
}

func TestAWatchOfSomeKeysSeesNoOthers(t *testing.T) {
	table, ctx := openTable(t, connect(t)), within(t, 30*time.Second)
	for _, key := range []string{"a", "b", "c", "d"} {
		if _, err := table.Put(ctx, key, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := table.Delete(ctx, "c"); err != nil {
		t.Fatal(err)
	}
	seen := make(chan bus.Entry, 10)
	keys := []string{"a", "c"}
	watch, err := table.Watch(ctx, func(e bus.Entry) { seen <- e }, keys...)
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	if keys[0] != "a" || keys[1] != "c" {
		t.Errorf("it wrote into the caller's keys: %q", keys)
	}
	for _, key := range []string{"b", "a"} {
		if _, err := table.Put(ctx, key, []byte("new")); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"a ", "c  gone", "a new"} {
		e := receive(t, seen)
		got := e.Key + " " + string(e.Value)
		if e.Gone {
			got += " gone"
		}
		if got != want {
			t.Errorf("saw %q, want %q", got, want)
		}
	}
}

func TestLookTellsAMarkerFromNothing(t *testing.T) {
	table, ctx := openTable(t, connect(t)), within(t, 30*time.Second)
	if e, err := table.Look(ctx, "a"); err != nil || !e.Gone || e.Revision != 0 {
		t.Errorf("of nothing: %+v, %v", e, err)
	}
	revision, err := table.Put(ctx, "a", []byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	if e, err := table.Look(ctx, "a"); err != nil || e.Gone || e.Revision != revision || string(e.Value) != "1" {
		t.Errorf("of a record: %+v, %v", e, err)
	}
	if err := table.Delete(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	marker, err := table.Look(ctx, "a")
	if err != nil || !marker.Gone || marker.Revision <= revision {
		t.Fatalf("of a marker: %+v, %v", marker, err)
	}
	if _, err := table.Renew(ctx, "a", nil, marker.Revision, time.Minute); err != nil {
		t.Errorf("the marker's revision is not that of the key: %v", err)
	}
}
