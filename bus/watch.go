package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// errWatchEnded is returned by Table.Watch when nats.go ends the watch that has just begun.
var errWatchEnded = errors.New("the watch ended before it had seen all records")

// Watch calls handle for every record, or for those of the keys that are named, and then for every change, one at a time and in
// order, until the watch is stopped. Of changes that follow each other at once, it may see the last one only; of keys that
// have ended it sees the markers, while those last. It returns once handle has seen all that was there when it began.
//
// A watch sees only the bucket that it began with: of one that is made again after its server lost it, it may see nothing. So
// whoever must miss nothing watches again after [Conn.OnReconnect], and when the watch ends by itself ([Watch.Ended]).
func (t *Table) Watch(ctx context.Context, handle func(Entry), keys ...string) (*Watch, error) {
	return ask(ctx, t.conn, func(ctx context.Context) (*Watch, error) { return t.watch(ctx, handle, keys) })
}

func (t *Table) watch(ctx context.Context, handle func(Entry), keys []string) (*Watch, error) {
	watching, end := context.WithCancel(context.WithoutCancel(ctx))
	wanted := context.AfterFunc(ctx, end) // nats.go asks the server for as long as the watch's own ctx lasts
	w := &Watch{table: t, handle: handle, end: end, caughtUp: make(chan struct{}), ended: make(chan struct{})}
	err := t.retry(ctx, func() error { return w.subscribe(watching, keys) })
	if err == nil {
		select {
		case <-w.caughtUp:
			if wanted() {
				return w, nil
			}
		case <-w.ended:
			err = errWatchEnded
		case <-ctx.Done():
		}
		defer w.Stop()
	}
	wanted()
	end()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return nil, fmt.Errorf("cannot watch bucket %s: %w", t.name, err)
}

// Watch is a running Table.Watch: an ordered consumer, as the watcher of nats.go's KeyValue is one. That watcher holds a lock while
// it asks the server for the consumer, on which the first record waits if it comes before the server's answer; for that no
// bubble of virtual time waits.
type Watch struct {
	table  *Table
	handle func(Entry)
	sub    *nats.Subscription
	end    context.CancelFunc // of what nats.go keeps for a subscription that its connection has ended

	mu      sync.Mutex
	seen    uint64 // records so far
	pending uint64 // how many there were when it began; 0 until the server has said so

	nowOnce, endOnce sync.Once
	caughtUp, ended  chan struct{}
}

func (w *Watch) subscribe(ctx context.Context, keys []string) error {
	if len(keys) == 0 {
		keys = []string{">"}
	}
	filters := make([]string, len(keys))
	for i, key := range keys {
		filters[i] = w.table.subject(key)
	}
	js, err := w.table.conn.nc.JetStream()
	if err != nil {
		return err
	}
	w.sub, err = js.Subscribe("", w.arrived, nats.BindStream("KV_"+w.table.name), nats.OrderedConsumer(),
		nats.DeliverLastPerSubject(), nats.ConsumerFilterSubjects(filters...), nats.Context(ctx))
	if err != nil {
		return err
	}
	w.sub.SetClosedHandler(func(string) { w.hasEnded() })
	if !w.sub.IsValid() { // it may have ended before it had a handler
		w.hasEnded()
	}
	pending, err := w.sub.InitialConsumerPending()
	if err != nil { // none of it is of JetStream
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending = pending
	if w.seen >= pending {
		w.reachNow()
	}
	return nil
}

func (w *Watch) arrived(msg *nats.Msg) {
	meta, err := msg.Metadata()
	if err != nil {
		return // not of a consumer
	}
	w.handle(Entry{
		Key: msg.Subject[len(w.table.subject("")):], Value: msg.Data, Revision: meta.Sequence.Stream, Gone: isMarker(msg.Header),
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	// A record that changes while the watch catches up comes once, so that fewer may come than were there.
	if w.seen++; meta.NumPending == 0 || w.pending > 0 && w.seen >= w.pending {
		w.reachNow()
	}
}

func (w *Watch) reachNow() { w.nowOnce.Do(func() { close(w.caughtUp) }) }

func (w *Watch) hasEnded() { w.endOnce.Do(func() { close(w.ended) }) }

// Ended is closed when handle has returned for the last time: after Stop, with the connection, or because the bucket is gone.
func (w *Watch) Ended() <-chan struct{} { return w.ended }

// Stop ends the watch and waits until handle has returned for the last time.
func (w *Watch) Stop() {
	_ = w.sub.Unsubscribe() // its one error is that it has already ended
	w.end()
	<-w.ended
}

// isMarker says whether a record's message stands for one that was deleted or has expired.
func isMarker(header nats.Header) bool {
	return header.Get("KV-Operation") != "" || header.Get(jetstream.MarkerReasonHeader) != ""
}
