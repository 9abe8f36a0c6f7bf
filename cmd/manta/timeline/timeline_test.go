package timeline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"manta/node"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

// at is so many milliseconds after noon.
func at(ms int) time.Time { return noon.Add(time.Duration(ms) * time.Millisecond) }

// family is a task that submits another, on another node, which has a large argument and a large result.
var family = []node.TaskState{
	{ID: "p", Func: "parent", Submitted: at(0), Attempts: []node.Attempt{
		{Number: 1, State: "finished", NodeName: "a", Ready: at(0), Started: at(2), Fetched: at(2), Returned: at(50), Ended: at(51)},
	}},
	{ID: "c", Func: "child", Parent: "p", Submitted: at(5), Attempts: []node.Attempt{
		{Number: 1, State: "finished", NodeName: "b", Ready: at(6), Started: at(10), Fetched: at(15), Returned: at(30), Stored: at(40), Ended: at(41)},
	}},
	{ID: "w", Func: "child", Submitted: at(7), Attempts: []node.Attempt{{Number: 1, State: "queued", NodeName: "b", Ready: at(7)}}},
}

func TestATaskIsASliceWithItsPhasesInside(t *testing.T) {
	trace := Draw(family, at(100))
	for _, want := range []struct {
		phase, name string
		from, to    int
	}{
		{"X", "parent", 2, 50}, {"X", "child", 10, 40}, {"X", "fetching", 10, 15}, {"X", "running", 15, 30}, {"X", "storing", 30, 40},
	} {
		if !slices.ContainsFunc(trace.Events, func(e Event) bool {
			return e.Phase == want.phase && e.Name == want.name && e.At == at(want.from).UnixMicro() && *e.Takes == at(want.to).Sub(at(want.from)).Microseconds()
		}) {
			t.Errorf("there is no %s from %d to %d ms", want.name, want.from, want.to)
		}
	}
	if problems := problemsOf(trace); len(problems) > 0 {
		t.Error(problems)
	}
}

func TestAnArrowLeadsFromAParentToItsChild(t *testing.T) {
	var from, to *Event
	for _, e := range Draw(family, at(100)).Events {
		switch e.Phase {
		case "s":
			from = &e
		case "f":
			to = &e
		}
	}
	if from == nil || to == nil || from.At != at(5).UnixMicro() || to.At != at(10).UnixMicro() || from.PID == to.PID || from.ID != to.ID || to.Binds != "e" {
		t.Errorf("from %+v to %+v", from, to)
	}
}

func TestAnyTasksMakeATraceOfTheFormat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tasks []node.TaskState
		for i := range rapid.IntRange(0, 40).Draw(t, "tasks") {
			clock := rapid.IntRange(0, 100).Draw(t, "submitted")
			step := func() (moment time.Time) {
				if clock >= 0 {
					moment = at(clock)
					if clock += rapid.IntRange(-5, 20).Draw(t, "step"); rapid.Bool().Draw(t, "ends") && rapid.Bool().Draw(t, "here") {
						clock = -1
					}
				}
				return moment
			}
			s := node.TaskState{ID: fmt.Sprint(i), Func: "f", Parent: fmt.Sprint(i - rapid.IntRange(-1, 3).Draw(t, "parent")), Submitted: step()}
			for k := range rapid.IntRange(0, 2).Draw(t, "attempts") {
				s.Attempts = append(s.Attempts, node.Attempt{
					Number: k + 1, NodeName: rapid.SampledFrom([]string{"a", "b", ""}).Draw(t, "node"),
					Ready: step(), Started: step(), Fetched: step(), Returned: step(), Stored: step(), Ended: step(),
				})
			}
			tasks = append(tasks, s)
		}
		var b bytes.Buffer
		if err := Write(&b, tasks, at(1000)); err != nil {
			t.Fatal(err)
		}
		var trace Trace
		if err := json.Unmarshal(b.Bytes(), &trace); err != nil {
			t.Fatal(err)
		}
		if problems := problemsOf(trace); len(problems) > 0 {
			t.Fatal(problems)
		}
	})
}

// problemsOf holds a trace against the format: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU.
func problemsOf(trace Trace) (problems []string) {
	type thread struct{ pid, tid int }
	named, open, begun := make(map[thread]bool), make(map[string]int64), make(map[string]int64)
	threads := make(map[thread][]Event)
	for _, e := range trace.Events {
		switch e.Phase {
		case "M":
			if e.Args["name"] == "" && e.Args["sort_index"] == nil {
				problems = append(problems, fmt.Sprintf("%+v names nothing", e))
			}
			named[thread{e.PID, e.TID}] = true
		case "X":
			if e.Takes == nil || *e.Takes < 0 || e.At <= 0 || e.Name == "" || !named[thread{e.PID, e.TID}] {
				problems = append(problems, fmt.Sprintf("%+v is no slice", e))
				continue
			}
			if e.Cat != "phase" {
				threads[thread{e.PID, e.TID}] = append(threads[thread{e.PID, e.TID}], e)
			}
		case "b":
			open[e.ID] = e.At
		case "e":
			if from, ok := open[e.ID]; !ok || e.At < from {
				problems = append(problems, fmt.Sprintf("%+v ends what has not begun", e))
			}
			delete(open, e.ID)
		case "s":
			begun[e.ID] = e.At
		case "f":
			if _, ok := begun[e.ID]; !ok || e.Binds != "e" {
				problems = append(problems, fmt.Sprintf("%+v comes from nowhere", e))
			}
			delete(begun, e.ID)
		default:
			problems = append(problems, "there is no phase "+e.Phase)
		}
	}
	if len(open)+len(begun) > 0 {
		problems = append(problems, fmt.Sprintf("%v and %v have no end", open, begun))
	}
	for on, slices := range threads {
		for i := 1; i < len(slices); i++ {
			if before := slices[i-1]; before.At+*before.Takes > slices[i].At {
				problems = append(problems, fmt.Sprintf("on %v %+v overlaps %+v", on, before, slices[i]))
			}
		}
	}
	return problems
}
