package bench

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestAMeasureBringsItsBaseline(t *testing.T) {
	all := []Measure{{Name: "raw"}, {Name: "raw_sync"}, {Name: "tasks", Baseline: "raw"}, {Name: "alone"}}
	for pattern, want := range map[string]string{
		"":          "raw_sync, raw before tasks, alone",
		"tasks":     "raw before tasks",
		"raw":       "raw, raw_sync",
		"raw|tasks": "raw_sync, raw before tasks",
		"^alone$":   "alone",
	} {
		steps, err := plan(all, regexp.MustCompile(pattern))
		if err != nil {
			t.Errorf("%q: %v", pattern, err)
		}
		var got []string
		for _, s := range steps {
			text := s.measure.Name
			if s.baseline != nil {
				text = s.baseline.Name + " before " + text
			}
			got = append(got, text)
		}
		if got := strings.Join(got, ", "); got != want {
			t.Errorf("%q runs %s, want %s", pattern, got, want)
		}
	}
}

func TestAPatternWithoutMatchIsToldTheNames(t *testing.T) {
	_, err := plan([]Measure{{Name: "tasks"}, {Name: "raw"}}, regexp.MustCompile("actors"))
	none, ok := errors.AsType[*NoMatchError](err)
	if !ok || none.Pattern != "actors" || !strings.Contains(err.Error(), "tasks, raw") {
		t.Errorf("got %v", err)
	}
}

func TestABaselineMustExist(t *testing.T) {
	_, err := plan([]Measure{{Name: "tasks", Baseline: "raw"}}, regexp.MustCompile(""))
	if err == nil || !strings.Contains(err.Error(), "raw") {
		t.Errorf("got %v", err)
	}
}

func TestEveryMeasureIsWhole(t *testing.T) {
	var names []string
	for _, m := range Measures() {
		if m.Name == "" || m.Unit == "" || m.About == "" || m.Setup == nil {
			t.Errorf("%+v lacks something", m)
		}
		if slices.Contains(names, m.Name) {
			t.Errorf("%s exists twice", m.Name)
		}
		if m.Baseline != "" && !slices.Contains(names, m.Baseline) {
			t.Errorf("%s has the baseline %s, which does not stand before it", m.Name, m.Baseline)
		}
		names = append(names, m.Name)
	}
}
