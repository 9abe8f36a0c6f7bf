package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

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
	return patiently(ctx, func(ctx context.Context) (*Watch, error) { return t.watch(ctx, handle, keys) })
}

func (t *Table) watch(ctx context.Context, handle func(Entry), keys []string) (*Watch, error) {
	watching, end := context.WithCancel(context.WithoutCancel(ctx))
	wanted := context.AfterFunc(ctx, end) // nats.go asks the server for as long as the watch's own ctx lasts
	var watcher jetstream.KeyWatcher
	err := t.retry(ctx, func() (err error) {
		if len(keys) == 0 {
			watcher, err = t.kv.WatchAll(watching)
		} else {
			watcher, err = t.kv.WatchFiltered(watching, slices.Clone(keys)) // which writes into them
		}
		return err
	})
	if err == nil {
		w := &Watch{watcher: watcher, end: end, ended: make(chan struct{})}
		caughtUp := make(chan struct{})
		w.done.Go(func() { w.run(handle, caughtUp) })
		select {
		case <-caughtUp:
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

// Watch is a running Table.Watch.
type Watch struct {
	watcher jetstream.KeyWatcher
	end     context.CancelFunc // of what nats.go keeps for a watcher that its connection has ended
	ended   chan struct{}
	done    sync.WaitGroup
}

func (w *Watch) run(handle func(Entry), caughtUp chan struct{}) {
	defer close(w.ended)
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

// Ended is closed when handle has returned for the last time: after Stop, with the connection, or because the bucket is gone.
func (w *Watch) Ended() <-chan struct{} { return w.ended }

// Stop ends the watch and waits until handle has returned for the last time.
func (w *Watch) Stop() {
	_ = w.watcher.Stop() // its one error is that the connection is already closed
	w.end()
	w.done.Wait()
}
