package task

import (
	"fmt"
	"slices"
	"strings"

	"manta/internal/member"
)

const (
	// namedNodes is how many nodes an explanation describes.
	namedNodes = 8
	// departedLimit is how many nodes that are gone an owner remembers; a task for one that it has forgotten waits for it longer.
	departedLimit = 4096
)

// feasible says whether a node that is there could ever run the lane's tasks. While no node that serves the function is known, nobody can
// say that none does: the door will tell, if the lane knocks.
func (o *owner) feasible(l *lane) bool {
	if l.bound != nil && !l.bound.placed() || l.hasWorkers() {
		return true
	}
	for _, n := range o.servers {
		if n = l.asSeen(n); slices.Contains(n.functions, l.function) && l.suits(&n) {
			return true
		}
	}
	return l.placing.Anywhere() && !o.served(l)
}

// served says whether a node that is there, or a worker, serves the lane's function.
func (o *owner) served(l *lane) bool {
	if l.hasWorkers() {
		return true
	}
	for _, n := range o.servers {
		if slices.Contains(n.functions, l.function) {
			return true
		}
	}
	return false
}

// depart notes that a node is gone.
func (o *owner) depart(id member.ID) {
	if len(o.departed) >= departedLimit {
		clear(o.departed)
	}
	o.departed[id] = true
}

// wants says what the lane's tasks need, and where.
func (l *lane) wants() string {
	if where := l.placing.String(); where != "" {
		return l.need.String() + " " + where
	}
	return l.need.String()
}

// obstacle says why no node that is there could ever run the lane's tasks.
func (o *owner) obstacle(l *lane) string {
	if only, ok := l.placing.Only(); ok {
		if why := o.absence(l, only); why != "" {
			return why
		}
	}
	var serve, allowed []server
	for _, n := range o.servers {
		if n = l.asSeen(n); slices.Contains(n.functions, l.function) {
			if serve = append(serve, n); l.placing.Allows(n.id, n.labels) {
				allowed = append(allowed, n)
			}
		}
	}
	switch {
	case len(serve) == 0:
		return fmt.Sprintf("no node serves %q", l.function)
	case len(allowed) == 0:
		return fmt.Sprintf("no node matches %s, the nodes have: %s", l.placing.Labels, describe(serve))
	default:
		return fmt.Sprintf("needs %s, and the nodes have: %s", l.wants(), describe(serve))
	}
}

// absence says why the one node that will do cannot, if it is not what it has.
func (o *owner) absence(l *lane, id member.ID) string {
	n, there := o.servers[id]
	switch {
	case o.departed[id]:
		return fmt.Sprintf("node %s has left the cluster, or died", id)
	case !there:
		return fmt.Sprintf("there is no node %s", id)
	case n.draining:
		return fmt.Sprintf("node %s drains and takes no more work", id)
	case !slices.Contains(n.functions, l.function):
		return fmt.Sprintf("node %s does not serve %q", id, l.function)
	}
	return ""
}

// describe says what nodes have.
func describe(nodes []server) string {
	slices.SortFunc(nodes, func(a, b server) int { return strings.Compare(a.id.String(), b.id.String()) })
	var all []string
	for i, n := range nodes {
		if i == namedNodes {
			all = append(all, fmt.Sprintf("and %d more", len(nodes)-i))
			break
		}
		all = append(all, fmt.Sprintf("node %s %s with %s", n.id, n.total, member.LabelText(n.labels)))
	}
	return strings.Join(all, ", ")
}
