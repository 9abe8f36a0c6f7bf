package member_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/member"
)

// place is one node's view: its id, its connection and its table.
type place struct {
	id    member.ID
	conn  *bus.Conn
	table *member.Table
}

func openPlace(t *testing.T, srv *server.Server) place {
	t.Helper()
	return openPlaceWith(t, srv, zap.NewNop())
}

func openPlaceWith(t *testing.T, srv *server.Server, log *zap.Logger) place {
	t.Helper()
	p := place{id: member.NewID(), conn: connectTo(t, srv)}
	var err error
	if p.table, err = member.OpenTable(within(t, 30*time.Second), p.conn, p.id, 0, log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.table.Close)
	return p
}

func (p place) join(t *testing.T) *member.Lease {
	t.Helper()
	lease, err := p.table.Join(within(t, 30*time.Second), member.Info{ID: p.id, Name: "node", Labels: map[string]string{"zone": "a"}})
	if err != nil {
		t.Fatal(err)
	}
	return lease
}

// serve renews a lease until the test ends or silence is called.
func serve(t *testing.T, lease *member.Lease) (silence func()) {
	t.Helper()
	g := member.NewGroup(t.Context())
	g.Go(lease.Serve)
	silence = func() {
		g.Stop(errors.New("the test wants it silent"))
		g.Wait()
	}
	t.Cleanup(silence)
	return silence
}

// news is what a table tells.
type news struct {
	joined, left chan member.ID
	stop         func()
}

func (p place) listen() news {
	n := news{joined: make(chan member.ID, 100), left: make(chan member.ID, 100)}
	n.stop = p.table.Watch(member.Watcher{
		Joined: func(info member.Info) { n.joined <- info.ID },
		Left:   func(id member.ID) { n.left <- id },
	})
	return n
}

// awaitRenewals waits until leases were renewed that often.
func awaitRenewals(t *testing.T, conn *bus.Conn, count int) {
	t.Helper()
	leases, err := conn.OpenTable(within(t, 20*time.Second), conn.LeasesTable())
	if err != nil {
		t.Fatal(err)
	}
	renewed := make(chan struct{}, 1000)
	watch, err := leases.Watch(within(t, 20*time.Second), func(e bus.Entry) {
		if !e.Gone && len(e.Value) == 0 {
			renewed <- struct{}{}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	for range count {
		receive(t, renewed)
	}
}

// awaitNodes waits until exactly these nodes are there.
func (p place) awaitNodes(t *testing.T, want ...member.ID) {
	t.Helper()
	var there []member.ID
	err := p.table.Await(within(t, 20*time.Second), func(infos []member.Info) bool {
		there = nil
		for _, info := range infos {
			there = append(there, info.ID)
		}
		return len(there) == len(want) && !slices.ContainsFunc(want, func(id member.ID) bool { return !slices.Contains(there, id) })
	})
	if err != nil {
		t.Fatalf("%v are there, want %v: %v", there, want, err)
	}
}

func TestTwoTablesSeeEachOtherJoinAndLeave(t *testing.T) {
	srv := runServer(t)
	a, b := openPlace(t, srv), openPlace(t, srv)
	leaseA, leaseB := a.join(t), b.join(t)
	serve(t, leaseA)
	for _, p := range []place{a, b} {
		p.awaitNodes(t, a.id, b.id)
	}
	if info := a.table.All()[0]; info.Name != "node" || info.Labels["zone"] != "a" {
		t.Errorf("the record came as %+v", info)
	}
	late := openPlace(t, srv)
	if !late.table.Alive(a.id) || !late.table.Alive(b.id) || late.table.Alive(late.id) {
		t.Error("a table that opens later does not know who was there")
	}
	if err := leaseB.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, p := range []place{a, b, late} {
		p.awaitNodes(t, a.id)
	}
}

func TestAWatcherHearsOfEveryNodeOnce(t *testing.T) {
	srv := runServer(t)
	a, b := openPlace(t, srv), openPlace(t, srv)
	serve(t, a.join(t))
	b.awaitNodes(t, a.id)
	heard := b.listen()
	joined, left := heard.joined, heard.left
	if id := receive(t, joined); id != a.id {
		t.Errorf("%s joined, want %s, which was there", id, a.id)
	}
	lease := b.join(t)
	if id := receive(t, joined); id != b.id {
		t.Errorf("%s joined, want %s", id, b.id)
	}
	if err := lease.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if id := receive(t, left); id != b.id {
		t.Errorf("%s left, want %s", id, b.id)
	}
	b.awaitNodes(t, a.id)
	if len(joined)+len(left) > 0 {
		t.Errorf("%d more joined and %d more left", len(joined), len(left))
	}
}

func TestAWatcherThatHasStoppedHearsNothing(t *testing.T) {
	srv := runServer(t)
	a, b := openPlace(t, srv), openPlace(t, srv)
	stopped, goes := a.listen(), a.listen()
	stopped.stop()
	stopped.stop()
	b.join(t)
	if id := receive(t, goes.joined); id != b.id || len(stopped.joined) > 0 {
		t.Errorf("%s joined, want %s; the one that has stopped heard of %d", id, b.id, len(stopped.joined))
	}
}

func TestANodeThatIsSilentIsGoneWithinABoundAndSoIsItsRecord(t *testing.T) {
	srv := runServer(t)
	a, b := openPlace(t, srv), openPlace(t, srv)
	serve(t, a.join(t))
	a.awaitNodes(t, a.id)
	begun := time.Now()
	b.join(t) // and nobody renews it
	a.awaitNodes(t, a.id, b.id)
	a.awaitNodes(t, a.id)
	if silent := time.Since(begun); silent < member.LeaseTTL/2 || silent > member.LeaseTTL+3*time.Second {
		t.Errorf("it was there for %v, want about %v", silent, member.LeaseTTL)
	}
	b.awaitRecord(t, false)
}

func TestANodeWhoseLeaseWasRemovedTakesItAgain(t *testing.T) {
	srv := runServer(t)
	a, b := openPlace(t, srv), openPlace(t, srv)
	serve(t, a.join(t))
	b.awaitNodes(t, a.id)
	leases, err := b.conn.OpenTable(t.Context(), b.conn.LeasesTable())
	if err != nil {
		t.Fatal(err)
	}
	if err := leases.Delete(t.Context(), a.id.String()); err != nil {
		t.Fatal(err)
	}
	awaitRenewals(t, b.conn, 4)
	if _, err := leases.Get(t.Context(), a.id.String()); err != nil {
		t.Error(err)
	}
	for _, p := range []place{a, b} {
		p.awaitNodes(t, a.id)
	}
	a.awaitRecord(t, true)
}

func TestANodeWhoseRecordWasRemovedWritesItAgain(t *testing.T) {
	srv := runServer(t)
	a, b := openPlace(t, srv), openPlace(t, srv)
	serve(t, a.join(t))
	b.awaitNodes(t, a.id)
	records, err := b.conn.OpenTable(t.Context(), b.conn.NodesTable())
	if err != nil {
		t.Fatal(err)
	}
	if err := records.Delete(t.Context(), a.id.String()); err != nil {
		t.Fatal(err)
	}
	b.awaitNodes(t)
	b.awaitNodes(t, a.id)
}

func TestForeignKeysAndBrokenRecordsDoNotDisturb(t *testing.T) {
	srv := runServer(t)
	a := openPlace(t, srv)
	records, err := a.conn.OpenTable(t.Context(), a.conn.NodesTable())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"foreign", member.NewID().String()} {
		if _, err := records.Put(t.Context(), key, []byte("{")); err != nil {
			t.Fatal(err)
		}
	}
	serve(t, a.join(t))
	a.awaitNodes(t, a.id)
	openPlace(t, srv).awaitNodes(t, a.id)
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	a := openPlace(t, runServer(t))
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("not wanted any more")
	cancel(why)
	if err := a.table.Await(ctx, func([]member.Info) bool { return false }); err != why {
		t.Errorf("got %v", err)
	}
}

// awaitRecord waits until the node's record is there, or is not.
func (p place) awaitRecord(t *testing.T, there bool) {
	t.Helper()
	records, err := p.conn.OpenTable(t.Context(), p.conn.NodesTable())
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan struct{}, 1)
	watch, err := records.Watch(t.Context(), func(e bus.Entry) {
		if e.Key == p.id.String() && e.Gone != there {
			select {
			case seen <- struct{}{}:
			default:
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	receive(t, seen)
}
