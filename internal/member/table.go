package member

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/event"
)

// Info is a node's record.
type Info struct {
	ID        ID
	Name      string
	Resources map[string]float64
	Labels    map[string]string
	Functions []string
	Classes   []string
	Draining  bool // it takes no more work: Functions and Classes are empty
	Version   string
	Frames    int // the version of frames that it speaks: Join writes this process's
	Started   time.Time
}

// MarshalText makes an ID travel as its text.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (id *ID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseID(string(text))
	return err
}

// Table is this node's picture of who is there: the nodes that have records. It also guards the leases of its neighbours
// in the ring, and removes the records of those that end.
type Table struct {
	self ID
	pace pace
	conn *bus.Conn
	log  *zap.Logger

	events *event.Recorder // of nodes that are found dead

	records *bus.Table
	leases  *bus.Table
	lease   atomic.Pointer[Lease] // nil until the node has joined

	unhear  func() // ends what OnReconnect began
	group   *Group
	stirred chan struct{} // holds one: there is something to tend
	watches watches

	mu       sync.Mutex
	roster   roster
	guard    *guard
	epoch    int           // of the watches whose word counts
	stale    bool          // the watches have to begin anew
	giveUp   func()        // ends an attempt to begin a watch
	blind    bool          // until they have
	graceEnd time.Time     // when those that are unconfirmed are gone; zero: there are none
	changed  chan struct{} // closed at the next change of who is there
	watchers []*Watcher
}

// Watcher hears of nodes that come and go, one event at a time, while the table is locked. Its functions must not block, nor ask the table,
// nor take a lock under which somebody else asks it. Joined is also called when a node's record has changed.
type Watcher struct {
	Joined func(Info)
	Left   func(ID)
}

// OpenTable opens the two buckets and watches them, for a node whose lease is of some length, 0 for LeaseTTL. It returns when it knows all nodes that were there. Table.Close ends it.
func OpenTable(ctx context.Context, conn *bus.Conn, self ID, lease time.Duration, log *zap.Logger) (*Table, error) {
	t := &Table{
		self: self, pace: pace(lease), conn: conn, log: log, group: NewGroup(ctx), stirred: make(chan struct{}, 1),
		roster: make(roster), guard: newGuard(self, pace(lease)), changed: make(chan struct{}),
	}
	var err error
	if t.records, err = conn.OpenTable(ctx, conn.NodesTable()); err != nil {
		return nil, err
	}
	if t.leases, err = conn.OpenTable(ctx, conn.LeasesTable()); err != nil {
		return nil, err
	}
	t.unhear = conn.OnReconnect(t.resync)
	err = t.beginAnew(ctx)
	if err == nil {
		err = t.hideDead(ctx)
	}
	if err != nil {
		t.Close()
		return nil, err
	}
	t.group.Go(t.serve)
	return t, nil
}

// Tell has the table tell of nodes that it finds dead. It must be called before the node joins.
func (t *Table) Tell(events *event.Recorder) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = events
}

// EmptyTable is the table of a node that is confined: it knows nobody, not even itself.
func EmptyTable(ctx context.Context, self ID, log *zap.Logger) *Table {
	return &Table{self: self, log: log, unhear: func() {}, group: NewGroup(ctx), roster: make(roster), changed: make(chan struct{})}
}

// hideDead hides the nodes that have records and no leases: the last one of a cluster that ended without goodbyes left nobody
// to remove them. If one that lives speaks another version of frames, it is the error. The leases are read after the records, since a node writes its lease first.
func (t *Table) hideDead(ctx context.Context) error {
	t.mu.Lock()
	recorded := t.roster.ids()
	t.mu.Unlock()
	leases, err := t.leases.All(ctx)
	if err != nil {
		return err
	}
	alive := make(map[string]bool)
	for _, e := range leases {
		alive[e.Key] = claimantOf(e) == ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range recorded {
		if n, ok := t.roster[id]; ok {
			n.hidden = !alive[id.String()]
			if n.foreign && !n.hidden {
				return otherVersion(n.info)
			}
		}
	}
	return nil
}

// Close ends the watches.
func (t *Table) Close() {
	t.unhear()
	t.group.Stop(bus.ErrClosed)
	t.group.Wait()
	t.watches.stop()
}

// Watch calls w for every node that is there, and from then on for every change, until stop is called or the table closed.
func (t *Table) Watch(w Watcher) (stop func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.watchers = append(t.watchers, &w)
	for _, info := range t.roster.all() {
		w.Joined(info)
	}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.watchers = slices.DeleteFunc(t.watchers, func(other *Watcher) bool { return other == &w })
	}
}

// All returns the nodes that are there, by name and id.
func (t *Table) All() []Info {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.roster.all()
	slices.SortFunc(all, func(a, b Info) int { return cmp.Or(cmp.Compare(a.Name, b.Name), a.ID.compare(b.ID)) })
	return all
}

// Alive says whether a node is there.
func (t *Table) Alive(id ID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.roster.find(id)
	return ok
}

// There asks the bucket about a node that the table may not know yet: it says whether the node has its lease.
func (t *Table) There(ctx context.Context, id ID) (bool, error) {
	if t.Alive(id) {
		return true, nil
	}
	lease, err := t.leases.Get(ctx, id.String())
	if errors.Is(err, bus.ErrNotFound) {
		return false, nil
	}
	return err == nil && claimantOf(lease) == "", err
}

// Lease returns this node's lease; nil until it has joined.
func (t *Table) Lease() *Lease { return t.lease.Load() }

// Await waits until the nodes that are there satisfy enough.
func (t *Table) Await(ctx context.Context, enough func([]Info) bool) error {
	for {
		t.mu.Lock()
		changed := t.changed
		t.mu.Unlock()
		if enough(t.All()) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
