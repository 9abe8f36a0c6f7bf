package main

import (
	"context"
	"math"
	"slices"
)

// summary is cell 15: how the error and the throughput went over the runs of cell 14.
func (t *tutorial) summary(context.Context) error {
	first, last := t.runs[0], t.runs[len(t.runs)-1]
	t.printf("Error")
	t.printf("  %10s samples: %.6f", grouped(first.samples), first.distance())
	t.printf("  %10s samples: %.6f", grouped(last.samples), last.distance())

	t.printf("Accuracy")
	t.milestone(0.001)
	t.milestone(0.0001)

	rates := rates(t.runs)
	average, deviation := mean(rates), deviation(rates)
	t.printf("Throughput, samples a second")
	t.printf("  highest %s, mean %s", short(slices.Max(rates)), short(average))
	t.printf("  standard deviation %s, %.0f%% of the mean", short(deviation), 100*deviation/average)

	more := float64(last.samples) / float64(first.samples)
	better, expected := first.distance()/last.distance(), math.Sqrt(more)
	t.printf("Convergence")
	t.printf("  expected: 1/√n, so %.0f× the samples make the error %.1f× smaller", more, expected)
	t.printf("  measured: %.1f× smaller, %.0f%% of the expected", better, 100*better/expected)
	return nil
}

// milestone prints the smallest run that came at least this near to π.
func (t *tutorial) milestone(distance float64) {
	i := slices.IndexFunc(t.runs, func(e estimate) bool { return e.distance() <= distance })
	if i < 0 {
		t.printf("  within %g: not reached", distance)
		return
	}
	t.printf("  within %g: first with %s samples, in %s", distance, grouped(t.runs[i].samples), seconds(t.runs[i].took.Seconds()))
}

func rates(runs []estimate) []float64 {
	all := make([]float64, len(runs))
	for i, run := range runs {
		all[i] = run.rate()
	}
	return all
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// deviation is the standard deviation of values as a whole population.
func deviation(values []float64) float64 {
	average, sum := mean(values), 0.0
	for _, v := range values {
		sum += (v - average) * (v - average)
	}
	return math.Sqrt(sum / float64(len(values)))
}
