package task

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"manta/internal/call"
)

// Why a task is tried again: what a function says of its error, what the caller knows of it, and what becomes of the two.

// Permanent says of a function's error that another attempt would fail too: the task is not tried again, whatever [RetryOn] says.
// The error is otherwise what it is without: errors.Is and errors.As find it here, and at the caller if it is registered.
// Permanent(nil) is nil.
func Permanent(err error) error { return call.Advise(err, call.Advice{Never: true}) }

// RetryAfter says of a function's error that another attempt, no sooner than in d, may succeed: the task is tried again if it
// has [Retries] left, whatever [RetryOn] says. Else err is its outcome, found by errors.Is and errors.As as without. RetryAfter(nil, d) is nil.
//
// Of several words about an error the outermost counts. A function that passes on the error of another task says nothing by that: what
// that task was told of its own attempts does not hold for this one.
func RetryAfter(err error, d time.Duration) error {
	return call.Advise(err, call.Advice{Again: true, After: max(d, 0)})
}

// RetryOn has a task tried again when its function failed with one of errs, as errors.Is says at the caller: register them with
// [RegisterError], or their types with [RegisterErrorType]. Without errs every error of the function counts, and a panic. How often is
// [Retries]' to say, which counts lost nodes and errors together, and how soon [Backoff]'s. The outcome is the last attempt's.
//
// The function has run each time, so it must be safe to run again. What says that the task cannot succeed is never retried: that it was
// cancelled or took too long, that no node serves it or could, that its arguments do not fit or cannot be had.
func RetryOn(errs ...error) Option {
	return func(o *call.Options) error {
		if slices.Contains(errs, nil) {
			return errors.New("RetryOn of nil: want errors, or none for all")
		}
		o.RetryOn = call.RetryOn{Errors: slices.Clone(errs), Any: len(errs) == 0}
		return nil
	}
}

// Backoff is how long a task waits before it is tried again after an error of its function: about first before the second attempt,
// twice as long before each further one, and never more than limit. Half of it is drawn by chance, so that tasks that failed together
// do not come back together. The default is 100 ms, up to 10 s; Backoff(0, 0) is at once. A task whose node was lost does not wait.
//
// What waits holds no slot and no message, and ends at once when it is cancelled or its time is over.
func Backoff(first, limit time.Duration) Option {
	return func(o *call.Options) error {
		if first < 0 || limit < first {
			return fmt.Errorf("a backoff from %v to %v: want from 0, and up", first, limit)
		}
		o.Backoff = call.Backoff{First: first, Max: limit}
		return nil
	}
}

// again is the retry policy of call.Options for a function's error, nil if its node was lost.
func again(o *call.Options, attempt int, failed *Error, chance float64) (wait time.Duration, ok bool) {
	if failed == nil {
		return o.Again(attempt, nil, call.Advice{}, chance)
	}
	return o.Again(attempt, failed, failed.advice, chance)
}
