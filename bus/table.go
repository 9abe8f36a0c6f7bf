package bus

import (
	"context"
	"errors"
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
	name string
	// Both know the bucket by its name, so they outlive it.
	kv     jetstream.KeyValue
	stream jetstream.Stream
}

// Entry is what a key holds. A deleted or expired key has no value; the revision is that of the marker in its place.
type Entry struct {
	Key      string
	Value    []byte
	Revision uint64
	Gone     bool
}

// OpenTable opens a bucket of records in memory storage, and creates it if it is not there. An open table whose bucket is gone,
// since its server lost what it had in memory, creates it again when it is next used: it is empty then.
func (c *Conn) OpenTable(ctx context.Context, name string) (*Table, error) {
	return ask(ctx, c, func(ctx context.Context) (*Table, error) { return c.openTable(ctx, name) })
}

func (c *Conn) openTable(ctx context.Context, name string) (*Table, error) {
	kv, err := c.openKeyValue(ctx, name)
	if err != nil {
		return nil, err
	}
	stream, err := c.js.Stream(ctx, "KV_"+name)
	if err != nil {
		return nil, cannotOpen(name, c.replicas, err)
	}
	return &Table{conn: c, name: name, kv: kv, stream: stream}, nil
}

func (c *Conn) openKeyValue(ctx context.Context, name string) (jetstream.KeyValue, error) {
	kv, err := c.js.KeyValue(ctx, name)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		kv, err = c.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: name, History: 1, Storage: jetstream.MemoryStorage, LimitMarkerTTL: markerTTL, Replicas: c.replicas,
		})
	}
	if errors.Is(err, jetstream.ErrBucketExists) { // another was faster, and wants another number of replicas
		kv, err = c.js.KeyValue(ctx, name)
	}
	if err != nil {
		return nil, cannotOpen(name, c.replicas, err)
	}
	c.raiseReplicas(ctx, "KV_"+name)
	return kv, nil
}

// retry does an access again if it failed because the bucket is gone, after creating the bucket. Conditions on revisions do
// not hold there, so none of it can be done twice.
func (t *Table) retry(ctx context.Context, access func() error) error {
	err := access()
	if !unserved(err) {
		return err
	}
	if _, openErr := t.conn.openKeyValue(ctx, t.name); openErr != nil {
		return err
	}
	return access()
}

// unserved says whether an access failed because nobody serves the bucket: it is gone, or has no leader for a moment.
func unserved(err error) bool {
	return errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, jetstream.ErrJetStreamNotEnabled) ||
		errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, nats.ErrStreamNotFound) || errors.Is(err, nats.ErrNoResponders)
}

// Put writes a record.
func (t *Table) Put(ctx context.Context, key string, value []byte) (revision uint64, err error) {
	err = t.retry(ctx, func() (err error) {
		revision, err = t.kv.Put(ctx, key, value)
		return err
	})
	return revision, err
}

// Create writes a record if its key is free, else returns [ErrExists]. With a ttl (whole seconds) it expires unless renewed;
// 0 means never.
func (t *Table) Create(ctx context.Context, key string, value []byte, ttl time.Duration) (revision uint64, err error) {
	var opts []jetstream.KVCreateOpt
	if ttl > 0 {
		opts = append(opts, jetstream.KeyTTL(ttl))
	}
	err = t.retry(ctx, func() (err error) {
		revision, err = t.kv.Create(ctx, key, value, opts...)
		return err
	})
	if errors.Is(err, jetstream.ErrKeyExists) {
		return 0, ErrExists
	}
	return revision, err
}

// Renew writes a record with a ttl if the revision of what its key holds is still the given one, be that a record or the marker
// of one that has ended; 0 means nothing at all. Else it returns [ErrChanged]. It is a compare-and-set and a fresh time to live
// in one write. nats.go's Update carries no ttl, so this writes to the bucket's stream itself.
func (t *Table) Renew(ctx context.Context, key string, value []byte, revision uint64, ttl time.Duration) (uint64, error) {
	var next uint64
	err := t.retry(ctx, func() error {
		msg := nats.NewMsg(t.subject(key))
		msg.Data = value
		ack, err := t.conn.js.PublishMsg(ctx, msg, jetstream.WithMsgTTL(ttl),
			jetstream.WithExpectLastSequencePerSubject(revision), jetstream.WithRetryAttempts(0))
		if err == nil {
			next = ack.Sequence
		}
		return err
	})
	return next, changed(err)
}

// Replace writes a record if its revision is still the given one, else returns [ErrChanged].
func (t *Table) Replace(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	var next uint64
	err := t.retry(ctx, func() (err error) {
		next, err = t.kv.Update(ctx, key, value, revision)
		return err
	})
	return next, changed(err)
}

// Get reads a record, or returns [ErrNotFound].
func (t *Table) Get(ctx context.Context, key string) (Entry, error) {
	entry, err := t.Look(ctx, key)
	if err == nil && entry.Gone {
		return Entry{}, ErrNotFound
	}
	return entry, err
}

// Look is Get for those who go on from what they find: of a key that has ended it returns the entry of its marker, and of one
// without even that an entry of revision 0. nats.go's Get keeps a marker's revision to itself, so this asks the bucket's stream.
func (t *Table) Look(ctx context.Context, key string) (Entry, error) {
	found := Entry{Key: key, Gone: true}
	err := t.retry(ctx, func() error {
		msg, err := t.stream.GetLastMsgForSubject(ctx, t.subject(key))
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
			return nil
		case err != nil:
			return err
		}
		found = Entry{Key: key, Value: msg.Data, Revision: msg.Sequence, Gone: isMarker(msg.Header)}
		return nil
	})
	return found, err
}

func (t *Table) subject(key string) string { return "$KV." + t.name + "." + key }

// All reads all records, or those of the keys that are named, in which a '*' stands for any token.
func (t *Table) All(ctx context.Context, keys ...string) ([]Entry, error) {
	var all []Entry
	watch, err := t.Watch(ctx, func(e Entry) {
		if !e.Gone {
			all = append(all, e)
		}
	}, keys...)
	if err != nil {
		return nil, err
	}
	watch.Stop()
	return all, nil
}

// Delete removes a record; one that is not there is no error.
func (t *Table) Delete(ctx context.Context, key string) error {
	return t.purge(ctx, key)
}

// DeleteRevision removes a record if its revision is still the given one, else returns [ErrChanged].
func (t *Table) DeleteRevision(ctx context.Context, key string, revision uint64) error {
	return t.purge(ctx, key, jetstream.LastRevision(revision))
}

func (t *Table) purge(ctx context.Context, key string, opts ...jetstream.KVDeleteOpt) error {
	opts = append(opts, jetstream.PurgeTTL(markerTTL))
	return changed(t.retry(ctx, func() error { return t.kv.Purge(ctx, key, opts...) }))
}

// changed makes the server's word that a revision has passed ErrChanged. It has one code for it with replicas and one without.
func changed(err error) error {
	if refusal, ok := errors.AsType[*jetstream.APIError](err); ok {
		switch refusal.ErrorCode {
		case jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant:
			return ErrChanged
		}
	}
	return err
}
