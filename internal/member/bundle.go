package member

import (
	"strconv"
	"strings"
)

// bundleMark stands between the name of a resource and the bundle that it is of. A node's own resources have none in their names.
const bundleMark = "@"

const (
	// presence is what a bundle has of itself, and presenceNeed what each of its tasks takes of that: so a task which needs nothing else
	// still runs nowhere but there.
	presence     = 1 << 40
	presenceNeed = 1
)

// AnyBundle is the index that stands for whichever bundle of a group has room.
const AnyBundle = -1

// Bundle names a bundle of a placement group. The zero Bundle is none.
//
// What a node has reserved for bundle 2 of group G it offers under names of its own: of each resource, as "CPU@G.2", and as "CPU@G" together
// with that of the group's other bundles there. Who needs a bundle takes of both, who needs any takes of the second.
type Bundle struct {
	Group string
	Index int // or AnyBundle
}

// Presence is the name of what everything takes that is bound to the bundle.
func (b Bundle) Presence() string {
	if b.Index == AnyBundle {
		return bundleMark + b.Group
	}
	return bundleMark + b.Group + "." + strconv.Itoa(b.Index)
}

// Amounts are what a node offers for the bundle once it has reserved amounts.
func (b Bundle) Amounts(reserved Amounts) Amounts { return b.named(reserved, presence) }

// Need is what work in the bundle takes that needs need.
func (b Bundle) Need(need Amounts) Amounts { return b.named(need, presenceNeed) }

func (b Bundle) named(amounts Amounts, there int64) Amounts {
	named := make(Amounts, 2*len(amounts)+2)
	put := func(suffix string) {
		named[suffix] = there
		for name, n := range amounts {
			named[name+suffix] = n
		}
	}
	put(Bundle{b.Group, AnyBundle}.Presence())
	if b.Index != AnyBundle {
		put(b.Presence())
	}
	return named
}

// String returns for example "bundle 2 of group G".
func (b Bundle) String() string {
	if b.Index == AnyBundle {
		return "any bundle of group " + b.Group
	}
	return "bundle " + strconv.Itoa(b.Index) + " of group " + b.Group
}

// CPUs is what a counts in CPUs, of the node or of bundles; nil if nothing.
func (a Amounts) CPUs() (cpus Amounts) {
	for name, n := range a {
		if base, _, _ := strings.Cut(name, bundleMark); base == CPU {
			if cpus == nil {
				cpus = make(Amounts, 1)
			}
			cpus[name] = n
		}
	}
	return cpus
}

// Own is what a counts that is of the node itself, and of no bundle; also what it counts none of.
func (a Amounts) Own() Amounts {
	own := make(Amounts, len(a))
	for name, n := range a {
		if !strings.Contains(name, bundleMark) {
			own[name] = n
		}
	}
	return own
}

// isOfGroup says whether a name is that of all of a group's bundles, and returns the node's own name of the resource, which is empty for the
// bundles' presence.
func isOfGroup(name string) (own string, ofGroup bool) {
	own, group, found := strings.Cut(name, bundleMark)
	return own, found && !strings.Contains(group, ".")
}

// Furnish offers what was taken of the node under the names of bundles: extra is a sum of [Bundle.Amounts].
func (c *Capacity) Furnish(extra Amounts) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total.add(extra)
	c.free.add(extra)
}

// Withdraw ends the offer of all bundles of a group, with all that Furnish was given for them. What nobody holds of it is the node's again at
// once, and the rest when its holders give it back. Those in line for it go on without it.
func (c *Capacity) Withdraw(extra Amounts) {
	c.mu.Lock()
	for name := range extra {
		own, ofGroup := isOfGroup(name)
		if ofGroup && own != "" {
			c.free[own] += c.free[name]
			if held := c.total[name] - c.free[name]; held > 0 {
				if c.ending == nil {
					c.ending = make(Amounts)
				}
				c.ending[name] = held
			}
		}
		delete(c.total, name)
		delete(c.free, name)
	}
	resumed := c.admit()
	c.mu.Unlock()
	for _, w := range resumed {
		w.resume()
	}
}

// giveBack takes in what is of no bundle any more. c.mu is held.
func (c *Capacity) giveBack(name string, n int64) {
	held := c.ending[name]
	if held == 0 {
		return
	}
	n = min(n, held)
	own, _ := isOfGroup(name)
	c.free[own] += n
	if c.ending[name] -= n; c.ending[name] == 0 {
		delete(c.ending, name)
	}
}

// Ending says whether somebody still holds what bundles of a group had that are not here any more.
func (c *Capacity) Ending(group string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name := range c.ending {
		if strings.HasSuffix(name, bundleMark+group) {
			return true
		}
	}
	return false
}
