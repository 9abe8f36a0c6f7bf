package member_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"manta/bus"
	"manta/internal/member"
)

// logTo returns a logger that passes the messages of what is logged on.
func logTo(ch chan string) *zap.Logger {
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(discard{}), zap.InfoLevel)
	return zap.New(core, zap.Hooks(func(e zapcore.Entry) error {
		ch <- e.Message
		return nil
	}))
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// awaitLine waits until a line is logged that has text in it.
func awaitLine(t *testing.T, lines <-chan string, text string) {
	t.Helper()
	for !strings.Contains(receive(t, lines), text) {
	}
}

func TestNobodyIsLostWithAStoreThatWasEmptied(t *testing.T) {
	for _, test := range []struct {
		name  string
		empty func(*testing.T, *restartable)
	}{
		{"by a restart of the server", func(t *testing.T, srv *restartable) {
			srv.end()
			srv.begin(t)
		}},
		{"under connections that live on", func(t *testing.T, srv *restartable) {
			js, err := jetstream.New(plain(t, srv.Server))
			if err != nil {
				t.Fatal(err)
			}
			names := bus.NewSubjects("test")
			for _, bucket := range []string{names.NodesTable(), names.LeasesTable()} {
				if err := js.DeleteKeyValue(within(t, 10*time.Second), bucket); err != nil {
					t.Fatal(err)
				}
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv := runRestartable(t)
			a, b := openPlace(t, srv.Server), openPlace(t, srv.Server)
			var heard []news
			for _, p := range []place{a, b} {
				serve(t, p.join(t))
			}
			for _, p := range []place{a, b} {
				p.awaitNodes(t, a.id, b.id)
				n := p.listen()
				receive(t, n.joined)
				receive(t, n.joined)
				heard = append(heard, n)
			}
			test.empty(t, srv)
			awaitRenewals(t, connectTo(t, srv.Server), 2*2*5) // for 5 s: longer than the grace
			late := openPlace(t, srv.Server)
			late.awaitNodes(t, a.id, b.id) // both have written themselves into the new store
			for i, n := range heard {
				if len(n.joined)+len(n.left) > 0 {
					t.Errorf("node %d heard that %d joined and %d left, want none", i, len(n.joined), len(n.left))
				}
			}
			serve(t, late.join(t))
			for _, p := range []place{a, b, late} {
				p.awaitNodes(t, a.id, b.id, late.id) // by their watches of the new store
			}
		})
	}
}

func TestATableWithoutALeaseFollowsANewStoreToo(t *testing.T) {
	t.Parallel()
	srv := runRestartable(t)
	a, observer := openPlace(t, srv.Server), openPlace(t, srv.Server)
	serve(t, a.join(t))
	observer.awaitNodes(t, a.id)
	srv.end()
	srv.begin(t)
	b := openPlace(t, srv.Server)
	serve(t, b.join(t))
	observer.awaitNodes(t, a.id, b.id)
}

// plain connects as any NATS client would.
func plain(t *testing.T, srv *server.Server) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(srv.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func TestANodeThatDiesWhileTheStoreIsEmptiedIsGoneAfterTheGrace(t *testing.T) {
	t.Parallel()
	srv := runRestartable(t)
	a, b := openPlace(t, srv.Server), openPlace(t, srv.Server)
	serve(t, a.join(t))
	silence := serve(t, b.join(t))
	a.awaitNodes(t, a.id, b.id)
	heard := a.listen()
	silence()
	srv.end()
	srv.begin(t)
	if id := receive(t, heard.left); id != b.id {
		t.Errorf("%s left, want %s", id, b.id)
	}
	a.awaitNodes(t, a.id)
}

func TestANodeWithoutItsServerPausesUntilItHasItsLeaseAgain(t *testing.T) {
	t.Parallel()
	srv := runRestartable(t)
	lines := make(chan string, 1000)
	a := openPlaceWith(t, srv.Server, logTo(lines))
	if a.table.Lease().Holds(time.Now()) {
		t.Error("it holds a lease before it has joined")
	}
	lease := a.join(t)
	serve(t, lease)
	if !lease.Holds(time.Now()) || a.table.Lease() != lease {
		t.Error("it does not hold its lease")
	}
	srv.end()
	awaitLine(t, lines, "paused")
	if self := (&member.Node{Members: a.table}); lease.Holds(time.Now()) || self.Holds() {
		t.Error("it holds its lease without a server")
	}
	srv.begin(t)
	if err := lease.AwaitHeld(within(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	if !lease.Holds(time.Now()) {
		t.Error("it does not hold its lease")
	}
	awaitLine(t, lines, "again")
}

func TestANodeThatWasSilentIsClaimedAndComesBack(t *testing.T) {
	t.Parallel()
	srv := runServer(t)
	lines := make(chan string, 1000)
	a, b := openPlace(t, srv), openPlaceWith(t, srv, logTo(lines))
	serve(t, a.join(t))
	lease := b.join(t)
	serve(t, lease)()
	a.awaitNodes(t, a.id, b.id)
	heard := a.listen()
	receive(t, heard.joined)
	receive(t, heard.joined)
	if id := receive(t, heard.left); id != b.id {
		t.Errorf("%s left, want %s", id, b.id)
	}
	if lease.Holds(time.Now()) {
		t.Error("it holds a lease that was claimed")
	}
	if there, err := a.table.There(t.Context(), b.id); there || err != nil {
		t.Errorf("a claimed lease stands for a node that is there: %v, %v", there, err)
	}
	serve(t, lease)
	if id := receive(t, heard.joined); id != b.id {
		t.Errorf("%s joined, want %s", id, b.id)
	}
	awaitLine(t, lines, "claimed")
	if there, err := a.table.There(t.Context(), b.id); !there || err != nil {
		t.Errorf("it is back and not there: %v, %v", there, err)
	}
	awaitRenewals(t, a.conn, 2*2*2)
	if len(heard.left)+len(heard.joined) > 0 {
		t.Errorf("%d more left, %d more joined", len(heard.left), len(heard.joined))
	}
}

func TestEverybodyInARingHearsOfADeathOnce(t *testing.T) {
	t.Parallel()
	srv := runServer(t)
	var places []place
	var ids []member.ID
	var silences []func()
	for range 6 {
		p := openPlace(t, srv)
		silences = append(silences, serve(t, p.join(t)))
		places, ids = append(places, p), append(ids, p.id)
	}
	var heard []news
	for _, p := range places {
		p.awaitNodes(t, ids...)
		heard = append(heard, p.listen())
	}
	silences[2]()
	for i, n := range heard {
		if id := receive(t, n.left); id != ids[2] {
			t.Errorf("node %d hears that %s left, want %s", i, id, ids[2])
		}
	}
	awaitRenewals(t, places[0].conn, 5*2*3) // for 3 s: longer than a claim lasts
	for i, n := range heard {
		if len(n.left) > 0 {
			t.Errorf("node %d hears of %d more", i, len(n.left))
		}
	}
	for _, p := range places {
		p.awaitNodes(t, slices.Delete(slices.Clone(ids), 2, 3)...)
	}
}

func TestADeathIsKnownWithinThreeSecondsAndABit(t *testing.T) {
	srv := runServer(t)
	a, b := openPlace(t, srv), openPlace(t, srv)
	serve(t, a.join(t))
	silence := serve(t, b.join(t))
	a.awaitNodes(t, a.id, b.id)
	awaitRenewals(t, a.conn, 2*2*4) // the grace in which a new table takes nobody for dead is over
	silence()
	died := time.Now()
	a.awaitNodes(t, a.id)
	took := time.Since(died)
	t.Logf("known after %v", took.Round(time.Millisecond))
	if took > 6*time.Second {
		t.Errorf("it took %v, want at most 3 s and what a busy machine adds", took)
	}
}

func TestWhoCrashedEarlierIsNotThereForWhoComesLater(t *testing.T) {
	t.Parallel()
	srv := runServer(t)
	a := openPlace(t, srv)
	records, err := a.conn.OpenTable(t.Context(), a.conn.NodesTable())
	if err != nil {
		t.Fatal(err)
	}
	crashed := place{id: member.NewID(), conn: a.conn}
	if _, err := records.Put(t.Context(), crashed.id.String(), []byte(`{"Name":"crashed"}`)); err != nil {
		t.Fatal(err)
	}
	b := openPlace(t, srv)
	heard := b.listen()
	serve(t, b.join(t))
	b.awaitNodes(t, b.id)
	crashed.awaitRecord(t, false)
	receive(t, heard.joined)
	if len(heard.joined)+len(heard.left) > 0 {
		t.Errorf("%d more joined and %d left", len(heard.joined), len(heard.left))
	}
}

// A node hears of the leases of three others, however many there are. The bound leaves room for acknowledgements of its own
// renewals, and for heartbeats.
func TestRenewalsOfManyLeasesReachThreeNodesEach(t *testing.T) {
	const nodes, rounds = 12, 4
	srv := runServer(t)
	var places []place
	var ids []member.ID
	for range nodes {
		p := openPlace(t, srv)
		serve(t, p.join(t))
		places, ids = append(places, p), append(ids, p.id)
	}
	for _, p := range places {
		p.awaitNodes(t, ids...)
	}
	observer := connectTo(t, srv)
	before := sent(t, srv)
	awaitRenewals(t, observer, nodes*(rounds+1)) // the first of each are what the observer's watch begins with
	each := float64(sent(t, srv)-before-nodes*(rounds+1)) / (nodes * rounds)
	t.Logf("%.1f messages a renewal", each)
	if each > 8 {
		t.Errorf("a renewal costs %.1f messages, want 3 to the watchers, 1 to its node and few more", each)
	}
}

// sent returns how many messages a server has sent to its clients.
func sent(t *testing.T, srv *server.Server) int64 {
	t.Helper()
	stats, err := srv.Varz(nil)
	if err != nil {
		t.Fatal(err)
	}
	return stats.OutMsgs
}
