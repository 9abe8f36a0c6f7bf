package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"slices"
	"time"
)

// patience bounds one run of one measure, so that a hang becomes an error which names the measure.
const patience = 5 * time.Minute

// Config says what Run measures, how often and where.
type Config struct {
	Match     *regexp.Regexp // over the names of measures
	Rounds    int
	Server    string    // URL of a NATS server with JetStream; empty: one inside, a fresh one for every run of a measure
	InProcess bool      // connections to the server inside cross no network
	Quick     bool      // tiny sizes: shows that everything works, measures nothing
	Progress  io.Writer // gets a line for every run of a measure
}

// Run measures all that match, and their baselines, and returns the results in the order of Measures.
func Run(ctx context.Context, cfg Config) ([]Result, error) {
	all := Measures()
	if cfg.Server != "" {
		all = slices.DeleteFunc(all, func(m Measure) bool { return m.Inside })
	}
	return run(ctx, cfg, all)
}

func run(ctx context.Context, cfg Config, all []Measure) (_ []Result, err error) {
	steps, err := plan(all, cfg.Match)
	if err != nil {
		return nil, err
	}
	ground, err := openGround(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ground.close()) }()
	found := make(map[string]*series)
	for round := range cfg.Rounds {
		for _, step := range steps {
			if err := step.run(ctx, ground, found, round); err != nil {
				return nil, err
			}
		}
	}
	return summarise(all, found), nil
}

// run measures the step's baseline and then the measure itself.
func (s step) run(ctx context.Context, g *ground, found map[string]*series, round int) error {
	var base Sample
	if s.baseline != nil {
		var err error
		if base, err = g.sample(ctx, *s.baseline, round); err != nil {
			return err
		}
		seriesOf(found, *s.baseline).add(base)
	}
	sample, err := g.sample(ctx, s.measure, round)
	if err != nil {
		return err
	}
	own := seriesOf(found, s.measure)
	own.add(sample)
	if s.baseline != nil {
		own.ratios = append(own.ratios, sample.Value/base.Value)
	}
	return nil
}

func seriesOf(found map[string]*series, m Measure) *series {
	if found[m.Name] == nil {
		found[m.Name] = &series{measure: m}
	}
	return found[m.Name]
}

func (s *series) add(sample Sample) { s.samples = append(s.samples, sample) }

// sample runs a measure once, on a stage of its own.
func (g *ground) sample(ctx context.Context, m Measure, round int) (sample Sample, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no result within %v", patience))
	defer cancel()
	stage := g.stage()
	defer func() {
		if err = errors.Join(err, stage.close()); err != nil {
			err = fmt.Errorf("measure %s: %w", m.Name, err)
		}
	}()
	timed, err := m.Setup(ctx, stage)
	if err != nil {
		return Sample{}, err
	}
	runtime.GC() // what earlier runs left is not this one's burden
	if sample, err = timed(ctx); err != nil {
		return Sample{}, err
	}
	fmt.Fprintf(g.cfg.Progress, "round %d of %d  %-36s %14s %s\n", round+1, g.cfg.Rounds, m.Name, number(sample.Value), m.Unit)
	return sample, nil
}

func summarise(all []Measure, found map[string]*series) (results []Result) {
	for _, m := range all {
		if s := found[m.Name]; s != nil {
			results = append(results, s.result())
		}
	}
	return results
}
