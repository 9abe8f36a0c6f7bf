package objstore_test

import (
	"context"
	"sync"

	"manta/task"
)

var (
	sums   = task.Define("sum", func(_ context.Context, v []float64) (float64, error) { return sum(v), nil })
	counts = task.Define("count", func(_ context.Context, n int) ([]float64, error) { return floats(n), nil })

	// heldCounts does what is in holds under its argument before it returns a large result.
	heldCounts = task.Define("held_count", func(ctx context.Context, hold int) ([]float64, error) {
		do, _ := holds.Load(hold)
		do.(func(context.Context))(ctx)
		return floats(mebibyte), nil
	})
	holds sync.Map // int → func(context.Context)
)

func sum(v []float64) (total float64) {
	for _, x := range v {
		total += x
	}
	return total
}
