package bench

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestMedianIsTheMiddle(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{3}, 3},
		{[]float64{9, 1}, 5},
		{[]float64{9, 1, 2}, 2},
		{[]float64{4, 1, 100, 2}, 3},
	} {
		before := slices.Clone(c.values)
		if got := median(c.values); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.values, got, c.want)
		}
		if !slices.Equal(before, c.values) {
			t.Errorf("median made %v of %v", c.values, before)
		}
	}
	if got := median(nil); !math.IsNaN(got) {
		t.Errorf("median of nothing is %v", got)
	}
}

func TestAPercentileIsTheSmallestThatEnoughDoNotExceed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sorted := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.IntRange(0, 20).Draw(t, "ns"))
		}), 1, 50).Draw(t, "sorted")
		slices.Sort(sorted)
		p := rapid.SampledFrom([]float64{0, 0.01, 0.5, 0.99, 1}).Draw(t, "p")
		got := percentile(sorted, p)
		share := func(atMost time.Duration) float64 {
			n := 0
			for _, d := range sorted {
				if d <= atMost {
					n++
				}
			}
			return float64(n) / float64(len(sorted))
		}
		if share(got) < p {
			t.Fatalf("only %v of %v are up to %v", share(got), sorted, got)
		}
		if smaller := got - 1; got > sorted[0] && share(smaller) >= p {
			t.Fatalf("%v would do as well as %v for %v of %v", smaller, got, p, sorted)
		}
	})
	if got := percentile(nil, 0.5); got != 0 {
		t.Errorf("a percentile of nothing is %v", got)
	}
}

func TestAResultIsTheMedianOfItsRounds(t *testing.T) {
	s := series{
		measure: Measure{Name: "calls", Unit: "us", Baseline: "raw"},
		samples: []Sample{{Value: 3, P50: 3, P99: 9}, {Value: 1, P50: 1, P99: 30}, {Value: 2, P50: 2, P99: 7}},
		ratios:  []float64{1.5, 0.5, 1},
	}
	r := s.result()
	if r.Name != "calls" || r.Unit != "us" || r.Baseline != "raw" || r.Rounds != 3 {
		t.Errorf("got %+v", r)
	}
	if r.Value != 2 || r.Low != 1 || r.High != 3 || *r.Ratio != 1 || *r.P50 != 2 || *r.P99 != 9 {
		t.Errorf("got %+v, ratio %v, p50 %v, p99 %v", r, *r.Ratio, *r.P50, *r.P99)
	}
}

func TestAResultWithoutBaselineHasNoRatio(t *testing.T) {
	r := (&series{measure: Measure{Name: "raw"}, samples: []Sample{{Value: 3}}}).result()
	if r.Ratio != nil || r.P50 != nil || r.P99 != nil {
		t.Errorf("got %+v", r)
	}
}

func TestLatenciesAreInMicroseconds(t *testing.T) {
	var took []time.Duration
	for i := range 100 {
		took = append(took, time.Duration(100-i)*time.Millisecond)
	}
	want := Sample{Value: 99_000, P50: 50_000, P99: 99_000}
	if got := latencies(took, 0.99); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestNumbersShowThreeDigitsThatCount(t *testing.T) {
	for v, want := range map[float64]string{
		0.12345: "0.123", 1.236: "1.24", 12.36: "12.4", 123.6: "124", 1234.6: "1,235", 1234567: "1,234,567", -123456: "-123,456",
	} {
		if got := number(v); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
}
