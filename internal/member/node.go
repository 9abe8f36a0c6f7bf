package member

import (
	"context"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/event"
	"manta/internal/logs"
)

// Node is this process's node, as the layers beneath package node see it.
type Node struct {
	ID       ID
	Conn     *bus.Conn
	Capacity *Capacity
	Members  *Table
	Log      *zap.Logger
	Closing  <-chan struct{} // closed when Close begins: the Done of the ctx that Start returned
	Confined bool            // it only calls functions: no other node knows it, or takes its word
	Tracer   trace.Tracer    // of spans of what the node does; nil if none are wanted
	Events   *event.Recorder // nil: it tells nothing
	Logs     *logs.Sender    // of what tasks and actors log; nil: it stays in Log

	parts   [maxParts]any
	rejects rejects
}

// Holds says whether the node has its lease at this moment: [Lease.Holds].
func (n *Node) Holds() bool { return n.Members.Lease().Holds(time.Now()) }

const maxParts = 8

var lastPart atomic.Int32

// Part is the place of one layer's own state in every Node: each layer has one, made when its package is initialised.
type Part[T any] struct{ index int32 }

// NewPart reserves a place.
func NewPart[T any]() Part[T] { return Part[T]{index: lastPart.Add(1) - 1} }

// Set puts the layer's state in its place. It must be called before the node is used.
func (p Part[T]) Set(n *Node, v T) { n.parts[p.index] = v }

// Of returns the layer's state.
func (p Part[T]) Of(n *Node) T { return n.parts[p.index].(T) }

// Scope is what a ctx carries: the node, and the work that runs in the ctx, if any does.
type Scope struct {
	Node *Node
	Work Work // nil outside of tasks
}

// Work is a running task, which lends its capacity to others while it waits.
type Work interface {
	// Block gives the capacity back. Calls nest.
	Block()
	// Unblock returns when the capacity is there again.
	Unblock()
}

type scopeKey struct{}

// NewContext returns a ctx that carries a scope.
func NewContext(ctx context.Context, s *Scope) context.Context {
	return context.WithValue(ctx, scopeKey{}, s)
}

// IsScopeKey says whether key is the one under which a ctx carries its scope: for contexts that carry it in themselves.
func IsScopeKey(key any) bool { return key == any(scopeKey{}) }

// FromContext returns the scope that ctx carries, or bus.ErrNoNode.
func FromContext(ctx context.Context) (*Scope, error) {
	if s, ok := ctx.Value(scopeKey{}).(*Scope); ok {
		return s, nil
	}
	return nil, bus.ErrNoNode
}

// Unconfined is FromContext for what only a node does that others know.
func Unconfined(ctx context.Context) (*Scope, error) {
	s, err := FromContext(ctx)
	if err == nil && s.Node.Confined {
		return nil, bus.ErrConfined
	}
	return s, err
}

// Await waits until done is closed or ctx ends, and lends the capacity of the work that runs in ctx meanwhile.
func (s *Scope) Await(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	default:
	}
	if s.Work != nil {
		s.Work.Block()
		defer s.Work.Unblock()
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
