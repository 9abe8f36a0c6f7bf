package objstore

import (
	"container/list"
	"sync"

	"manta/bus"
	"manta/internal/shared"
)

// cache keeps the bytes of blobs, the least recently used ones leaving first. A blob is read once, however many ask for it
// meanwhile. Who has a value keeps it, whatever the cache does.
type cache struct {
	limit int64

	mu       sync.Mutex
	used     int64
	entries  map[string]*list.Element // by blob id; values are *cached
	order    *list.List               // most recently used first
	segments int                      // of the entries
	hits     int64                    // times that a blob was wanted and was here, or on its way
	misses   int64
}

// cached is a blob that is here or on its way.
type cached struct {
	blob  bus.Blob
	done  chan struct{} // closed when value and err are valid
	value bus.Value
	err   error

	lending sync.Mutex      // locked while the segment is made
	segment *shared.Segment // what neighbours get; nil if there is none. Under the cache's mu
}

func newCache(limit int64) *cache {
	return &cache{limit: limit, entries: make(map[string]*list.Element), order: list.New()}
}

// want returns the entry of a blob that is to be read. A fresh one is the caller's to fill.
func (c *cache) want(blob bus.Blob) (e *cached, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, fresh = c.entry(blob); fresh {
		c.misses++
	} else {
		c.hits++
	}
	return e, fresh
}

// entry returns a blob's entry, which may be fresh; the cache is locked.
func (c *cache) entry(blob bus.Blob) (e *cached, fresh bool) {
	if el, ok := c.entries[blob.ID]; ok {
		c.order.MoveToFront(el)
		return el.Value.(*cached), false
	}
	e = &cached{blob: blob, done: make(chan struct{})}
	c.entries[blob.ID] = c.order.PushFront(e)
	c.used += blob.Size
	return e, true
}

// fill completes a fresh entry. A failed one leaves the cache, so that the next reader tries again.
func (c *cache) fill(e *cached, value bus.Value, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.complete(e, value, err)
}

// complete is fill with the cache locked.
func (c *cache) complete(e *cached, value bus.Value, err error) {
	e.value, e.err = value, err
	close(e.done)
	if err != nil {
		c.remove(e.blob.ID)
	}
	for el := c.order.Back(); el != nil && c.used > c.limit; {
		before := el.Prev()
		select {
		case <-el.Value.(*cached).done:
			c.remove(el.Value.(*cached).blob.ID)
		default: // on its way, so wanted
		}
		el = before
	}
}

// keep enters a blob whose value is at hand.
func (c *cache) keep(blob bus.Blob, value bus.Value) *cached {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, fresh := c.entry(blob)
	if fresh {
		c.complete(e, value, nil)
	}
	return e
}

// drop forgets a blob.
func (c *cache) drop(blob bus.Blob) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(blob.ID)
}

func (c *cache) remove(id string) {
	if el, ok := c.entries[id]; ok {
		c.order.Remove(el)
		delete(c.entries, id)
		e := el.Value.(*cached)
		c.used -= e.blob.Size
		c.setSegment(e, nil)
	}
}
