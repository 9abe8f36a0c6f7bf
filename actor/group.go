package actor

import "fmt"

// group is methods that share a line at the cell and a lane at each caller.
type group struct {
	name        string
	concurrency int
	methods     []string
}

// Group gives methods a line of their own, in which n calls run at a time beside those of other lines: calls that wait there hold up no others.
// Calls of a group of one keep their order among themselves; between groups there is none. The actor's own Concurrency is for the
// methods that no group names.
func Group(name string, n int, methods ...string) ClassOption {
	return func(c *class) error {
		if n < 1 {
			return fmt.Errorf("group %q has a concurrency of %d: want a number from 1", name, n)
		}
		if len(c.groups) == maxLanes {
			return fmt.Errorf("group %q is one too many: a class can have %d", name, maxLanes-1)
		}
		c.groups = append(c.groups, group{name, n, methods})
		return nil
	}
}

// assignGroups notes the group of each method.
func (c *class) assignGroups() error {
	for i, g := range c.groups {
		for _, name := range g.methods {
			m := c.methods[name]
			if m == nil {
				return fmt.Errorf("group %q of class %q names %s, which is no method that can be called from elsewhere", g.name, c.name, name)
			}
			if m.group != 0 {
				return fmt.Errorf("method %s of class %q is in the groups %q and %q", name, c.name, c.groups[m.group].name, g.name)
			}
			m.group = i
		}
	}
	return nil
}

// lanes are those of a caller of an actor of the class.
func (c *class) lanes() []*lane {
	lanes := make([]*lane, len(c.groups))
	for i, g := range c.groups {
		lanes[i] = &lane{number: i, ordered: g.concurrency == 1, stream: 1}
	}
	return lanes
}

// lines are those of an actor of the class.
func (c *class) lines() []line {
	lines := make([]line, len(c.groups))
	for i, g := range c.groups {
		lines[i].concurrency = g.concurrency
	}
	return lines
}
