package logs

import (
	"slices"
	"time"
)

const (
	// repeatsFor is how long a line that many log alike is shown once.
	repeatsFor = 5 * time.Second
	// mostRepeats bounds the lines that are remembered: beyond that each is shown.
	mostRepeats = 1 << 12
)

// repeats decides which lines are shown: what many tasks or nodes log alike is shown when it comes first, and once more, with a count, when its time
// is over. What one task alone repeats is shown each time. It has no clock.
//
//	first line ─► shown ─► same task: shown … ─► forgotten
//	                └────► another: counted … ─► the last one is shown with the count ─► counted again …
type repeats struct {
	seen  map[repeatKey]*repeat
	order []*repeat // by their ends
}

// repeatKey is what lines that are alike have in common. Their fields may differ.
type repeatKey struct{ level, task, class, method, message string }

type repeat struct {
	key    repeatKey
	source string // of the first line
	ends   time.Time
	last   Line
	count  int // of lines that were not shown
}

// shown is a line that is shown, and how many were not that it stands for.
type shown struct {
	Line
	more int
}

// add takes in a line, and says whether it is shown.
func (r *repeats) add(l *Line, now time.Time) bool {
	key := repeatKey{l.Level, l.Task, l.Class, l.Method, l.Message}
	known := r.seen[key]
	switch {
	case known == nil && len(r.order) >= mostRepeats:
		return true
	case known == nil:
		if r.seen == nil {
			r.seen = make(map[repeatKey]*repeat)
		}
		known = &repeat{key: key, source: l.source(), ends: now.Add(repeatsFor)}
		r.seen[key] = known
		r.order = append(r.order, known)
		return true
	case known.source == l.source():
		return true
	}
	known.source = "" // there are several: none shows its own any more
	known.last = *l
	known.count++
	return false
}

// source tells tasks apart, and of actors' calls the actors.
func (l *Line) source() string {
	if l.Actor != "" {
		return l.Actor
	}
	return l.ID
}

// due returns the lines that are to be shown by now, and forgets those whose time is over.
func (r *repeats) due(now time.Time) (due []shown) {
	for len(r.order) > 0 && !now.Before(r.order[0].ends) {
		over := r.order[0]
		r.order = r.order[1:]
		if over.count == 0 {
			delete(r.seen, over.key)
			continue
		}
		due = append(due, shown{over.last, over.count})
		over.count, over.last, over.ends = 0, Line{}, now.Add(repeatsFor)
		r.order = append(r.order, over)
	}
	return due
}

// next returns when due has something to do, and false if never.
func (r *repeats) next() (time.Time, bool) {
	if len(r.order) == 0 {
		return time.Time{}, false
	}
	return r.order[0].ends, true
}

// rest returns what was not shown, and forgets all.
func (r *repeats) rest() (rest []shown) {
	for _, over := range r.order {
		if over.count > 0 {
			rest = append(rest, shown{over.last, over.count})
		}
	}
	*r = repeats{}
	return slices.Clip(rest)
}
