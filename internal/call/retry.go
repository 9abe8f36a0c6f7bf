package call

import (
	"errors"
	"math"
	"slices"
	"time"
)

// DefaultBackoff is that of calls which say nothing. The first pause is long for a task, which takes milliseconds, and short for what makes one fail
// for a while: a service that restarts, or asks for fewer requests. The longest bounds how much later than the cause a call may come to its end.
var DefaultBackoff = Backoff{First: 100 * time.Millisecond, Max: 10 * time.Second}

// LastAttempt is the highest number that an attempt can have.
const LastAttempt = math.MaxUint16

// Again is the retry policy: it says whether a call is made once more after an attempt, and how long it waits before. failed is the
// function's error, with its advice, nil if its node was lost. chance is from [0, 1).
//
//	attempt ─► node lost ─────────────► again at once ┐
//	   │                                              ├ as long as retries are left; both kinds use them up
//	   ├─────► failed, may be retried ► again, later  ┘
//	   └─────► failed, else; a value; cancelled, too late, impossible ► over
func (o *Options) Again(attempt int, failed error, advice Advice, chance float64) (wait time.Duration, ok bool) {
	switch {
	case attempt > o.Retries || attempt >= LastAttempt:
		return 0, false
	case failed == nil:
		return 0, true
	case advice.Never:
		return 0, false
	case advice.Again:
		return advice.After, true
	case o.RetryOn.Any || slices.ContainsFunc(o.RetryOn.Errors, func(e error) bool { return errors.Is(failed, e) }):
		return o.Backoff.After(attempt, chance), true
	}
	return 0, false
}

// After is how long to wait after an attempt: between half of the full time and all of it. The half that is certain gives what
// fails a rest, the other takes those apart that failed together.
func (b Backoff) After(attempt int, chance float64) time.Duration {
	full := b.First
	for range attempt - 1 {
		if full == 0 || full >= b.Max {
			break
		}
		if full *= 2; full < 0 {
			full = b.Max
		}
	}
	full = min(full, b.Max)
	return full - time.Duration(float64(full/2)*chance)
}
