package logs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWhatManyLogAlikeIsShownOnceWithACount(t *testing.T) {
	type step struct {
		at     float64 // seconds
		source string  // a task's id
		line   string  // empty: only time passes
		want   string  // what is shown then, with spaces between
	}
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"one line", []step{{0, "a", "x", "x"}, {10, "", "", ""}}},
		{"one of each of two", []step{{0, "a", "x", "x"}, {0, "b", "y", "y"}, {10, "", "", ""}}},
		{"the same of three tasks", []step{{0, "a", "x", "x"}, {1, "b", "x", ""}, {4, "c", "x", ""}, {4.9, "", "", ""}, {5, "", "", "x*2"}}},
		{"the same of one task", []step{{0, "a", "x", "x"}, {1, "a", "x", "x"}, {2, "a", "x", "x"}, {10, "", "", ""}}},
		{"the same of one, and then of another", []step{{0, "a", "x", "x"}, {1, "a", "x", "x"}, {2, "b", "x", ""}, {3, "a", "x", ""}, {5, "", "", "x*2"}}},
		{"the same of another task, later", []step{{0, "a", "x", "x"}, {5, "b", "x", "x"}, {6, "c", "x", ""}, {10, "", "", "x*1"}}},
		{"a flood", []step{
			{0, "a", "x", "x"}, {1, "b", "x", ""}, {5, "", "", "x*1"}, {6, "c", "x", ""}, {7, "a", "x", ""}, {10, "", "", "x*2"}, {15, "", "", ""}, {16, "d", "x", "x"},
		}},
		{"two floods", []step{
			{0, "a", "x", "x"}, {1, "a", "y", "y"}, {2, "b", "y", ""}, {3, "b", "x", ""}, {5, "", "", "x*1"}, {6, "", "", "y*1"}, {20, "", "", ""},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var r repeats
			begin := time.Unix(0, 0)
			for _, s := range test.steps {
				now := begin.Add(time.Duration(s.at * float64(time.Second)))
				var got []string
				for _, d := range r.due(now) {
					got = append(got, fmt.Sprintf("%s*%d", d.Message, d.more))
				}
				if s.line != "" && r.add(&Line{ID: s.source, Message: s.line}, now) {
					got = append(got, s.line)
				}
				if strings.Join(got, " ") != s.want {
					t.Errorf("at %v: %q is shown, want %q", s.at, got, s.want)
				}
			}
		})
	}
}

func TestLinesThatDifferAreNotTakenForAlike(t *testing.T) {
	first := Line{ID: "1", Level: "info", Task: "f", Message: "x"}
	for _, other := range []Line{
		{ID: "2", Level: "warn", Task: "f", Message: "x"},
		{ID: "2", Level: "info", Task: "g", Message: "x"},
		{ID: "2", Level: "info", Task: "f", Message: "y"},
		{ID: "2", Level: "info", Class: "c", Method: "m", Message: "x"},
	} {
		var r repeats
		if !r.add(&first, time.Unix(0, 0)) || !r.add(&other, time.Unix(1, 0)) {
			t.Errorf("%+v is not shown beside %+v", other, first)
		}
	}
	alike := Line{ID: "2", Level: "info", Task: "f", Message: "x", Node: "elsewhere", Fields: map[string]any{"i": 1}}
	var r repeats
	if r.add(&first, time.Unix(0, 0)); r.add(&alike, time.Unix(1, 0)) {
		t.Error("one that differs in its fields alone is shown")
	}
	if rest := r.rest(); len(rest) != 1 || rest[0].Node != "elsewhere" || rest[0].more != 1 {
		t.Errorf("what is left in the end is %+v", rest)
	}
}

func TestARestlessClusterTakesABoundedMemory(t *testing.T) {
	var r repeats
	for i := range mostRepeats + 10 {
		if l := (Line{ID: "1", Message: fmt.Sprint(i)}); !r.add(&l, time.Unix(0, 0)) {
			t.Fatalf("line %d is not shown", i)
		}
	}
	if at, ok := r.next(); len(r.seen) != mostRepeats || !ok || at != time.Unix(0, 0).Add(repeatsFor) {
		t.Errorf("%d lines are remembered until %v", len(r.seen), at)
	}
	if due := r.due(time.Unix(100, 0)); len(due)+len(r.seen)+len(r.order) > 0 {
		t.Errorf("%d are shown again, %d remembered", len(due), len(r.seen))
	}
}

func TestAPileTakesWhatItHasRoomForAndCountsTheRest(t *testing.T) {
	var p pile
	line := slices.Repeat([]byte("x"), 1000)
	const n = 3 * roomBytes / 1000
	for i := range n {
		p.add(line, []string{"a", "b"}[i%2])
	}
	taken, left := 0, map[string]int64{}
	for {
		batch, out := p.take()
		if batch == nil && out == nil {
			break
		}
		if len(batch) > batchBytes {
			t.Fatalf("a message of %d bytes", len(batch))
		}
		taken += len(batch) / 1000
		for owner, n := range out {
			left[owner] += n
		}
	}
	if taken+int(left["a"]+left["b"]) != n || taken != roomBytes/1000 || left["a"]-left["b"] > 1 || p.bytes != 0 {
		t.Errorf("of %d lines %d were taken and %v left out, and %d bytes wait", n, taken, left, p.bytes)
	}
	p.putBack(line)
	p.add(line, "a")
	if first, _ := p.take(); len(first) != 2000 || p.bytes != 0 {
		t.Errorf("there is room again, and %d bytes are first, %d wait", len(first), p.bytes)
	}
}
