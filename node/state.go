package node

import (
	"context"
	"time"

	"manta/actor"
	"manta/bus"
	"manta/internal/member"
	"manta/objstore"
	"manta/task"
)

// Resources are quantities by name; "CPU" counts CPUs.
type Resources map[string]float64

// String returns for example "CPU:4 gpu:1".
func (r Resources) String() string {
	amounts, err := member.NewAmounts(r)
	if err != nil {
		return err.Error()
	}
	return amounts.String()
}

// Resources returns what the node has, and what of it no running task, actor or bundle of a placement group holds.
func (n *Node) Resources() (total, free Resources) {
	return n.self.Capacity.Total().Own().Quantities(), n.self.Capacity.Free().Own().Quantities()
}

// Stats counts what a node did since it started.
type Stats struct {
	Objects objstore.Stats
	Tasks   task.Stats
	Actors  actor.Stats
	NATS    bus.Stats
	// Rejected counts the messages that came to this node and cannot be read, are of another version, or ask without naming a subject for
	// their answer. The log tells of some, at most one a second.
	Rejected int64
	// EventsTold are the events of this node in the cluster's stream, EventsLeft those that were left out: beyond what the node may tell in a
	// second, or because they could not be stored.
	EventsTold, EventsLeft int64
}

// Stats returns the node's counters.
func (n *Node) Stats() Stats {
	s := Stats{Objects: n.objects.Stats(), Tasks: n.tasks.Stats(), NATS: n.self.Conn.Stats(), Rejected: n.self.Rejected()}
	if n.actors != nil {
		s.Actors = n.actors.Stats()
	}
	s.EventsTold, s.EventsLeft = n.self.Events.Counts()
	return s
}

// Why says in words why a task has no result yet, for people to read: the words may change. They are one of
//
//	waiting for argument 1, object 0123…
//	no node serves "f"
//	needs CPU:1 gpu:1, and the nodes have: node … CPU:4 with zone=eu
//	no node matches zone=eu, the nodes have: node … CPU:4 with no labels
//	knocking at the door of "f": no node has said yet that it has it
//	queued behind 3 tasks of "f"; the nodes that could run it are full: node … has 4 of them
//	at node … for at least 1.2s, running or queued there
//	attempt 2 after worker lost on node …: (and one of the above)
//	has its result
//	failed: …
//
// The node that submitted the task is asked, which is another one if the ref came from there: that takes a message there and back, and
// fails with objstore.ErrOwnerDead if that node has left, or after 5 s without an answer. It takes time in proportion to what is queued.
func (n *Node) Why(ctx context.Context, id objstore.ID) (string, error) { return n.tasks.Why(ctx, id) }

// Info describes a node of the cluster.
type Info struct {
	ID        string
	Name      string
	Resources Resources // in all
	Labels    map[string]string
	Functions []string // tasks that it serves
	Classes   []string // actor classes that it serves
	Draining  bool     // it takes no more work: Functions and Classes are empty
	Version   string   // of Manta
	Started   time.Time
}

// Members returns the nodes that are there, by name.
func Members(ctx context.Context) ([]Info, error) {
	scope, err := member.Unconfined(ctx)
	if err != nil {
		return nil, err
	}
	return infosOf(scope.Node.Members.All()), nil
}

// AwaitMembers waits until the nodes that are there satisfy enough, and returns ctx's cause if it ends first. A program that
// has just started can wait for its peers with it.
func AwaitMembers(ctx context.Context, enough func([]Info) bool) error {
	scope, err := member.Unconfined(ctx)
	if err != nil {
		return err
	}
	return scope.Node.Members.Await(ctx, func(members []member.Info) bool { return enough(infosOf(members)) })
}

func infosOf(members []member.Info) []Info {
	infos := make([]Info, 0, len(members))
	for _, m := range members {
		infos = append(infos, Info{
			ID: m.ID.String(), Name: m.Name, Resources: m.Resources, Labels: m.Labels,
			Functions: m.Functions, Classes: m.Classes, Draining: m.Draining, Version: m.Version, Started: m.Started,
		})
	}
	return infos
}
