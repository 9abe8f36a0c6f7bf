package bus

import (
	"context"
	"slices"
	"sync"
)

const (
	// defaultUploadWindow bounds what all uploads of a connection have sent and not had acknowledged, in bytes.
	defaultUploadWindow = 64 << 20
	// downloadWindow bounds what all reads of a connection have asked for and not got, in bytes: under the 64 MiB that a NATS
	// server buffers for a client before it calls it slow and cuts it.
	downloadWindow = 32 << 20
)

// window bounds bytes that are under way. Who has to wait is served in the order of coming.
type window struct {
	limit int64

	mu      sync.Mutex
	used    int64
	waiting []*waiting
}

type waiting struct {
	bytes int64
	ready chan struct{} // closed once the bytes are taken
}

func newWindow(limit int64) *window { return &window{limit: limit} }

// tryTake takes bytes if there is room and nobody waits. More than the whole window counts as the whole window.
func (w *window) tryTake(bytes int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.takeLocked(bytes)
}

func (w *window) takeLocked(bytes int64) bool {
	bytes = min(bytes, w.limit)
	if len(w.waiting) > 0 || w.used+bytes > w.limit {
		return false
	}
	w.used += bytes
	return true
}

// take waits until it has the bytes. Whoever waits must hold none, or all could wait for each other.
func (w *window) take(ctx context.Context, bytes int64) error {
	w.mu.Lock()
	if w.takeLocked(bytes) {
		w.mu.Unlock()
		return nil
	}
	me := &waiting{min(bytes, w.limit), make(chan struct{})}
	w.waiting = append(w.waiting, me)
	w.mu.Unlock()
	select {
	case <-me.ready:
		return nil
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.Index(w.waiting, me); i >= 0 {
		w.waiting = slices.Delete(w.waiting, i, i+1)
	} else {
		w.used -= me.bytes
	}
	w.admit() // whoever stood behind
	return context.Cause(ctx)
}

// give gives bytes back that were taken.
func (w *window) give(bytes int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.used -= min(bytes, w.limit)
	w.admit()
}

func (w *window) admit() {
	for len(w.waiting) > 0 && w.used+w.waiting[0].bytes <= w.limit {
		w.used += w.waiting[0].bytes
		close(w.waiting[0].ready)
		w.waiting = slices.Delete(w.waiting, 0, 1)
	}
}
