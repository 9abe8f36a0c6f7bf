package bench

import (
	"context"
	"slices"
	"sync"
	"time"

	"manta/task"
)

// sleep and busy are tasks that take as long as their argument says, and return it.
var (
	sleep = task.Define("bench_sleep", sleepFor)
	busy  = task.Define("bench_busy", busyFor)
)

func sleepFor(ctx context.Context, d time.Duration) (time.Duration, error) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return d, nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

func busyFor(_ context.Context, d time.Duration) (time.Duration, error) {
	for begun := time.Now(); time.Since(begun) < d; {
	}
	return d, nil
}

// alike are the arguments of n tasks that take equally long.
func alike(n int, each time.Duration) []time.Duration { return slices.Repeat([]time.Duration{each}, n) }

// sleepLocally does what sleep tasks do on so many goroutines of this process: the least that any pool can cost.
func sleepLocally(ctx context.Context, workers int, each []time.Duration) error {
	todo := make(chan time.Duration)
	errs := make(chan error, workers)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			var failed error
			for d := range todo {
				if _, err := sleepFor(ctx, d); err != nil {
					failed = err
				}
			}
			errs <- failed
		})
	}
	for _, d := range each {
		todo <- d
	}
	close(todo)
	group.Wait()
	return firstOf(errs, workers)
}

// firstOf receives n errors and returns one that is not nil, if there is any.
func firstOf(errs <-chan error, n int) (first error) {
	for range n {
		if err := <-errs; first == nil {
			first = err
		}
	}
	return first
}
