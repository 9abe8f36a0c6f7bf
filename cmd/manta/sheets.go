package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"manta/node"
)

// How things are shown as rows.

func nodeSheet(nodes []node.NodeState) sheet {
	s := sheet{
		header: []string{"name", "id", "state", "free", "labels", "running", "pending", "actors", "objects", "age", "version"},
		right:  []string{"running", "pending", "actors", "objects", "age"},
	}
	for _, n := range nodes {
		s.rows = append(s.rows, []string{
			n.Name, n.ID, n.State, free(n.Free, n.Resources), pairs(n.Labels), count(n.Running), count(n.Pending), count(n.Actors), count(n.Objects),
			age(n.Joined, n.Ended), n.Version,
		})
	}
	return s
}

// mostWords is how much of a reason or an error a row has.
const mostWords = 100

func taskSheet(tasks []node.TaskState) sheet {
	s := sheet{
		header: []string{"id", "function", "state", "attempt", "node", "owner", "took", "running", "why"},
		right:  []string{"attempt", "took", "running"},
	}
	for _, t := range tasks {
		why := t.Reason
		if t.Error != nil {
			why = t.Error.Message
		}
		s.rows = append(s.rows, []string{
			t.ID, t.Func, t.State, strconv.Itoa(t.Attempt), cmp.Or(t.NodeName, t.Node), cmp.Or(t.OwnerName, t.Owner), age(t.Submitted, t.Ended),
			lasting(t), clip(why, mostWords),
		})
	}
	return s
}

// lasting is how long a task ran, or has run.
func lasting(t node.TaskState) string {
	switch {
	case t.Durations.Running > 0:
		return short(time.Duration(t.Durations.Running * float64(time.Second)))
	case t.State == "running" && !t.Started.IsZero():
		return short(time.Since(t.Started))
	}
	return ""
}

func actorSheet(actors []node.ActorState) sheet {
	s := sheet{
		header: []string{"id", "class", "state", "node", "waiting", "running", "restarts", "age", "why"},
		right:  []string{"waiting", "running", "restarts", "age"},
	}
	for _, a := range actors {
		why := ""
		if a.Cause != nil {
			why = a.Cause.Message
		}
		s.rows = append(s.rows, []string{
			a.ID, a.Class, a.State, cmp.Or(a.NodeName, a.Node), count(a.Waiting), count(a.Running), count(a.Restarts), age(a.Began, a.Ended),
			clip(why, mostWords),
		})
	}
	return s
}

func objectSheet(objects []node.ObjectState) sheet {
	s := sheet{
		header: []string{"id", "state", "size", "where", "owner", "holders", "pins", "age"},
		right:  []string{"size", "holders", "pins", "age"},
	}
	for _, o := range objects {
		s.rows = append(s.rows, []string{
			o.ID, o.State, size(o.Size), o.Where, cmp.Or(o.OwnerName, o.Owner), count(len(o.Holders)), count(o.Pins), age(o.Stored, o.Ended),
		})
	}
	return s
}

func groupSheet(groups []node.GroupState) sheet {
	s := sheet{header: []string{"id", "state", "strategy", "owner", "bundles"}}
	for _, g := range groups {
		var bundles []string
		for _, b := range g.Bundles {
			bundles = append(bundles, b.Resources.String()+" at "+cmp.Or(b.NodeName, b.Node, "no node yet"))
		}
		s.rows = append(s.rows, []string{g.ID, g.State, g.Strategy, cmp.Or(g.OwnerName, g.Owner), strings.Join(bundles, "; ")})
	}
	return s
}

// summarySheet has a column for each state that something is in.
func summarySheet(k kind) func([]node.Summary) sheet {
	return func(summaries []node.Summary) sheet {
		states := make(map[string]bool)
		for _, s := range summaries {
			for state := range s.States {
				states[state] = true
			}
		}
		columns := slices.Sorted(maps.Keys(states))
		s := sheet{header: slices.Concat([]string{map[string]string{"node": "version", "task": "function", "actor": "class", "object": "owner", "group": "strategy"}[k.name]}, columns, []string{"total"})}
		extra := map[string]string{"task": "median", "object": "bytes"}[k.name]
		if extra != "" {
			s.header = append(s.header, extra)
		}
		s.right = s.header[1:]
		for _, of := range summaries {
			row := []string{of.Name}
			for _, state := range columns {
				row = append(row, count(of.States[state]))
			}
			row = append(row, strconv.Itoa(of.Total))
			switch extra {
			case "median":
				row = append(row, short(time.Duration(of.Running*float64(time.Second))))
			case "bytes":
				row = append(row, size(of.Bytes))
			}
			s.rows = append(s.rows, row)
		}
		return s
	}
}

// count is a number; nothing for none, so that those that count are seen.
func count(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// free is what is free of what there is, by name.
func free(free, total node.Resources) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(total)) {
		of := strconv.FormatFloat(total[name], 'g', -1, 64)
		if left, known := free[name]; known || free != nil {
			of = strconv.FormatFloat(left, 'g', -1, 64) + "/" + of
		}
		all = append(all, name+" "+of)
	}
	return strings.Join(all, ", ")
}

func pairs(labels map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, name+"="+labels[name])
	}
	return strings.Join(all, ",")
}

// age is how long something has been there, or was.
func age(from, to time.Time) string {
	if from.IsZero() {
		return ""
	}
	if to.IsZero() {
		to = time.Now()
	}
	return short(to.Sub(from))
}

// short writes a duration in one unit, or two where the second one matters.
func short(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d < time.Millisecond:
		return fmt.Sprintf("%dµs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// size writes a number of bytes with three digits that count.
func size(n int64) string {
	const step = 1024
	if n < step {
		return strconv.FormatInt(n, 10) + " B"
	}
	value, unit := float64(n), 0
	for value >= step && unit < len(units)-1 {
		value /= step
		unit++
	}
	return strconv.FormatFloat(value, 'g', 3, 64) + " " + units[unit]
}

var units = []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
