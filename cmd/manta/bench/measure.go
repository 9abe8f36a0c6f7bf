package bench

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// families are all measures, in the order in which they run and are printed.
var families = [][]Measure{
	rawMeasures, throughputMeasures, latencyMeasures, objectMeasures, queueMeasures,
	durableMeasures, poolMeasures, floodMeasures, mixMeasures, placementMeasures, groupMeasures,
	actorMeasures,
}

// A Measure is one thing that is measured, once a round.
type Measure struct {
	Name     string
	Unit     string // of its value; of a unit a second more is better, of every other less
	Baseline string // the measure that it is divided by; empty: none
	About    string // what a round does, in a line
	Inside   bool   // it needs servers inside this process: left out when Config names one elsewhere
	// Setup builds what the measure needs and warms it up: nothing of that is timed.
	Setup func(ctx context.Context, s *Stage) (Timed, error)
}

// Timed is what a measure does in a round, once everything stands.
type Timed func(ctx context.Context) (Sample, error)

// A Sample is what one round found.
type Sample struct {
	Value    float64
	P50, P99 float64 // µs; 0 if the measure times no single thing
}

// Measures returns all measures.
func Measures() []Measure { return slices.Concat(families...) }

// Families returns all measures, those apart that measure different things.
func Families() [][]Measure { return slices.Clone(families) }

// A step is a measure in a round, with the baseline that runs right before it.
type step struct {
	measure  Measure
	baseline *Measure
}

// plan is what a round does to measure all that match. A baseline that some step brings with it gets no step of its own.
func plan(all []Measure, match *regexp.Regexp) ([]step, error) {
	var steps []step
	brought := make(map[string]bool)
	for _, m := range all {
		if !match.MatchString(m.Name) {
			continue
		}
		s := step{measure: m}
		if m.Baseline != "" {
			i := slices.IndexFunc(all, func(b Measure) bool { return b.Name == m.Baseline })
			if i < 0 {
				return nil, fmt.Errorf("measure %s has the baseline %s, which does not exist", m.Name, m.Baseline)
			}
			s.baseline = &all[i]
			brought[m.Baseline] = true
		}
		steps = append(steps, s)
	}
	if len(steps) == 0 {
		return nil, &NoMatchError{Pattern: match.String(), Names: namesOf(all)}
	}
	return slices.DeleteFunc(steps, func(s step) bool { return s.baseline == nil && brought[s.measure.Name] }), nil
}

func namesOf(measures []Measure) (names []string) {
	for _, m := range measures {
		names = append(names, m.Name)
	}
	return names
}

// NoMatchError is returned by Run when no measure's name matches.
type NoMatchError struct {
	Pattern string
	Names   []string
}

func (e *NoMatchError) Error() string {
	return fmt.Sprintf("no measure matches %q: there are %s", e.Pattern, strings.Join(e.Names, ", "))
}
