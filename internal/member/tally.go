package member

import (
	"context"
	"sync"
)

// Tally counts what is under way, for a drain to wait for the end of it.
type Tally struct {
	mu    sync.Mutex
	count int
	zero  chan struct{} // closed when count is 0, if somebody waits for that
}

// Add counts one more.
func (t *Tally) Add() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count++
}

// Done counts one less.
func (t *Tally) Done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count--; t.count == 0 && t.zero != nil {
		close(t.zero)
		t.zero = nil
	}
}

// Left returns how many are under way.
func (t *Tally) Left() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count
}

// Await waits until nothing is under way, or returns ctx's cause.
func (t *Tally) Await(ctx context.Context) error {
	t.mu.Lock()
	if t.count == 0 {
		t.mu.Unlock()
		return nil
	}
	if t.zero == nil {
		t.zero = make(chan struct{})
	}
	zero := t.zero
	t.mu.Unlock()
	select {
	case <-zero:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
