package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"manta/node"
)

// nodes joins the cluster and looks at who is there.
func (x *examination) nodes(ctx context.Context) {
	starting, cancel := context.WithTimeout(ctx, x.Timeout)
	defer cancel()
	n, in, err := node.Start(starting, x.Config.Config)
	if err != nil {
		x.bad(Fail, "joining", "what failed above may be the reason; nodes of another version of frames need a namespace of their own", "%v", err)
		return
	}
	defer func() { _ = n.Close() }() // whatever it says, the examination is over
	if x.Caller != "" {
		x.ok("joining", "as the caller %q, who sees no nodes", x.Caller)
		return
	}
	members, err := node.Members(in)
	if err != nil {
		x.bad(Fail, "nodes", "report this", "%v", err)
		return
	}
	members = slices.DeleteFunc(members, func(m node.Info) bool { return m.ID == n.ID() })
	x.serving(members)
	x.versions(members)
	for _, m := range members {
		if r, err := node.ReadClock(n.Context(starting), m.ID); err != nil {
			x.bad(Warn, "clock of "+m.Name, "look at that node: manta logs, manta pprof", "%v", err)
		} else {
			x.clock(m.Name, r.Ahead, r.Trip)
		}
	}
}

// serving looks for nodes that do something.
func (x *examination) serving(members []node.Info) {
	serve := 0
	for _, m := range members {
		if len(m.Functions)+len(m.Classes) > 0 {
			serve++
		}
	}
	if serve == 0 {
		x.bad(Warn, "nodes", "start one: manta dev, or a program with node.Start", "%d are there and none serves a function or a class", len(members))
		return
	}
	x.ok("nodes", "%d are there, %d of which serve functions or classes", len(members), serve)
}

// versions compares those of the nodes with this program's.
func (x *examination) versions(members []node.Info) {
	others := make(map[string][]string)
	for _, m := range members {
		if m.Version != node.Version {
			others[m.Version] = append(others[m.Version], m.Name)
		}
	}
	if len(others) == 0 {
		x.ok("versions", "all nodes and this program are Manta %s", node.Version)
		return
	}
	var all []string
	for version, names := range others {
		all = append(all, fmt.Sprintf("%s at %s", version, strings.Join(names, ", ")))
	}
	slices.Sort(all)
	x.bad(Warn, "versions", "bring all of them to one version", "this program is Manta %s, others are %s", node.Version, strings.Join(all, "; "))
}
