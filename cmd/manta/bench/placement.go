package bench

import (
	"context"
	"fmt"
	"time"

	"manta/objstore"
	"manta/task"
)

// placed is how many tasks a trial of placement has: as many as its two nodes have CPUs.
const placed = 2 * workerCPUs

var placementMeasures = []Measure{
	{
		Name: "placement_8x500ms", Unit: "ms",
		About: "the slowest of 20 trials of eight tasks of 0.5 s on two nodes of 4 CPUs; it fails unless each node runs four of them",
		Setup: evenPlacement,
	},
}

// whereabouts sleeps and returns the id of the node that ran it.
var whereabouts = task.Define("bench_whereabouts", func(ctx context.Context, d time.Duration) (string, error) {
	_, err := sleepFor(ctx, d)
	return task.Current(ctx).Node, err
})

func evenPlacement(ctx context.Context, s *Stage) (Timed, error) {
	driver, err := crewOf(ctx, s, placed/workerCPUs)
	if err != nil {
		return nil, err
	}
	return func(context.Context) (Sample, error) {
		var slowest time.Duration
		for trial := range s.trials {
			begun := time.Now()
			ran, err := objstore.GetAll(driver, whereabouts.Map(driver, alike(placed, 500*time.Millisecond)))
			if err != nil {
				return Sample{}, err
			}
			slowest = max(slowest, time.Since(begun))
			if err := evenly(ran, placed/workerCPUs); err != nil {
				return Sample{}, fmt.Errorf("trial %d: %w", trial+1, err)
			}
		}
		return Sample{Value: millis(slowest)}, nil
	}, nil
}

// evenly is the error of tasks of which not each of so many nodes ran the same share. ran has the node of every task.
func evenly(ran []string, nodes int) error {
	shares := make(map[string]int)
	for _, id := range ran {
		shares[id]++
	}
	for _, n := range shares {
		if n*nodes != len(ran) {
			return fmt.Errorf("of %[2]d tasks the nodes ran %[1]v, want %[3]d each", shares, len(ran), len(ran)/nodes)
		}
	}
	return nil
}
