package bus_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"manta/bus"
)

func openTable(t *testing.T, conn *bus.Conn) *bus.Table {
	t.Helper()
	table, err := conn.OpenTable(within(t, 30*time.Second), "records")
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestARecordIsReadAsItWasWritten(t *testing.T) {
	table, ctx := openTable(t, connect(t)), t.Context()
	if _, err := table.Get(ctx, "a"); !errors.Is(err, bus.ErrNotFound) {
		t.Fatalf("Get of nothing: %v, want ErrNotFound", err)
	}
	first, err := table.Put(ctx, "a", []byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := table.Put(ctx, "a", []byte("2"))
	if err != nil || second <= first {
		t.Fatalf("revision %d follows %d, %v", second, first, err)
	}
	entry, err := table.Get(ctx, "a")
	if err != nil || entry.Key != "a" || string(entry.Value) != "2" || entry.Revision != second || entry.Gone {
		t.Errorf("got %+v, %v", entry, err)
	}
}

func TestOnlyOneCanCreateAKey(t *testing.T) {
	table, ctx := openTable(t, connect(t)), t.Context()
	const racers = 8
	results := make(chan error, racers)
	for range racers {
		go func() {
			_, err := table.Create(ctx, "a", []byte("x"), 0)
			results <- err
		}()
	}
	created := 0
	for range racers {
		switch err := receive(t, results); {
		case err == nil:
			created++
		case !errors.Is(err, bus.ErrExists):
			t.Errorf("got %v, want ErrExists", err)
		}
	}
	if created != 1 {
		t.Errorf("%d created the key", created)
	}
}

func TestADeletedKeyIsFreeAgain(t *testing.T) {
	table, ctx := openTable(t, connect(t)), t.Context()
	if _, err := table.Create(ctx, "a", nil, 0); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing to delete
		if err := table.Delete(ctx, "a"); err != nil {
			t.Fatal(err)
		}
		if _, err := table.Get(ctx, "a"); !errors.Is(err, bus.ErrNotFound) {
			t.Fatalf("Get of a deleted key: %v, want ErrNotFound", err)
		}
	}
	if _, err := table.Create(ctx, "a", nil, 0); err != nil {
		t.Errorf("Create of a deleted key: %v", err)
	}
}

func TestARecordIsRenewedOnlyInTheRevisionThatIsNamed(t *testing.T) {
	table, ctx := openTable(t, connect(t)), t.Context()
	first, err := table.Create(ctx, "a", []byte("1"), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	second, err := table.Renew(ctx, "a", []byte("2"), first, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Renew(ctx, "a", []byte("3"), first, time.Minute); err == nil {
		t.Error("a revision that has passed was renewed")
	}
	if entry, err := table.Get(ctx, "a"); err != nil || string(entry.Value) != "2" || entry.Revision != second {
		t.Errorf("got %+v, %v", entry, err)
	}
}

func TestARecordIsReplacedAndDeletedOnlyInTheRevisionThatIsNamed(t *testing.T) {
	table, ctx := openTable(t, connect(t)), t.Context()
	first, err := table.Create(ctx, "a", []byte("1"), 0)
	if err != nil {
		t.Fatal(err)
	}
	second, err := table.Replace(ctx, "a", []byte("2"), first)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Replace(ctx, "a", []byte("3"), first); !errors.Is(err, bus.ErrChanged) {
		t.Errorf("Replace of a revision that has passed: got %v, want ErrChanged", err)
	}
	if err := table.DeleteRevision(ctx, "a", first); !errors.Is(err, bus.ErrChanged) {
		t.Errorf("DeleteRevision of a revision that has passed: got %v, want ErrChanged", err)
	}
	if entry, err := table.Get(ctx, "a"); err != nil || string(entry.Value) != "2" || entry.Revision != second {
		t.Errorf("got %+v, %v", entry, err)
	}
	if err := table.DeleteRevision(ctx, "a", second); err != nil {
		t.Error(err)
	}
	if _, err := table.Get(ctx, "a"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

func TestAWatchSeesWhatIsThereAndThenEveryChange(t *testing.T) {
	srv := runServer(t)
	conn := connectTo(t, srv)
	table, ctx := openTable(t, conn), t.Context()
	for _, key := range []string{"a", "b"} {
		if _, err := table.Put(ctx, key, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	seen := make(chan bus.Entry, 10)
	watch, err := openTable(t, connectTo(t, srv)).Watch(ctx, func(e bus.Entry) { seen <- e })
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	if len(seen) != 2 {
		t.Fatalf("the watch began with %d records, want 2", len(seen))
	}
	if _, err := table.Put(ctx, "a", []byte("new")); err != nil {
		t.Fatal(err)
	}
	if err := table.Delete(ctx, "b"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bus.Entry{
		{Key: "a", Value: []byte("a")}, {Key: "b", Value: []byte("b")}, {Key: "a", Value: []byte("new")}, {Key: "b", Gone: true},
	} {
		if got := receive(t, seen); got.Key != want.Key || string(got.Value) != string(want.Value) || got.Gone != want.Gone {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func TestAWatcherSeesThatARecordExpires(t *testing.T) {
	table, ctx := openTable(t, connect(t)), t.Context()
	seen := make(chan bus.Entry, 10)
	watch, err := table.Watch(ctx, func(e bus.Entry) { seen <- e })
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	// The key was there before: a ttl must hold also when Create writes over a marker.
	if _, err := table.Create(ctx, "a", nil, 0); err != nil {
		t.Fatal(err)
	}
	if err := table.Delete(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	revision, err := table.Create(ctx, "a", []byte("x"), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if revision, err = table.Renew(ctx, "a", []byte("y"), revision, time.Second); err != nil {
		t.Fatal(err)
	}
	for got := receive(t, seen); !got.Gone || got.Revision < revision; got = receive(t, seen) {
		if got.Key != "a" || got.Revision > revision {
			t.Fatalf("got %+v, want the marker of a", got)
		}
	}
	if _, err := table.Renew(ctx, "a", nil, revision, time.Second); err == nil {
		t.Error("an expired record was renewed")
	}
	if _, err := table.Create(ctx, "a", nil, 0); err != nil {
		t.Errorf("an expired key is not free: %v", err)
	}
}

func TestTheMarkerOfADeletedKeyDoesNotStayForEver(t *testing.T) {
	srv := runServer(t)
	table, ctx := openTable(t, connectTo(t, srv)), t.Context()
	if _, err := table.Put(ctx, "a", nil); err != nil {
		t.Fatal(err)
	}
	if err := table.Delete(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	stream, err := stockClient(t, srv).Stream(ctx, "KV_records")
	if err != nil {
		t.Fatal(err)
	}
	msg, err := stream.GetLastMsgForSubject(ctx, "$KV.records.a")
	if err != nil || msg.Header.Get(jetstream.MsgTTLHeader) == "" {
		t.Errorf("the marker has no time to live: %+v, %v", msg, err)
	}
}

func TestAWatchEndsWithItsConnection(t *testing.T) {
	conn := connect(t)
	watch, err := openTable(t, conn).Watch(t.Context(), func(bus.Entry) {})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	watch.Stop()
	watch.Stop()
}

func TestAWatchThatIsNotWantedAnyMoreDoesNotBegin(t *testing.T) {
	table := openTable(t, connect(t))
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("not wanted any more")
	cancel(why)
	watch, err := table.Watch(ctx, func(bus.Entry) {})
	if err == nil {
		watch.Stop() // all that there is may have been seen before ctx was looked at
	} else if !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
}

// stockClient connects as any NATS client would.
func stockClient(t *testing.T, srv nats.InProcessConnProvider) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(srv))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}
