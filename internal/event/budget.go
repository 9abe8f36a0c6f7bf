package event

import (
	"math"
	"sync/atomic"
	"time"
)

// Budget says of how many tasks everything may be told: so many a second, and more in a burst after a quiet time. Its methods but refill may be
// called from anywhere, at any time; they cost a few nanoseconds.
type Budget struct {
	room   atomic.Int64
	left   atomic.Int64
	rate   float64 // a second
	burst  int64
	filled time.Time
}

// burstFor is how many seconds' worth of a budget a burst may take.
const burstFor = 5

func newBudget(rate int, now time.Time) *Budget {
	b := &Budget{rate: float64(rate), burst: burstFor * int64(rate), filled: now}
	b.room.Store(b.burst)
	return b
}

// Take says whether one more may be told of; if not, it is counted.
func (b *Budget) Take() bool {
	if b.room.Load() > 0 && b.room.Add(-1) >= 0 {
		return true
	}
	b.left.Add(1)
	return false
}

// Retake is Take for one that was left out before.
func (b *Budget) Retake() bool {
	if b.room.Load() > 0 && b.room.Add(-1) >= 0 {
		b.left.Add(-1)
		return true
	}
	return false
}

// refill makes the room that the time since the last call has brought.
func (b *Budget) refill(now time.Time) {
	more := int64(math.Min(b.rate*now.Sub(b.filled).Seconds(), float64(b.burst)))
	if more < 1 {
		return
	}
	b.filled = now
	room := max(b.room.Load(), 0)
	b.room.Store(min(room+more, b.burst)) // what is taken meanwhile is given once more: a few
}

// takeLeft returns how many were left out since the last call.
func (b *Budget) takeLeft() int64 { return b.left.Swap(0) }
