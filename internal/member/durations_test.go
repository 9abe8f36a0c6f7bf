package member

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestADurationIsCountedByEveryBoundThatIsNotShorter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var d Durations
		took := rapid.SliceOf(rapid.Custom(func(t *rapid.T) time.Duration {
			bound := time.Microsecond << rapid.IntRange(0, 33).Draw(t, "power")
			return bound + time.Duration(rapid.IntRange(-1, 1).Draw(t, "beside"))
		})).Draw(t, "took")
		var sum time.Duration
		for _, each := range took {
			d.Note(each)
			sum += each
		}
		if d.Sum() != sum || d.Count() != int64(len(took)) {
			t.Fatalf("sum %v, count %d, want %v, %d", d.Sum(), d.Count(), sum, len(took))
		}
		for bound, n := range d.All() {
			want := int64(0)
			for _, each := range took {
				if each <= bound {
					want++
				}
			}
			if n != want {
				t.Fatalf("%d of %v are not longer than %v, want %d", n, took, bound, want)
			}
		}
	})
}

func TestTheLongestDurationsAreInNoBucketWithABound(t *testing.T) {
	var d Durations
	d.Note(time.Hour)
	d.Note(-time.Second)
	bounds, last := 0, int64(0)
	for _, n := range d.All() {
		bounds, last = bounds+1, n
	}
	if bounds != durationBounds || last != 1 || d.Count() != 2 || d.Sum() != time.Hour {
		t.Errorf("%d bounds, %d within the last, count %d, sum %v", bounds, last, d.Count(), d.Sum())
	}
}

func BenchmarkDurations(b *testing.B) {
	var d Durations
	for i := range b.N {
		d.Note(time.Duration(i))
	}
}
