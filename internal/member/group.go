package member

import (
	"context"
	"sync"
	"time"
)

// Group owns the goroutines of one part of a node: what it starts, it waits for.
type Group struct {
	ctx  context.Context // the lifetime of the part: the one ctx kept in a struct, because goroutines are started over its whole life
	stop context.CancelCauseFunc

	mu      sync.Mutex
	stopped bool
	running sync.WaitGroup
}

// NewGroup returns a group whose goroutines get ctx's values, but not its cancellation.
func NewGroup(ctx context.Context) *Group {
	g := &Group{}
	g.ctx, g.stop = context.WithCancelCause(context.WithoutCancel(ctx))
	return g
}

// Context is the ctx of the group's goroutines: it ends with Stop.
func (g *Group) Context() context.Context { return g.ctx }

// Go runs f on its own goroutine. Once the group is stopped it does nothing and returns false.
func (g *Group) Go(f func(ctx context.Context)) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return false
	}
	g.running.Go(func() { f(g.ctx) })
	return true
}

// Stop cancels the goroutines with a cause and refuses more. It does not wait.
func (g *Group) Stop(cause error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stopped = true
	g.stop(cause)
}

// Wait returns when every goroutine has. Call it after Stop.
func (g *Group) Wait() { g.running.Wait() }

// WaitFor is Wait with a bound, for goroutines that run user code. It returns false if one is still running.
func (g *Group) WaitFor(limit time.Duration) bool {
	done := make(chan struct{})
	go func() { // ends with the last of the goroutines that it waits for
		g.running.Wait()
		close(done)
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// UserGrace is how long a node that closes waits for user code whose ctx has ended.
const UserGrace = 10 * time.Second

// Pause waits for d, or until ctx ends.
func Pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
