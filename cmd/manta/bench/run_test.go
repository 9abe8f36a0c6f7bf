package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestRoundsAreInterleaved(t *testing.T) {
	var ran []string
	all := []Measure{pretend(&ran, "raw", "", 2), pretend(&ran, "slow", "raw", 1), pretend(&ran, "fast", "raw", 6)}
	results, err := run(t.Context(), Config{Match: regexp.MustCompile(""), Rounds: 2, Progress: io.Discard}, all)
	if err != nil {
		t.Fatal(err)
	}
	round := []string{"raw", "slow", "raw", "fast"}
	if want := slices.Concat(round, round); !slices.Equal(ran, want) {
		t.Errorf("ran %v, want %v", ran, want)
	}
	if names := []string{results[0].Name, results[1].Name, results[2].Name}; !slices.Equal(names, []string{"raw", "slow", "fast"}) {
		t.Errorf("results of %v", names)
	}
	if *results[1].Ratio != 0.5 || *results[2].Ratio != 3 || results[0].Rounds != 4 || results[1].Rounds != 2 {
		t.Errorf("got %+v", results)
	}
}

func TestAFailureNamesTheMeasure(t *testing.T) {
	broken := errors.New("broken")
	all := []Measure{{Name: "tasks", Setup: func(context.Context, *Stage) (Timed, error) { return nil, broken }}}
	_, err := run(t.Context(), Config{Match: regexp.MustCompile(""), Rounds: 1, Progress: io.Discard}, all)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "tasks") {
		t.Errorf("got %v", err)
	}
}

func TestWhatAStageMadeIsUndoneWhenSetupFails(t *testing.T) {
	var undone []string
	all := []Measure{{Name: "tasks", Setup: func(_ context.Context, s *Stage) (Timed, error) {
		for _, what := range []string{"server", "node"} {
			s.undo = append(s.undo, func() error {
				undone = append(undone, what)
				return nil
			})
		}
		return nil, errors.New("broken")
	}}}
	_, _ = run(t.Context(), Config{Match: regexp.MustCompile(""), Rounds: 1, Progress: io.Discard}, all)
	if !slices.Equal(undone, []string{"node", "server"}) {
		t.Errorf("undone: %v", undone)
	}
}

func TestJSONHasAllKeysOfEveryResult(t *testing.T) {
	ratio := 2.0
	var out bytes.Buffer
	results := []Result{{Name: "raw"}, {Name: "tasks", Baseline: "raw", Ratio: &ratio, Value: 3, Rounds: 5}}
	if err := WriteJSON(&out, results); err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	keys := []string{"baseline", "name", "p50_us", "p99_us", "ratio", "rounds", "unit", "value"}
	for _, result := range got {
		var have []string
		for key := range result {
			have = append(have, key)
		}
		slices.Sort(have)
		if !slices.Equal(have, keys) {
			t.Errorf("%v has the keys %v, want %v", result, have, keys)
		}
	}
	if got[0]["ratio"] != nil || got[1]["ratio"] != 2.0 || got[1]["value"] != 3.0 {
		t.Errorf("got %v", got)
	}
}

func TestTheTableHasALineForEveryResult(t *testing.T) {
	ratio := 0.5
	var out bytes.Buffer
	results := []Result{{Name: "raw"}, {Name: "tasks", Baseline: "raw", Ratio: &ratio, Value: 1234567}}
	if err := WriteTable(&out, results); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"raw", "tasks", "1,234,567", "0.500", "median"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

// pretend is a measure that writes down that it ran and finds always the same.
func pretend(ran *[]string, name, baseline string, value float64) Measure {
	return Measure{Name: name, Baseline: baseline, Setup: func(context.Context, *Stage) (Timed, error) {
		return func(context.Context) (Sample, error) {
			*ran = append(*ran, name)
			return Sample{Value: value}, nil
		}, nil
	}}
}
