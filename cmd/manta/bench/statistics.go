package bench

import (
	"math"
	"slices"
	"time"
)

// A Result is what all rounds of a measure come to. Value, P50 and P99 are medians over the rounds.
type Result struct {
	Name     string   `json:"name"`
	Value    float64  `json:"value"`
	Unit     string   `json:"unit"`
	Baseline string   `json:"baseline"` // empty: none
	Ratio    *float64 `json:"ratio"`    // the median of every round's value / the baseline's right before it; nil without a baseline
	P50      *float64 `json:"p50_us"`   // nil if the measure times no single thing
	P99      *float64 `json:"p99_us"`
	Rounds   int      `json:"rounds"` // samples behind the medians; a baseline has one for every measure that it stood beside

	Low, High float64 `json:"-"` // the smallest and the largest value of a round
}

// A series is what the rounds of one measure found.
type series struct {
	measure Measure
	samples []Sample
	ratios  []float64
}

func (s *series) result() Result {
	values := column(s.samples, func(x Sample) float64 { return x.Value })
	r := Result{
		Name: s.measure.Name, Unit: s.measure.Unit, Baseline: s.measure.Baseline, Rounds: len(s.samples),
		Value: median(values), Low: slices.Min(values), High: slices.Max(values),
	}
	if len(s.ratios) > 0 {
		ratio := median(s.ratios)
		r.Ratio = &ratio
	}
	if p50 := median(column(s.samples, func(x Sample) float64 { return x.P50 })); p50 > 0 {
		p99 := median(column(s.samples, func(x Sample) float64 { return x.P99 }))
		r.P50, r.P99 = &p50, &p99
	}
	return r
}

func column(samples []Sample, of func(Sample) float64) (values []float64) {
	for _, s := range samples {
		values = append(values, of(s))
	}
	return values
}

// median returns the middle of values, or the mean of the two middle ones; NaN of none. It leaves values as they are.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// percentile returns the smallest of sorted that at least a share p of them, from 0 to 1, do not exceed; 0 of none.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(p * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// latencies makes a sample, whose value is the given percentile, of how long single things took.
func latencies(took []time.Duration, value float64) Sample {
	sorted := slices.Sorted(slices.Values(took))
	return Sample{
		Value: micros(percentile(sorted, value)),
		P50:   micros(percentile(sorted, 0.50)),
		P99:   micros(percentile(sorted, 0.99)),
	}
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// rate is a sample of how many things were done a second.
func rate(n int, took time.Duration) Sample { return Sample{Value: float64(n) / took.Seconds()} }
