package main

import (
	"context"
	"time"
)

// sizes says how much there is to do in each cell.
type sizes struct {
	files             int           // cells 2 and 3
	loadTime          time.Duration // cell 5: until the model is ready
	fetchTime         time.Duration // cell 6: each of three
	side              int           // cells 7 and 8: the array is side × side
	shortest, longest time.Duration // cell 9: the tasks' durations
	compare           []int         // cell 13: samples; each a multiple of batches
	converge          []int         // cell 14: likewise
	figures           []string      // cell 14: files
}

var full = sizes{
	files:     8,
	loadTime:  2 * time.Second,
	fetchTime: time.Second,
	side:      10_000,
	shortest:  100 * time.Millisecond,
	longest:   2 * time.Second,
	compare:   []int{100_000, 500_000, 1_000_000, 5_000_000},
	converge:  []int{10_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000, 10_000_000},
	figures:   []string{"convergence.png", "convergence.svg"},
}

var quick = sizes{
	files:     4,
	loadTime:  200 * time.Millisecond,
	fetchTime: 300 * time.Millisecond,
	side:      1_000,
	shortest:  10 * time.Millisecond,
	longest:   200 * time.Millisecond,
	compare:   []int{10_000, 50_000, 100_000, 500_000},
	converge:  []int{1_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000},
	figures:   []string{"convergence.png"},
}

// pause stands for work that takes d, and ends early when ctx does.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
