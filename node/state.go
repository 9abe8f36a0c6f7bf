package node

import (
	"context"
	"time"

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
}

// Stats returns the node's counters.
func (n *Node) Stats() Stats { return Stats{Objects: n.objects.Stats(), Tasks: n.tasks.Stats()} }

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
	scope, err := member.FromContext(ctx)
	if err != nil {
		return nil, err
	}
	return infosOf(scope.Node.Members.All()), nil
}

// AwaitMembers waits until the nodes that are there satisfy enough, and returns ctx's cause if it ends first. A program that
// has just started can wait for its peers with it.
func AwaitMembers(ctx context.Context, enough func([]Info) bool) error {
	scope, err := member.FromContext(ctx)
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
