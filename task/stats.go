package task

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"manta/internal/call"
	"manta/internal/member"
)

// Stats counts tasks since the node started.
type Stats struct {
	Submitted int64 // by this node
	Ran       int64 // on this node, whoever submitted them
	Refused   int64 // sent to this node when it had no room

	// Submissions are the tasks of this node, and Runs what ran here, by function and in the order of the functions' names. Of submissions
	// the first 200 functions are told apart; all others are one, which is called "other".
	Submissions []Submissions
	Runs        []Runs
}

// Submissions are the tasks of one function that a node submitted: for itself, for a plain client, or, of durable ones, because it took them
// up. What was submitted has succeeded, failed or was cancelled, or waits, queues, is under way or pauses at this moment; or nearly so: who runs
// a task that was cancelled may not know it yet.
type Submissions struct {
	Func       string
	Submitted  int64
	Recomputed int64 // submitted once more by the node itself, because their results were lost; they count in nothing but the moment

	Succeeded, Failed, Cancelled int64 // Failed says any error but that of a cancellation

	RetriedLost   int64 // attempts that were made because the node of the one before was lost
	RetriedFailed int64 // attempts that were made because the one before failed

	Waiting  int64 // for arguments, at this moment
	Queued   int64 // here, until a node has room
	UnderWay int64 // at a node, or on its way to one
	Pausing  int64 // between two attempts
}

// Runs are the tasks of one function that came to a node.
type Runs struct {
	Func    string
	Ran     int64 // with Failed
	Failed  int64 // an attempt each
	Refused int64 // sent back because there was no room

	Running, Queued int64 // at this moment

	Took   Durations // how long those that ran did, with fetching and decoding arguments, and encoding results
	Waited Durations // from when they came to the node until they got what they need of it
}

// Durations is how long something took how often, in buckets.
type Durations = member.Durations

// Stats returns the node's counters.
func (e *Engine) Stats() Stats {
	var s Stats
	switch {
	case e.asker != nil:
		s.Submissions = e.asker.stats()
	case e.host != nil:
		s.Runs = e.host.stats()
		fallthrough
	default:
		s.Submissions = e.owner.stats()
	}
	for i := range s.Submissions {
		s.Submitted += s.Submissions[i].Submitted
	}
	for i := range s.Runs {
		s.Ran, s.Refused = s.Ran+s.Runs[i].Ran, s.Refused+s.Runs[i].Refused
	}
	return s
}

// enter counts a task that is submitted.
func (c *Submissions) enter(again bool) {
	if again {
		c.Recomputed++
	} else {
		c.Submitted++
	}
}

// end counts the outcome of a task.
func (c *Submissions) end(err error, again bool) {
	switch {
	case again:
	case err == nil:
		c.Succeeded++
	case errors.Is(err, ErrCancelled):
		c.Cancelled++
	default:
		c.Failed++
	}
}

// sorted copies counts.
func sorted(counts *member.Named[Submissions]) (all []Submissions) {
	for name, c := range counts.All() {
		c.Func = name
		all = append(all, *c)
	}
	return all
}

// countsOf returns the counts of a task's function.
func (o *owner) countsOf(s *submission) *Submissions {
	if s.lane != nil {
		return s.lane.counts
	}
	return o.counts.Of(s.Target.Name)
}

func (o *owner) stats() []Submissions {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range o.counts.All() {
		c.Queued, c.UnderWay = 0, 0
	}
	for _, l := range o.lanes {
		l.counts.Queued += int64(max(l.backlog.len()-l.backlog.ended, 0))
		l.counts.UnderWay += int64(l.inflight)
		if l.door != nil {
			l.counts.UnderWay++
		}
	}
	return sorted(&o.counts)
}

func (a *asker) stats() []Submissions {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.counts.All() {
		c.Waiting, c.Queued, c.UnderWay = 0, 0, 0
	}
	for q := range a.waiting {
		a.counts.Of(q.Target.Name).Waiting++
	}
	for _, q := range slices.Concat(a.queue, a.resting) {
		if !q.ended {
			a.counts.Of(q.Target.Name).Queued++
		}
	}
	for _, q := range a.open {
		a.counts.Of(q.Target.Name).UnderWay++
	}
	return sorted(&a.counts)
}

// runs counts what the tasks of one function do at a node. The desk's lock guards it.
type runs struct {
	labels               *call.Labels
	ran, failed, refused int64
	took, waited         member.Durations
}

func (r *runs) note(took time.Duration, failed bool) {
	r.ran++
	if failed {
		r.failed++
	}
	r.took.Note(took)
}

// runsOf returns what is counted of a function that is served here.
func (d *desk) runsOf(function string) *runs {
	r := d.runs[function]
	if r == nil {
		r = &runs{labels: call.NewLabels(call.TaskLabel, function)}
		d.runs[function] = r
	}
	return r
}

func (h *host) stats() (all []Runs) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(h.desk.runs)) {
		r := h.desk.runs[name]
		all = append(all, Runs{Func: name, Ran: r.ran, Failed: r.failed, Refused: r.refused, Took: r.took, Waited: r.waited})
	}
	for _, g := range h.desk.guests {
		i, served := slices.BinarySearchFunc(all, g.function, func(r Runs, name string) int { return strings.Compare(r.Func, name) })
		if served {
			all[i].Running, all[i].Queued = all[i].Running+int64(g.running), all[i].Queued+int64(g.queue.len())
		}
	}
	return all
}
