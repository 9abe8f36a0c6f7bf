package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ErrExists is returned by Table.Create when the key is taken.
var ErrExists = errors.New("key exists")

// ErrNotFound is returned by Table.Get when the key is not there.
var ErrNotFound = errors.New("key not found")

// ErrChanged is returned by Table.Replace and Table.DeleteRevision when the record has another revision, or is gone.
var ErrChanged = errors.New("record has changed")

// markerTTL is how long the marker of a deleted or expired key stays, for watchers that were away.
const markerTTL = time.Minute

// Table is a bucket of small records with their latest value only.
type Table struct {
	conn *Conn
	kv   jetstream.KeyValue
}

// Entry is a change of one key. A deleted or expired key has no value.
type Entry struct {
	Key      string
	Value    []byte
	Revision uint64
	Gone     bool
}

// OpenTable opens a bucket of records in memory storage, and creates it if it is not there.
func (c *Conn) OpenTable(ctx context.Context, name string) (*Table, error) {
	kv, err := c.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: name, History: 1, Storage: jetstream.MemoryStorage, LimitMarkerTTL: markerTTL,
	})
	if err != nil {
		return nil, fmt.Errorf("cannot open bucket %s: %w", name, err)
	}
	return &Table{conn: c, kv: kv}, nil
}

// Put writes a record.
func (t *Table) Put(ctx context.Context, key string, value []byte) (revision uint64, err error) {
	return t.kv.Put(ctx, key, value)
}

// Create writes a record if its key is free, else returns [ErrExists]. With a ttl (whole seconds) it expires unless renewed;
// 0 means never.
func (t *Table) Create(ctx context.Context, key string, value []byte, ttl time.Duration) (revision uint64, err error) {
	var opts []jetstream.KVCreateOpt
	if ttl > 0 {
		opts = append(opts, jetstream.KeyTTL(ttl))
	}
	revision, err = t.kv.Create(ctx, key, value, opts...)
	if errors.Is(err, jetstream.ErrKeyExists) {
		return 0, ErrExists
	}
	return revision, err
}

// Renew writes a record again with a fresh ttl, if its revision is still the given one: a compare-and-set and a new
// time to live in one write. nats.go's Update carries no ttl, so this writes to the bucket's stream itself.
func (t *Table) Renew(ctx context.Context, key string, value []byte, revision uint64, ttl time.Duration) (uint64, error) {
	msg := nats.NewMsg("$KV." + t.kv.Bucket() + "." + key)
	msg.Data = value
	msg.Header.Set(jetstream.MsgTTLHeader, ttl.String())
	msg.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(revision, 10))
	ack, err := t.conn.js.PublishMsg(ctx, msg)
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// Replace writes a record if its revision is still the given one, else returns [ErrChanged].
func (t *Table) Replace(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	next, err := t.kv.Update(ctx, key, value, revision)
	return next, changed(err)
}

// Get reads a record, or returns [ErrNotFound].
func (t *Table) Get(ctx context.Context, key string) (Entry, error) {
	entry, err := t.kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return Entry{}, ErrNotFound
	}
	if err != nil {
		return Entry{}, err
	}
	return Entry{Key: key, Value: entry.Value(), Revision: entry.Revision()}, nil
}

// Delete removes a record; one that is not there is no error.
func (t *Table) Delete(ctx context.Context, key string) error {
	return t.kv.Purge(ctx, key, jetstream.PurgeTTL(markerTTL))
}

// DeleteRevision removes a record if its revision is still the given one, else returns [ErrChanged].
func (t *Table) DeleteRevision(ctx context.Context, key string, revision uint64) error {
	return changed(t.kv.Purge(ctx, key, jetstream.PurgeTTL(markerTTL), jetstream.LastRevision(revision)))
}

func changed(err error) error {
	if errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
		return ErrChanged
	}
	return err
}

// Watch calls handle for every record and then for every change, one at a time and in order, until the watch is stopped. Of
// changes that follow each other at once, it may see the last one only. It returns once handle has seen all records that
// existed when it began.
func (t *Table) Watch(ctx context.Context, handle func(Entry)) (*Watch, error) {
	watching, end := context.WithCancel(context.WithoutCancel(ctx))
	watcher, err := t.kv.WatchAll(watching)
	if err != nil {
		end()
		return nil, fmt.Errorf("cannot watch bucket %s: %w", t.kv.Bucket(), err)
	}
	w := &Watch{watcher: watcher, end: end}
	caughtUp := make(chan struct{})
	w.done.Go(func() { w.run(handle, caughtUp) })
	select {
	case <-caughtUp:
		return w, nil
	case <-ctx.Done():
		w.Stop()
		return nil, context.Cause(ctx)
	}
}

// Watch is a running Table.Watch.
type Watch struct {
	watcher jetstream.KeyWatcher
	end     context.CancelFunc // of what nats.go keeps for a watcher that its connection has ended
	done    sync.WaitGroup
}

func (w *Watch) run(handle func(Entry), caughtUp chan struct{}) {
	for entry := range w.watcher.Updates() {
		if entry == nil {
			close(caughtUp)
			continue
		}
		handle(Entry{
			Key: entry.Key(), Value: entry.Value(), Revision: entry.Revision(),
			Gone: entry.Operation() != jetstream.KeyValuePut,
		})
	}
}

// Stop ends the watch and waits until handle has returned for the last time.
func (w *Watch) Stop() {
	_ = w.watcher.Stop() // its one error is that the connection is already closed
	w.end()
	w.done.Wait()
}
