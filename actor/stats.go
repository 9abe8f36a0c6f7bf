package actor

import (
	"errors"
	"maps"
	"slices"

	"manta/internal/call"
)

// Stats counts actors and their calls since the node started, by class and in the order of the classes' names.
type Stats struct {
	// Calls are those that this node made. The first 200 classes are told apart; all others are one, which is called "other".
	Calls []Calls
	// Residents are the actors that live here, or did.
	Residents []Residents
}

// Calls are the calls of one class's actors that a node made. Those that have not succeeded, failed or been cancelled have no outcome yet.
type Calls struct {
	Class                              string
	Made, Succeeded, Failed, Cancelled int64
}

// Residents are the actors of one class at a node, and the calls that ran in them, whoever made them.
type Residents struct {
	Class     string
	Started   int64 // actors that came to live here
	Restarted int64 // of them, those that had lived elsewhere: their node was lost, or has drained
	Ran       int64 // calls, with Failed
	Failed    int64

	// At this moment: actors whose Start runs, that take calls, that do so without an instance (IdleAfter), that are to end, and that are to
	// live elsewhere.
	Starting, Serving, Asleep, Stopping, Moving int64

	// Calls at this moment. Queued is the depth of all mailboxes.
	Running, Queued int64
}

// Stats returns the node's counters. It takes time in proportion to the actors that live here: 3.4 ms for 10,000.
func (e *Engine) Stats() Stats {
	s := Stats{Calls: e.callers.stats()}
	if e.host != nil {
		s.Residents = e.host.stats()
	}
	return s
}

// end counts the outcome of a call.
func (c *Calls) end(err error) {
	switch {
	case err == nil:
		c.Succeeded++
	case errors.Is(err, call.ErrCancelled):
		c.Cancelled++
	default:
		c.Failed++
	}
}

// countsOf returns the counts of a caller's class; callers is locked.
func (cs *callers) countsOf(c *caller) *Calls {
	if c.counts == nil {
		c.counts = cs.counts.Of(c.class.name)
	}
	return c.counts
}

func (cs *callers) stats() (all []Calls) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for name, c := range cs.counts.All() {
		c.Class = name
		all = append(all, *c)
	}
	return all
}

// counts are the calls that ran in a cell; its mu guards them.
type counts struct {
	ran, failed int64
	closed      bool // they are among those of the host's past
}

func (c *counts) note(err error) {
	if c.closed {
		return
	}
	if c.ran++; err != nil {
		c.failed++
	}
}

// pastOf returns what was counted of a class's cells that are gone; the host is locked.
func (h *host) pastOf(c *class) *Residents {
	r := h.past[c.name]
	if r == nil {
		r = &Residents{Class: c.name}
		h.past[c.name] = r
	}
	return r
}

// forget takes out a cell that has ended, nil if that was done before. What it has counted stays, and does not count twice at any moment.
func (h *host) forget(c *cell) {
	if c == nil {
		return
	}
	c.mu.Lock()
	c.counts.closed = true
	last := c.counts
	c.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	past := h.pastOf(c.class)
	past.Ran, past.Failed = past.Ran+last.ran, past.Failed+last.failed
	delete(h.cells, c.mailbox)
}

func (h *host) stats() (all []Residents) {
	h.mu.Lock()
	cells := slices.Collect(maps.Values(h.cells))
	classes := make(map[string]*Residents, len(h.past))
	for name, past := range h.past {
		classes[name] = new(*past)
	}
	h.mu.Unlock()
	for _, c := range cells {
		c.count(classes[c.class.name])
	}
	for _, name := range slices.Sorted(maps.Keys(classes)) {
		all = append(all, *classes[name])
	}
	return all
}

// count adds a cell to those of its class.
func (c *cell) count(r *Residents) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.Ran, r.Failed = r.Ran+c.counts.ran, r.Failed+c.counts.failed
	for i := range c.lines {
		l := &c.lines[i]
		r.Running += int64(l.running)
		r.Queued += int64(l.queue.len() - l.gone)
	}
	switch {
	case c.phase == starting:
		r.Starting++
	case c.phase == serving && c.asleep:
		r.Asleep++
	case c.phase == serving:
		r.Serving++
	case c.phase == stopping:
		r.Stopping++
	case c.phase == moving:
		r.Moving++
	}
}
