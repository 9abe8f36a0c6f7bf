package member

import (
	"maps"
	"strings"
	"sync"
)

// Capacity is what a node has and what is free of it. Free never goes below zero.
//
// Work that blocks gives its need back and stands in line to go on; whoever stands there is served before new work.
type Capacity struct {
	mu    sync.Mutex
	total Amounts
	free  Amounts
	line  []waiting // blocked work that wants to go on, first come first served

	ending Amounts // what is still held of bundles that were withdrawn
}

type waiting struct {
	need   Amounts
	resume func()
}

// NewCapacity returns the capacity of a node that has total.
func NewCapacity(total Amounts) *Capacity {
	c := &Capacity{total: make(Amounts), free: make(Amounts)}
	c.total.add(total)
	c.free.add(total)
	return c
}

// Take takes need if it is free and nobody stands in line for capacity.
func (c *Capacity) Take(need Amounts) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(need) > 0 && len(c.line) > 0 || !c.free.Covers(need) {
		return false
	}
	c.free.subtract(need)
	return true
}

// Give returns need and lets those in line go on for whom there is room.
func (c *Capacity) Give(need Amounts) {
	c.mu.Lock()
	for name, n := range need {
		if _, there := c.total[name]; there {
			c.free[name] += n
		} else {
			c.giveBack(name, n)
		}
	}
	resumed := c.admit()
	c.mu.Unlock()
	for _, w := range resumed {
		w.resume()
	}
}

// Retake takes need as soon as it is free and everyone before in line has gone on; then it calls resume, which must not block.
func (c *Capacity) Retake(need Amounts, resume func()) {
	c.mu.Lock()
	c.line = append(c.line, waiting{need, resume})
	resumed := c.admit()
	c.mu.Unlock()
	for _, w := range resumed {
		w.resume()
	}
}

func (c *Capacity) admit() (resumed []waiting) {
	for len(c.line) > 0 {
		switch need := c.line[0].need; {
		case c.withdrawn(need):
		case c.free.Covers(need):
			c.free.subtract(need)
		default:
			return resumed
		}
		resumed = append(resumed, c.line[0])
		c.line = c.line[1:]
	}
	return resumed
}

// withdrawn says whether need is of a bundle that is not here any more.
func (c *Capacity) withdrawn(need Amounts) bool {
	for name := range need {
		if _, there := c.total[name]; !there && strings.Contains(name, bundleMark) {
			return true
		}
	}
	return false
}

// Slots says how many more needs fit, at most limit.
func (c *Capacity) Slots(need Amounts, limit int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.line) > 0 && len(need) > 0 {
		return 0
	}
	return c.free.Times(need, limit)
}

// SlotsBeside is Slots of what is free beside what is kept for others.
func (c *Capacity) SlotsBeside(kept, need Amounts, limit int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.line) > 0 && len(need) > 0 {
		return 0
	}
	times := int64(limit)
	for name, n := range need {
		times = min(times, (c.free[name]-kept[name])/n)
	}
	return int(max(times, 0))
}

// Contended says whether somebody stands in line.
func (c *Capacity) Contended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.line) > 0
}

// Could says whether need fits into what the node has.
func (c *Capacity) Could(need Amounts) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total.Covers(need)
}

// Total returns what the node has, and what it offers for bundles.
func (c *Capacity) Total() Amounts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.total)
}

// Free returns what is not taken.
func (c *Capacity) Free() Amounts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.free)
}
