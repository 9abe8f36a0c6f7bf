package member

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"manta/bus"
)

// Info is a node's record.
type Info struct {
	ID        ID
	Name      string
	Resources map[string]float64
	Labels    map[string]string
	Functions []string
	Classes   []string
	Version   string
	Started   time.Time
}

// MarshalText makes an ID travel as its text.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (id *ID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseID(string(text))
	return err
}

// Table is this node's picture of who is there: the records of nodes whose leases are alive.
type Table struct {
	self ID
	log  *zap.Logger

	records *bus.Table
	leases  *bus.Table
	watches []*bus.Watch

	mu       sync.Mutex
	known    map[ID]Info
	leased   map[ID]bool
	alive    map[ID]Info   // known and leased
	changed  chan struct{} // closed at the next change of alive
	watchers []Watcher
}

// Watcher hears of nodes that come and go, one event at a time. Its functions must not block.
type Watcher struct {
	Joined func(Info)
	Left   func(ID)
}

// OpenTable opens the two buckets and watches them. It returns when it knows all nodes that were there.
func OpenTable(ctx context.Context, conn *bus.Conn, self ID, log *zap.Logger) (*Table, error) {
	t := &Table{self: self, log: log, known: map[ID]Info{}, leased: map[ID]bool{}, alive: map[ID]Info{}, changed: make(chan struct{})}
	var err error
	if t.records, err = conn.OpenTable(ctx, conn.NodesTable()); err != nil {
		return nil, err
	}
	if t.leases, err = conn.OpenTable(ctx, conn.LeasesTable()); err != nil {
		return nil, err
	}
	for _, w := range []struct {
		table  *bus.Table
		handle func(bus.Entry)
	}{{t.leases, t.leaseChanged}, {t.records, t.recordChanged}} {
		watch, err := w.table.Watch(ctx, w.handle)
		if err != nil {
			t.Close()
			return nil, err
		}
		t.watches = append(t.watches, watch)
	}
	return t, nil
}

// Close ends the watches.
func (t *Table) Close() {
	for _, w := range t.watches {
		w.Stop()
	}
}

// Watch calls w for every node that is there, and from then on for every change.
func (t *Table) Watch(w Watcher) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.watchers = append(t.watchers, w)
	for _, info := range t.alive {
		w.Joined(info)
	}
}

// All returns the nodes that are there, by name and id.
func (t *Table) All() []Info {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.SortedFunc(maps.Values(t.alive), func(a, b Info) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), slices.Compare(a.ID[:], b.ID[:]))
	})
}

// Alive says whether a node is there.
func (t *Table) Alive(id ID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.alive[id]
	return ok
}

// recorded says whether a node has a record, its lease alive or not.
func (t *Table) recorded(id ID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.known[id]
	return ok
}

func (t *Table) recordChanged(e bus.Entry) {
	id, err := ParseID(e.Key)
	if err != nil {
		t.log.Warn("the bucket of nodes holds a foreign key", zap.String("key", e.Key))
		return
	}
	var info Info
	if !e.Gone {
		if err := json.Unmarshal(e.Value, &info); err != nil {
			t.log.Warn("the record of a node does not decode", zap.String("key", e.Key), zap.Error(err))
			return
		}
		info.ID = id
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.Gone {
		delete(t.known, id)
	} else {
		t.known[id] = info
	}
	t.refresh(id, true)
}

func (t *Table) leaseChanged(e bus.Entry) {
	id, err := ParseID(e.Key)
	if err != nil {
		return
	}
	t.mu.Lock()
	if e.Gone {
		delete(t.leased, id)
	} else {
		t.leased[id] = true
	}
	t.refresh(id, false)
	_, orphaned := t.known[id]
	t.mu.Unlock()
	if e.Gone && orphaned && id != t.self {
		t.reap(id)
	}
}

// refresh brings alive up to date for one node, and tells the watchers if it came, changed or left.
func (t *Table) refresh(id ID, changed bool) {
	info, known := t.known[id]
	_, was := t.alive[id]
	switch is := known && t.leased[id]; {
	case is && was && !changed:
		return
	case is:
		t.alive[id] = info
		for _, w := range t.watchers {
			w.Joined(info)
		}
	case was:
		delete(t.alive, id)
		for _, w := range t.watchers {
			w.Left(id)
		}
	}
	close(t.changed)
	t.changed = make(chan struct{})
}

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

// reap removes the record of a node whose lease has ended.
func (t *Table) reap(id ID) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := t.records.Delete(ctx, id.String()); err != nil {
		t.log.Info("the record of a node that is gone stays for others to remove", zap.Stringer("node", id), zap.Error(err))
	}
}
