package call

import (
	"strings"

	"manta/internal/member"
)

// Placing says which nodes a task may run on, and which of them come first. It is a filter and an order over the nodes that an owner
// knows. The zero Placing is any node, the one with the most room first.
type Placing struct {
	Labels member.Selector // what the node's labels must be
	Node   member.ID       // the only one, or, if Soft, the first one; zero: none in particular
	Soft   bool
	Spread bool // the node with the fewest tasks of its kind first
}

// Anywhere says whether any node is as good as any other.
func (p *Placing) Anywhere() bool {
	return len(p.Labels) == 0 && p.Node == member.ID{} && !p.Spread
}

// Only returns the one node that will do, if there is one.
func (p *Placing) Only() (id member.ID, ok bool) { return p.Node, p.Node != member.ID{} && !p.Soft }

// Allows is the filter.
func (p *Placing) Allows(id member.ID, labels map[string]string) bool {
	if only, ok := p.Only(); ok && id != only {
		return false
	}
	return p.Labels.Matches(labels)
}

// String says where, to stand behind what a task needs; "" for anywhere. Equal placings have equal words.
func (p *Placing) String() string {
	var parts []string
	if len(p.Labels) > 0 {
		parts = append(parts, "on a node with "+p.Labels.String())
	}
	switch {
	case p.Node == member.ID{}:
	case p.Soft:
		parts = append(parts, "if possible on node "+p.Node.String())
	default:
		parts = append(parts, "on node "+p.Node.String()+" alone")
	}
	if p.Spread {
		parts = append(parts, "spread over the nodes")
	}
	return strings.Join(parts, ", ")
}
