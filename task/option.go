package task

import (
	"cmp"
	"fmt"
	"maps"
	"time"

	"manta/internal/call"
	"manta/internal/member"
)

// Option changes how a task is made. Given to Define it holds for every task of the function, given to With for those
// made through the value that With returns.
type Option func(*call.Options) error

// CPUs is how many CPUs the task takes while it runs, in steps of 1/10,000; 1 by default. 0 takes none.
func CPUs(n float64) Option { return Resources(map[string]float64{member.CPU: n}) }

// Resources are what the task takes of the named resources while it runs; "CPU" is 1 unless given.
func Resources(quantities map[string]float64) Option {
	return func(o *call.Options) error {
		given, err := member.NewAmounts(quantities)
		if err != nil {
			return fmt.Errorf("task needs %w", err)
		}
		need := make(member.Amounts, len(o.Need)+len(given))
		maps.Copy(need, o.Need)
		for name := range quantities {
			delete(need, name)
		}
		maps.Copy(need, given)
		o.Need = need
		return nil
	}
}

// Retries is how often a task is tried again after its node was lost, or after an error that [RetryOn] or [RetryAfter] is about; 3 by
// default, for both together. It runs again as well when its large result is lost, which counts as another. With 0 a task runs at most once.
func Retries(n int) Option {
	return func(o *call.Options) error {
		if n < 0 {
			return fmt.Errorf("%d retries: want a number from 0", n)
		}
		o.Retries = n
		return nil
	}
}

// Timeout bounds the time from submission to outcome: a task that takes longer fails with ErrDeadline.
func Timeout(d time.Duration) Option {
	return func(o *call.Options) error {
		if d <= 0 {
			return fmt.Errorf("a timeout of %v: want more than 0", d)
		}
		o.Timeout = d
		return nil
	}
}

// defaults are the options of a task that says nothing.
func defaults() call.Options {
	need, _ := member.NewAmounts(map[string]float64{member.CPU: 1}) // a valid quantity
	return call.Options{Need: need, Retries: 3, Backoff: call.DefaultBackoff}
}

// with returns a copy of a target with options changed; what is wrong with them fails its calls.
func with(t *call.Target, opts []Option) *call.Target {
	changed := *t
	var err error
	for _, opt := range opts {
		err = cmp.Or(err, opt(&changed.Options))
	}
	if err == nil && t.Fits != nil {
		err = t.Fits(changed.Options)
	}
	if err != nil && changed.Err == nil {
		changed.Err = fmt.Errorf("%s: %w", t.Name, err)
	}
	changed.Options.NeedKey = needKey(changed.Options.Need, changed.Options.Bundle)
	changed.Options.PlaceKey = changed.Options.Placing.String()
	return &changed
}
