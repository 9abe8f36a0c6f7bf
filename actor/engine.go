package actor

import (
	"cmp"
	"context"
	"errors"
	"time"

	"manta/internal/member"
	"manta/internal/plain"
	"manta/task"
)

var part = member.NewPart[*Engine]()

// Engine is one node's share of actors: the calls that it made, and the cells that live on it. Package node makes it.
type Engine struct {
	node      *member.Node
	callers   *callers
	directory *directory
	heir      *heir
	host      *host // nil on a node that only calls
	asking    turns // for actors

	infeasibleAfter time.Duration // negative: never
}

// infeasibleAfter is how long an actor that no node could ever have waits for one to join, as a task does.
const infeasibleAfter = 10 * time.Second

// Config says how a node's engine works.
type Config struct {
	Serve           bool           // it hosts actors of every class in the registry
	Registry        *task.Registry // of the classes
	MaxPending      int            // requests of plain clients that may wait here
	PendingTimeout  time.Duration  // how long one for an actor may wait for room; 0: 4 s, negative: for ever
	InfeasibleAfter time.Duration  // how long an actor that no node could ever have waits for one; 0: 10 s, negative: for ever
}

// Start starts a node's engine.
func Start(ctx context.Context, node *member.Node, cfg Config) (*Engine, error) {
	e := &Engine{node: node, asking: make(turns, mostAsked), infeasibleAfter: cmp.Or(cfg.InfeasibleAfter, infeasibleAfter)}
	var err error
	if e.directory, err = openDirectory(ctx, node); err != nil {
		return nil, err
	}
	if cfg.Serve {
		e.host = newHost(ctx, node, e.directory, cfg.Registry)
	}
	if e.callers, err = startCallers(ctx, node, e.host, e.directory); err != nil {
		return nil, err
	}
	part.Set(node, e)
	if cfg.Serve {
		if e.host.plain, err = newPlainDoor(e, cfg.MaxPending, cmp.Or(cfg.PendingTimeout, plain.PendingTimeout)); err != nil {
			return nil, err
		}
		e.host.depart = func(id string, rec record) { e.heir.remake(id, rec, 0) }
		e.host.serve()
	}
	e.heir = startHeir(ctx, e)
	return e, nil
}

// Open lets others create actors here, and sees to those that nobody has taken over. It is for a node that has joined.
func (e *Engine) Open() error {
	e.heir.group.Go(e.heir.lookBack)
	if e.host == nil {
		return nil
	}
	return e.host.openDoors()
}

// Classes are the names of the classes whose actors can live on the node.
func (e *Engine) Classes() []string {
	if e.host == nil {
		return nil
	}
	return e.host.plain.classes
}

// Endpoints are where plain clients ask for actors of the classes, and call them.
func (e *Engine) Endpoints() []*plain.Endpoint {
	if e.host == nil {
		return nil
	}
	return e.host.plain.endpoints
}

// Drain waits until every call that this node made has its outcome, then stops the actors that live here, each after the
// calls in its mailbox; those that are made again elsewhere are handed over.
func (e *Engine) Drain(ctx context.Context) error {
	err := e.callers.drain(ctx)
	if e.host != nil {
		err = errors.Join(err, e.host.drain(ctx))
	}
	return errors.Join(err, e.heir.drain(ctx))
}

// Close cancels what runs here, waits for it, and fails what this node called. The error says if a method goes on although
// its ctx has ended.
func (e *Engine) Close() (err error) {
	e.heir.close()
	if e.host != nil {
		err = e.host.close()
	}
	e.callers.close()
	e.directory.close()
	return err
}
