package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"manta/actor"
	"manta/bus"
	"manta/internal/event"
	"manta/internal/logs"
	"manta/internal/member"
	"manta/internal/plain"
	"manta/objstore"
	"manta/placement"
	"manta/task"
)

// Version of Manta.
const Version = "0.1.0"

// goodbyeTimeout bounds what Close waits for the cluster to hear that the node leaves.
const goodbyeTimeout = 2 * time.Second

// Node is this process's place in the cluster. Its methods are safe for concurrent use.
//
//	started ── Drain ──► drained ──┐
//	   └────────────────────── Close ──► closed
type Node struct {
	config Config
	self   *member.Node
	end    context.CancelCauseFunc // ends the ctx that Start returned
	group  *member.Group
	lease  *member.Lease // nil until the node has joined
	record member.Info   // as it joined

	objects *objstore.Store
	groups  *placement.Engine
	tasks   *task.Engine
	actors  *actor.Engine
	service *plain.Service // nil: it serves nothing
	plain   *plain.Objects // nil as service is
	undo    []func() error // what Close does, the last one first

	departure atomic.Pointer[departure] // nil unless DrainNode has asked for one
	started   time.Time
	draining  atomic.Bool

	closing  sync.Once
	closed   chan struct{}
	closeErr error // valid once closed
}

// Start makes this process a node of the cluster. ctx bounds the start; the ctx that is returned carries the node, keeps
// ctx's values, not its cancellation, and ends with Close. The error names what is wrong: a field of cfg, a server that
// cannot be reached, one without JetStream.
func Start(ctx context.Context, cfg Config) (*Node, context.Context, error) {
	if err := cfg.validate(); err != nil {
		return nil, nil, err
	}
	id := member.NewID()
	cfg = cfg.withDefaults(id)
	running, end := context.WithCancelCause(context.WithoutCancel(ctx))
	n := &Node{config: cfg, end: end, started: time.Now(), closed: make(chan struct{})}
	if err := n.start(ctx, id, running.Done()); err != nil {
		n.giveUp()
		return nil, nil, fmt.Errorf("cannot start a node: %w", err)
	}
	return n, n.Context(running), nil
}

// giveUp ends a start that failed. Others may have seen the node already, and sent it tasks: these finish.
func (n *Node) giveUp() {
	if n.tasks != nil {
		ctx, cancel := context.WithTimeout(context.Background(), n.config.DrainTimeout)
		defer cancel()
		_ = n.tasks.Drain(ctx) // the start's error says more, and so of Close's
	}
	_ = n.Close()
}

// start starts the parts, each on top of those before.
func (n *Node) start(ctx context.Context, id member.ID, closing <-chan struct{}) error {
	total, err := n.config.amounts()
	if err != nil {
		return err
	}
	log := n.config.Logger.With(logs.Node(id))
	conn, err := bus.Connect(ctx, bus.Config{
		URL: n.config.URL, Name: "manta " + n.config.Name, Namespace: n.config.Namespace, User: n.config.Caller, Plain: n.config.Caller != "",
		Options: n.config.Options, Storage: n.config.Storage, Replicas: n.config.Replicas,
		Quota: n.config.ObjectQuota, UploadWindow: n.config.UploadWindow, Log: log,
	})
	if err != nil {
		return err
	}
	n.onClose(quietly(conn.Close))
	if n.config.Caller != "" {
		return n.startCaller(ctx, conn, id, closing, log)
	}
	members, err := member.OpenTable(ctx, conn, id, n.config.LeaseTTL, log)
	if err != nil {
		return err
	}
	n.onClose(quietly(members.Close))
	events := n.startEvents(ctx, conn, id, log)
	members.Tell(events)
	n.self = &member.Node{
		ID: id, Conn: conn, Capacity: member.NewCapacity(total), Members: members, Log: log, Closing: closing, Events: events,
		Tracer: tracerOf(n.config.TracerProvider), Logs: n.startLogs(ctx, conn, id, log),
	}
	if err := n.showLogs(ctx); err != nil {
		return err
	}
	conn.OnReject(n.self.Reject)
	if err := member.ServeGeneration(n.self); err != nil {
		return err
	}
	if n.objects, err = objstore.Open(ctx, n.self, n.config.CacheBytes); err != nil {
		return err
	}
	n.objects.SetRefTTL(n.config.RefTTL)
	n.onClose(quietly(n.objects.Close))
	if err := n.share(); err != nil {
		return err
	}
	n.onClose(quietly(n.leave)) // after tasks and actors have said their last words, before their objects go
	serve := !n.config.ClientOnly
	if n.groups, err = placement.Start(ctx, n.self, serve); err != nil {
		return err
	}
	n.onClose(n.groups.Close)
	if n.tasks, err = task.Start(ctx, n.self, task.Config{
		Serve: serve, Registry: n.config.Registry, MaxPending: n.config.MaxPending, PendingTimeout: n.config.PendingTimeout,
		MaxBatch:        n.config.MaxBatch,
		InfeasibleAfter: n.config.InfeasibleAfter, LineageBudget: n.config.LineageBudget,
	}); err != nil {
		return err
	}
	n.onClose(n.tasks.Close)
	if n.actors, err = actor.Start(ctx, n.self, actor.Config{
		Serve: serve, Registry: n.config.Registry, MaxPending: n.config.MaxPending, PendingTimeout: n.config.PendingTimeout, InfeasibleAfter: n.config.InfeasibleAfter,
	}); err != nil {
		return err
	}
	n.onClose(n.actors.Close)
	return n.join(ctx)
}

// startEvents has the node tell what happens to what it has, if it is to.
func (n *Node) startEvents(ctx context.Context, conn *bus.Conn, id member.ID, log *zap.Logger) *event.Recorder {
	if n.config.EventRate < 0 {
		return nil
	}
	r := event.Start(ctx, conn, event.Config{
		Node: id.String(), Rate: n.config.EventRate, Log: log, Limits: bus.JournalLimits{Bytes: n.config.EventBytes, Age: n.config.EventAge},
	})
	n.onClose(quietly(r.Close))
	return r
}

// tell tells of the node itself.
func (n *Node) tell(state event.State) {
	now, fact := event.Now(), event.Node{ID: n.ID(), State: state}
	switch state {
	case event.Joined:
		r := n.record
		fact.Name, fact.Version, fact.Resources, fact.Labels = r.Name, r.Version, r.Resources, r.Labels
		fact.Functions, fact.Classes, fact.Joined = r.Functions, r.Classes, now
	case event.Draining:
		fact.Draining = now
	default:
		fact.Ended = now
	}
	n.self.Events.Node(fact)
}

// share lets the node share memory with its neighbours. That a machine has no memory for it is no error, unless the user named a directory.
func (n *Node) share() error {
	dir := n.config.SharedDir
	if dir == sharingOff {
		return nil
	}
	err := n.objects.Share(cmp.Or(dir, defaultSharedDir), n.config.Namespace)
	if err != nil && dir != "" {
		return fmt.Errorf("Config.SharedDir is %q: %w", dir, err)
	}
	if err != nil {
		n.self.Log.Info("no memory is shared with other processes", zap.Error(err))
	}
	return nil
}

// join makes the node known, once its subscriptions are with the server, and waits until the node knows it too.
func (n *Node) join(ctx context.Context) (err error) {
	if err := n.self.Conn.Permitted(ctx); err != nil {
		return err
	}
	n.record = member.Info{
		ID: n.self.ID, Name: n.config.Name, Resources: n.self.Capacity.Total().Own().Quantities(), Labels: n.config.Labels,
		Functions: n.tasks.Functions(), Classes: n.actors.Classes(), Version: Version, Started: n.started,
	}
	n.lease, err = n.self.Members.Join(ctx, n.record)
	if err != nil {
		return err
	}
	n.tell(event.Joined)
	n.group = member.NewGroup(ctx)
	n.group.Go(n.lease.Serve)
	for subject, handle := range map[string]func(*bus.Msg){
		n.self.Conn.NodeState(n.ID()): n.answerState, n.self.Conn.NodeProfile(n.ID()): n.profileAsked,
		n.self.Conn.NodeClock(n.ID()): n.tellTime, n.self.Conn.NodeDrain(n.ID()): n.askedToDrain,
	} {
		if err := n.answers(subject, handle); err != nil {
			return err
		}
	}
	if err := errors.Join(n.tasks.Open(ctx), n.actors.Open()); err != nil {
		return err
	}
	if endpoints := slices.Concat(n.tasks.Endpoints(), n.actors.Endpoints()); len(endpoints) > 0 {
		if n.plain, err = plain.OpenObjects(n.self, n.group, n.config.MaxPending); err != nil {
			return err
		}
		n.onClose(quietly(n.plain.Close))
		endpoints = append(endpoints, n.plain.Endpoint())
		if n.service, err = plain.Announce(n.self, n.record, endpoints); err != nil {
			return err
		}
		n.onClose(quietly(n.service.Close))
	}
	if err := n.self.Conn.Permitted(ctx); err != nil {
		return err
	}
	return n.self.Members.Await(ctx, func(members []member.Info) bool {
		return slices.ContainsFunc(members, func(m member.Info) bool { return m.ID == n.self.ID })
	})
}

// answers has others' questions on a subject answered until the node closes.
func (n *Node) answers(subject string, handle func(*bus.Msg)) error {
	asked, err := n.self.Conn.Subscribe(subject, "", handle)
	if err == nil {
		n.onClose(quietly(func() { _ = asked.Unsubscribe() })) // its one error is that the connection is closed
	}
	return err
}

// leave says goodbye: the owners of tasks that Close has cut short send them elsewhere.
func (n *Node) leave() {
	if n.group == nil { // it never joined
		return
	}
	n.group.Stop(bus.ErrClosed)
	n.group.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeTimeout)
	defer cancel()
	if err := n.lease.Leave(ctx); err != nil {
		n.self.Log.Warn("the cluster will learn of the node's leave by its silence", zap.Error(err))
		return
	}
	n.tell(event.Left)
}

func (n *Node) onClose(f func() error) { n.undo = append(n.undo, f) }

// quietly makes a close without an error one with.
func quietly(f func()) func() error {
	return func() error {
		f()
		return nil
	}
}

// ID returns the node's id, which is never used twice.
func (n *Node) ID() string { return n.self.ID.String() }

// Server returns the URL of the NATS server that the node is connected to, or "in process".
func (n *Node) Server() string { return n.self.Conn.Server() }

// Context returns a ctx that carries the node and ends with parent: for HTTP handlers and the like.
func (n *Node) Context(parent context.Context) context.Context {
	return member.NewContext(parent, &member.Scope{Node: n.self})
}

// Drain finishes: it takes no more work of others, and waits for what runs here, for the results of what this node submitted, and
// for uploads. If ctx ends first, the error names what is left. The node can still be used for what others serve;
// follow it by Close.
func (n *Node) Drain(ctx context.Context) error {
	select {
	case <-n.closed:
		return nil
	default:
	}
	n.draining.Store(true)
	steps := []func(context.Context) error{n.tasks.Drain}
	if !n.self.Confined {
		steps = []func(context.Context) error{n.tasks.Retire, n.retire, n.tasks.Drain, n.actors.Drain, n.objects.Drain}
	}
	for _, drain := range steps {
		if err := drain(ctx); err != nil {
			return fmt.Errorf("drain is not complete: %w", err)
		}
	}
	return nil
}

// retire tells the cluster that the node takes no more work.
func (n *Node) retire(ctx context.Context) error {
	if n.service != nil {
		n.service.Close()
		if err := n.plain.Retire(); err != nil {
			return err
		}
	}
	n.tell(event.Draining)
	record := n.record
	record.Functions, record.Classes, record.Draining = nil, nil, true
	if err := n.lease.Announce(ctx, record); err != nil { // others learn it from what the node answers
		n.self.Log.Warn("the cluster was not told that the node drains", zap.Error(err))
	}
	return nil
}

// Close cancels what runs here, waits for it, and leaves the cluster. Large objects that this node owns are deleted. Code that
// goes on although its ctx has ended is waited for 10 s; then Close goes on without it, and its error says so. Safe to
// call twice.
func (n *Node) Close() error {
	n.closing.Do(func() {
		n.end(bus.ErrClosed)
		for i := len(n.undo) - 1; i >= 0; i-- {
			n.closeErr = errors.Join(n.closeErr, n.undo[i]())
		}
		if n.config.OnClosed != nil {
			n.config.OnClosed()
		}
		close(n.closed)
	})
	<-n.closed
	return n.closeErr
}
