package actor

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"manta/internal/member"
)

// fence keeps a node's actors from doing anything while others may take the node for lost. What is asked at any moment is the lease: a
// process that wakes up after a long stop finds the fence closed, whatever it was about to do.
//
//	          the lease ends
//	open ──────────────────────► closed
//	  ▲                             │ the lease is there again
//	  └── each actor's record ◄─────┘
//	      is still the cell's, or the cell has gone
type fence struct {
	node *member.Node

	passed atomic.Uint64 // tenure of the lease for which the records were looked at
	mu     sync.Mutex
	opened chan struct{} // closed when passed changes
}

func newFence(node *member.Node) *fence { return &fence{node: node, opened: make(chan struct{})} }

// isOpen says whether nobody can have taken the node for lost at this moment.
func (f *fence) isOpen() bool {
	tenure := f.node.Members.Lease().Tenure(time.Now())
	return tenure > 0 && tenure == f.passed.Load()
}

// await waits until the fence is open.
func (f *fence) await(ctx context.Context) error {
	for !f.isOpen() {
		opened, renewed := f.signals()
		if f.isOpen() {
			return nil
		}
		select {
		case <-opened:
		case <-renewed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// signals are closed when a fence that is closed may be open.
func (f *fence) signals() (opened, renewed <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.opened, f.node.Members.Lease().Renewed()
}

// serve opens the fence for each tenure of the lease, until ctx ends. confirm looks at the records, and hears whether the others took the node for dead
// since it last did; an error has it tried again.
func (f *fence) serve(ctx context.Context, confirm func(ctx context.Context, claimed bool) error) {
	lease := f.node.Members.Lease()
	confirmed := lease.Claims()
	for {
		renewed := lease.Renewed()
		if tenure := lease.Tenure(time.Now()); tenure > 0 && tenure != f.passed.Load() {
			if claims := lease.Claims(); confirm(ctx, claims != confirmed) == nil {
				confirmed = claims
				f.open(tenure)
			}
		}
		select {
		case <-renewed:
		case <-ctx.Done():
			return
		}
	}
}

func (f *fence) open(tenure uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.passed.Store(tenure)
	close(f.opened)
	f.opened = make(chan struct{})
}
