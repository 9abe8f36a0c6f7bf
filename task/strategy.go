package task

import (
	"fmt"

	"manta/internal/call"
	"manta/internal/member"
)

// Labels has the task run on nodes whose node.Config.Labels meet all the selectors, in the syntax of Kubernetes:
//
//	zone=eu   zone!=eu   zone in (eu, us)   zone notin (eu, us)   zone   !zone   zone=eu,gpu!=a100
//
// A node without the label does not meet = and in, and meets != and notin. It takes the place of Labels given before; without a
// selector every node will do. A task that no node could run waits for one that joins, for node.Config.InfeasibleAfter, and then
// fails with ErrInfeasible, or ErrNotRegistered if no node at all serves its function; it did not run.
func Labels(selectors ...string) Option {
	return func(o *call.Options) (err error) {
		o.Placing.Labels, err = member.ParseSelectors(selectors...)
		return err
	}
}

// Spread has the tasks run evenly over the nodes: each goes to a node with room that has the fewest tasks of this function, need and
// strategy from this owner, one a message. Without it the node with the most room comes first, and short tasks travel together. It takes
// the place of OnNode; Labels still hold.
func Spread() Option {
	return func(o *call.Options) error {
		o.Placing.Spread, o.Placing.Node, o.Placing.Soft = true, member.ID{}, false
		return nil
	}
}

// Affinity is how much a task is bound to the node of OnNode.
type Affinity int

const (
	// Hard is on that node alone, however long it is full. A task fails with ErrInfeasible as soon as its owner knows that the node has
	// left the cluster or died, and after node.Config.InfeasibleAfter if the node is not known, drains, or could never run it.
	Hard Affinity = iota
	// Soft is on that node while it is there and has room, else on any other.
	Soft
)

// OnNode binds the task to a node, by the id that node.Node.ID and node.Members say. It takes the place of Spread and of an OnNode given
// before; Labels still hold.
func OnNode(id string, affinity Affinity) Option {
	return func(o *call.Options) (err error) {
		if affinity != Hard && affinity != Soft {
			return fmt.Errorf("OnNode with affinity %d: want task.Hard or task.Soft", affinity)
		}
		o.Placing.Spread, o.Placing.Soft = false, affinity == Soft
		if o.Placing.Node, err = member.ParseID(id); err == nil && o.Placing.Node == (member.ID{}) {
			err = fmt.Errorf("%q is no node's id", id)
		}
		if err != nil {
			return fmt.Errorf("OnNode: %w", err)
		}
		return nil
	}
}
