package integration

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"manta/integration/process/line"
)

// only returns the events of a kind, and of a tag unless that is empty.
func only(events []line.Event, kind, tag string) (some []line.Event) {
	for _, e := range events {
		if e.Event == kind && (tag == "" || e.Tag == tag) {
			some = append(some, e)
		}
	}
	return some
}

func starts(events []line.Event) []line.Event { return only(events, line.Start, "") }

func ends(events []line.Event) []line.Event { return only(events, line.End, "") }

// oneResultEach checks that the owner has exactly one result for each of n tasks, and returns them by their number.
func oneResultEach(t *testing.T, owner *process, tag string, n int) map[int]line.Event {
	t.Helper()
	results := make(map[int]line.Event)
	for _, e := range only(owner.events.all(), line.Result, tag) {
		if _, twice := results[e.N]; twice {
			t.Errorf("task %d of %s has two results", e.N, tag)
		}
		if e.Error == "" && e.Value != e.N {
			t.Errorf("task %d of %s returned %d", e.N, tag, e.Value)
		}
		results[e.N] = e
	}
	if len(results) != n {
		t.Errorf("%d of %d tasks of %s have a result", len(results), n, tag)
	}
	return results
}

// allHaveValues checks that the owner has exactly one result for each of n tasks, and that all are values.
func allHaveValues(t *testing.T, owner *process, tag string, n int) {
	t.Helper()
	for _, e := range oneResultEach(t, owner, tag, n) {
		if e.Error != "" {
			t.Errorf("task %d of %s failed: %s", e.N, tag, e.Error)
		}
	}
}

// An attempt is one run of a task.
type attempt struct {
	task   string
	number int
}

func attemptOf(e line.Event) attempt { return attempt{e.Task, e.Attempt} }

// noAttemptTwice checks that no attempt of a task started twice.
func noAttemptTwice(t *testing.T, ran []line.Event) {
	t.Helper()
	started := make(map[attempt]line.Event)
	for _, e := range starts(ran) {
		if before, twice := started[attemptOf(e)]; twice {
			t.Errorf("task %d of %s started twice as attempt %d: on %s and %s", e.N, e.Tag, e.Attempt, before.Node, e.Node)
		}
		started[attemptOf(e)] = e
	}
}

// onceEach checks that each of n tasks started once and once only.
func onceEach(t *testing.T, ran []line.Event, tag string, n int) {
	t.Helper()
	runs := make(map[string][]line.Event)
	for _, e := range only(ran, line.Start, tag) {
		runs[e.Task] = append(runs[e.Task], e)
	}
	if len(runs) != n {
		t.Errorf("%d of %d tasks of %s started", len(runs), n, tag)
	}
	for _, events := range runs {
		slices.SortFunc(events, func(a, b line.Event) int { return cmp.Compare(a.At, b.At) })
		for _, e := range events[1:] {
			t.Errorf("task %d of %s ran on %s, and %v later as attempt %d on %s",
				e.N, tag, events[0].Node, time.Duration(e.At-events[0].At), e.Attempt, e.Node)
		}
	}
}

// allEnded checks that what started ended, and well.
func allEnded(t *testing.T, ran []line.Event) {
	t.Helper()
	ended := make(map[attempt]bool)
	for _, e := range ends(ran) {
		ended[attemptOf(e)] = true
		if e.Error != "" {
			t.Errorf("task %d of %s ended on %s with: %s", e.N, e.Tag, e.Node, e.Error)
		}
	}
	for _, e := range starts(ran) {
		if !ended[attemptOf(e)] {
			t.Errorf("task %d of %s started on %s and never ended", e.N, e.Tag, e.Node)
		}
	}
}

// peak is the largest number of runs that lay in one another's time.
func peak(ran []line.Event) (most int) {
	type change struct {
		at int64
		by int
	}
	var changes []change
	for _, e := range ran {
		switch e.Event {
		case line.Start:
			changes = append(changes, change{e.At, +1})
		case line.End:
			changes = append(changes, change{e.At, -1})
		}
	}
	slices.SortFunc(changes, func(a, b change) int {
		return cmp.Or(cmp.Compare(a.at, b.at), a.by-b.by) // who leaves makes room for who comes at the same time
	})
	holding := 0
	for _, c := range changes {
		holding += c.by
		most = max(most, holding)
	}
	return most
}

// percentile returns the smallest time that a share p of the results did not exceed.
func percentile(results []line.Event, p float64) time.Duration {
	var took []float64
	for _, e := range results {
		took = append(took, e.TookMS)
	}
	slices.Sort(took)
	return time.Duration(took[int(p*float64(len(took)-1))] * float64(time.Millisecond))
}

func TestThePeakCountsWhatOverlaps(t *testing.T) {
	run := func(from, to int64) []line.Event {
		return []line.Event{{Event: line.Start, At: from}, {Event: line.End, At: to}}
	}
	for _, c := range []struct {
		ran  [][]line.Event
		want int
	}{
		{nil, 0},
		{[][]line.Event{run(1, 2), run(2, 3)}, 1},
		{[][]line.Event{run(1, 4), run(2, 3), run(3, 5)}, 2},
		{[][]line.Event{run(1, 9), run(2, 8), run(3, 4), run(5, 6)}, 3},
		{[][]line.Event{{{Event: line.Start, At: 1}}, run(2, 3)}, 2}, // a run without end goes on
	} {
		if got := peak(slices.Concat(c.ran...)); got != c.want {
			t.Errorf("the peak of %v is %d, want %d", c.ran, got, c.want)
		}
	}
}
