package actor

import (
	"context"
	"sync"
)

// flushes sends answers of cells whose goroutines have begun the next call, and those that came to a closed fence.
type flushes struct {
	fence *fence
	some  chan struct{} // holds one: there are cells

	mu    sync.Mutex
	cells []*cell
}

// add has a cell's answers sent soon; the cell is locked.
func (f *flushes) add(c *cell) {
	f.mu.Lock()
	f.cells = append(f.cells, c)
	f.mu.Unlock()
	select {
	case f.some <- struct{}{}:
	default:
	}
}

func (f *flushes) serve(ctx context.Context) {
	for {
		select {
		case <-f.some:
		case <-ctx.Done():
			return
		}
		if f.fence.await(ctx) != nil {
			return
		}
		f.mu.Lock()
		cells := f.cells
		f.cells = nil
		f.mu.Unlock()
		for _, c := range cells {
			c.mu.Lock()
			c.flushing = false
			c.flush()
			c.mu.Unlock()
		}
	}
}
