package task

import (
	"cmp"
	"context"
	"errors"
	"time"

	"manta/internal/member"
	"manta/internal/plain"
)

var part = member.NewPart[*Engine]()

// Engine is one node's share of running tasks: the owner of those that it submitted, and the host of those that it runs.
// Package node makes it.
type Engine struct {
	owner    *owner
	host     *host // nil on a node that only submits
	durables *durables
	asker    *asker // of a node that is confined, which has nothing else

	maxPending     int
	pendingTimeout time.Duration
}

// Config says how a node's engine works.
type Config struct {
	Serve          bool          // the node serves every function of its registry
	Registry       *Registry     // that the node serves
	MaxPending     int           // how many requests of plain clients may wait here
	PendingTimeout time.Duration // how long one may wait for room; 0: 4 s, negative: for ever
	MaxBatch       int           // how many tasks or results travel in one message at most

	LineageBudget   int64         // bytes of what is remembered to compute lost results again; 0: 64 MiB, negative: nothing is
	InfeasibleAfter time.Duration // how long tasks that no node could ever run wait for one; 0: 10 s, negative: for ever
}

// Start starts a node's engine.
func Start(ctx context.Context, node *member.Node, cfg Config) (*Engine, error) {
	e := &Engine{maxPending: cfg.MaxPending, pendingTimeout: cmp.Or(cfg.PendingTimeout, plain.PendingTimeout)}
	var err error
	if e.owner, err = startOwner(ctx, node, cfg); err != nil {
		return nil, err
	}
	if e.durables, err = startDurables(ctx, node); err != nil {
		e.owner.close()
		return nil, err
	}
	part.Set(node, e)
	if cfg.Serve {
		if e.host, err = startHost(ctx, node, e.owner, cfg); err != nil {
			e.owner.close()
			e.durables.close()
			return nil, err
		}
		if e.durables.adopter, err = startAdopter(e.durables, e.owner, cfg.Registry); err != nil {
			_ = e.Close() // the error of the start says more
			return nil, err
		}
	}
	return e, nil
}

// StartConfined starts the engine of a node that is confined.
func StartConfined(ctx context.Context, node *member.Node) (*Engine, error) {
	asker, err := startAsker(ctx, node)
	if err != nil {
		return nil, err
	}
	e := &Engine{asker: asker}
	part.Set(node, e)
	return e, nil
}

// Functions are the names of the functions that the node serves.
func (e *Engine) Functions() []string {
	if e.host == nil {
		return nil
	}
	return e.host.served.names()
}

// Endpoints are where plain clients ask for the functions. They are there once the node is open.
func (e *Engine) Endpoints() []*plain.Endpoint {
	if e.host == nil {
		return nil
	}
	return e.host.plain.endpoints
}

// Open lets tasks knock here, and takes durable ones. It is for a node that has joined: what came before would be cut short if it could not.
func (e *Engine) Open(ctx context.Context) error {
	if e.host == nil {
		return nil
	}
	if err := e.host.openDoors(e.maxPending, e.pendingTimeout); err != nil {
		return err
	}
	return e.durables.adopter.start(ctx)
}

// Retire takes no more tasks, but for those that this node submits.
func (e *Engine) Retire(ctx context.Context) error {
	if e.host == nil {
		return nil
	}
	if err := e.durables.adopter.retire(ctx); err != nil {
		return err
	}
	return e.host.retire()
}

// Drain takes no more tasks, but for those that this node submits, and waits for those that are here and those that it submitted.
func (e *Engine) Drain(ctx context.Context) error {
	if e.asker != nil {
		return e.asker.drain(ctx)
	}
	if e.host == nil {
		return errors.Join(e.owner.drain(ctx), e.durables.drain(ctx))
	}
	if err := e.durables.adopter.drain(ctx); err != nil {
		return err
	}
	if err := e.host.drain(ctx); err != nil {
		return err
	}
	return e.durables.drain(ctx)
}

// Close cancels what runs here, waits for it, and fails what this node submitted. The error names functions that go on
// although their ctx has ended.
func (e *Engine) Close() (err error) {
	if e.asker != nil {
		e.asker.close()
		return nil
	}
	if e.durables.adopter != nil {
		e.durables.adopter.close()
	}
	if e.host != nil {
		err = e.host.close()
	}
	e.owner.close()
	e.durables.close()
	return err
}
