package timeline

import (
	"cmp"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"time"

	"manta/node"
)

// Event is one of the Chrome trace format. Times are in microseconds.
type Event struct {
	Phase string         `json:"ph"`
	Name  string         `json:"name"`
	Cat   string         `json:"cat,omitempty"`
	At    int64          `json:"ts"`
	Takes *int64         `json:"dur,omitempty"`
	PID   int            `json:"pid"`
	TID   int            `json:"tid"`
	ID    string         `json:"id,omitempty"`
	Binds string         `json:"bp,omitempty"`
	Args  map[string]any `json:"args,omitempty"`
}

// Trace is a file of the format.
type Trace struct {
	Events []Event `json:"traceEvents"`
	Unit   string  `json:"displayTimeUnit"`
}

// Write draws tasks; now is where those end that have not.
func Write(w io.Writer, tasks []node.TaskState, now time.Time) error {
	return json.NewEncoder(w).Encode(Draw(tasks, now))
}

// Draw draws tasks.
func Draw(tasks []node.TaskState, now time.Time) Trace {
	d := drawing{now: now, pids: make(map[string]int), slots: make(map[int][]time.Time), ran: make(map[string]run)}
	runs := d.runsOf(tasks)
	for i := range runs {
		d.place(&runs[i])
	}
	for i := range runs {
		d.draw(&runs[i])
	}
	return Trace{Events: d.events, Unit: "ms"}
}

// drawing is a trace in the making.
type drawing struct {
	now    time.Time
	events []Event
	pids   map[string]int      // of nodes
	slots  map[int][]time.Time // of each process: until when a slot is taken
	ran    map[string]run      // the last attempt of each task that began
}

// run is an attempt of a task that began to run, or that waits.
type run struct {
	task     *node.TaskState
	attempt  *node.Attempt
	pid, tid int
	end      time.Time
}

func (r *run) began() bool { return !r.attempt.Started.IsZero() }

// runsOf returns the attempts of all tasks, in the order in which they began.
func (d *drawing) runsOf(tasks []node.TaskState) (runs []run) {
	for i := range tasks {
		for k := range tasks[i].Attempts {
			a := &tasks[i].Attempts[k]
			if a.Ready.IsZero() && a.Started.IsZero() {
				continue
			}
			r := run{task: &tasks[i], attempt: a, end: d.now}
			for _, at := range []time.Time{a.Stored, a.Returned, a.Ended} {
				if !at.IsZero() {
					r.end = at
					break
				}
			}
			runs = append(runs, r)
		}
	}
	slices.SortStableFunc(runs, func(a, b run) int { return a.attempt.Started.Compare(b.attempt.Started) })
	return runs
}

// place gives a run its node, and the first slot there that is free.
func (d *drawing) place(r *run) {
	r.pid = d.process(cmp.Or(r.attempt.NodeName, r.attempt.Node, r.task.OwnerName, r.task.Owner, "unknown"))
	if !r.began() {
		return
	}
	slots := d.slots[r.pid]
	i := slices.IndexFunc(slots, func(until time.Time) bool { return !until.After(r.attempt.Started) })
	if i < 0 {
		i = len(slots)
		slots = append(slots, time.Time{})
		d.meta("thread_name", r.pid, i+1, map[string]any{"name": "slot " + strconv.Itoa(i+1)})
		d.meta("thread_sort_index", r.pid, i+1, map[string]any{"sort_index": i + 1})
	}
	slots[i], r.tid = r.end, i+1
	d.slots[r.pid] = slots
	d.ran[r.task.ID] = *r
}

func (d *drawing) process(name string) int {
	pid, known := d.pids[name]
	if !known {
		pid = len(d.pids) + 1
		d.pids[name] = pid
		d.meta("process_name", pid, 0, map[string]any{"name": name})
	}
	return pid
}

func (d *drawing) meta(what string, pid, tid int, args map[string]any) {
	d.events = append(d.events, Event{Phase: "M", Name: what, PID: pid, TID: tid, Args: args})
}

// draw draws a run: what it waited for, its phases, and where it came from.
func (d *drawing) draw(r *run) {
	a := r.attempt
	d.wait(r, "waiting", r.task.Submitted, a.Ready)
	began := a.Started
	if !r.began() {
		began = r.end
	}
	d.wait(r, "queued", a.Ready, began)
	if !r.began() {
		return
	}
	d.slice(r, r.task.Func, a.State, a.Started, r.end, r.args())
	d.slice(r, "fetching", "phase", a.Started, a.Fetched, nil)
	returned := a.Returned
	if returned.IsZero() {
		returned = r.end
	}
	if !a.Fetched.IsZero() {
		d.slice(r, "running", "phase", a.Fetched, returned, nil)
	}
	d.slice(r, "storing", "phase", a.Returned, a.Stored, nil)
	d.arrow(r)
}

func (r *run) args() map[string]any {
	args := map[string]any{"id": r.task.ID, "attempt": r.attempt.Number, "state": r.attempt.State}
	if r.task.Parent != "" {
		args["parent"] = r.task.Parent
	}
	if r.attempt.Error != nil {
		args["error"] = r.attempt.Error.Message
	}
	return args
}

// slice draws what took a slot for a while.
func (d *drawing) slice(r *run, name, cat string, from, to time.Time, args map[string]any) {
	if from.IsZero() || to.IsZero() {
		return
	}
	takes := max(0, to.Sub(from).Microseconds())
	d.events = append(d.events, Event{Phase: "X", Name: name, Cat: cat, At: from.UnixMicro(), Takes: &takes, PID: r.pid, TID: r.tid, Args: args})
}

// wait draws what a task waited for, beside the slots.
func (d *drawing) wait(r *run, name string, from, to time.Time) {
	if from.IsZero() || to.IsZero() || !to.After(from) {
		return
	}
	id := r.task.ID + "." + strconv.Itoa(r.attempt.Number) + "." + name
	e := Event{Phase: "b", Name: name, Cat: "wait", ID: id, At: from.UnixMicro(), PID: r.pid, Args: map[string]any{"func": r.task.Func, "id": r.task.ID}}
	d.events = append(d.events, e)
	e.Phase, e.At, e.Args = "e", to.UnixMicro(), nil
	d.events = append(d.events, e)
}

// arrow leads from where a task was submitted, inside its parent, to where it began.
func (d *drawing) arrow(r *run) {
	parent, known := d.ran[r.task.Parent]
	submitted := r.task.Submitted
	if !known || r.attempt.Number > 1 || submitted.Before(parent.attempt.Started) || submitted.After(parent.end) {
		return
	}
	e := Event{Phase: "s", Name: "submits", Cat: "parent", ID: r.task.ID, At: submitted.UnixMicro(), PID: parent.pid, TID: parent.tid}
	d.events = append(d.events, e)
	e.Phase, e.Binds, e.At, e.PID, e.TID = "f", "e", r.attempt.Started.UnixMicro(), r.pid, r.tid
	d.events = append(d.events, e)
}
