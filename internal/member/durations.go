package member

import (
	"iter"
	"math/bits"
	"time"
)

// durationBounds is how many buckets of [Durations] have a bound: from 1 µs, each four times the one before, up to 18 min.
const durationBounds = 16

// Durations counts durations in buckets, of plain integers: whoever has it guards it. To note one takes a few nanoseconds, so it may be done
// for each task. The zero Durations has none.
type Durations struct {
	sum    time.Duration // beside the counts of short ones, in one line of a core's cache
	counts [durationBounds + 1]int64
}

// Note counts a duration. One that is negative, by a clock that was set back, counts as none.
func (d *Durations) Note(took time.Duration) {
	took = max(took, 0)
	d.sum += took
	micros := uint64(took+time.Microsecond-1) / uint64(time.Microsecond) // rounded up: a bound is within its bucket
	d.counts[min((bits.Len64(max(micros, 1)-1)+1)/2, durationBounds)]++
}

// Sum is the sum of all durations.
func (d *Durations) Sum() time.Duration { return d.sum }

// Count is how many there are.
func (d *Durations) Count() (n int64) {
	for _, count := range d.counts {
		n += count
	}
	return n
}

// All ranges over the bounds, with how many durations were not longer. What is longer than the last bound is only in Count.
func (d *Durations) All() iter.Seq2[time.Duration, int64] {
	return func(yield func(time.Duration, int64) bool) {
		bound, n := time.Microsecond, int64(0)
		for _, count := range d.counts[:durationBounds] {
			if n += count; !yield(bound, n) {
				return
			}
			bound *= 4
		}
	}
}
