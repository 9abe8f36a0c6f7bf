package bench

import (
	"context"
	"time"

	"manta/placement"
)

var groupMeasures = []Measure{
	{
		Name: "placement_group_create_removal", Unit: "groups/s",
		About: "a driver makes groups of one bundle on one worker, one after the other, waits for each to be ready, and removes it",
		Setup: groups(1, placement.Pack),
	},
	{
		Name: "placement_group_create_removal_spread", Unit: "groups/s",
		About: "the same with three bundles on three workers",
		Setup: groups(3, placement.StrictSpread),
	},
}

// groups measures groups of as many bundles as there are workers.
func groups(workers int, strategy placement.Strategy) func(context.Context, *Stage) (Timed, error) {
	return func(ctx context.Context, s *Stage) (Timed, error) {
		driver, err := crewOf(ctx, s, workers)
		if err != nil {
			return nil, err
		}
		bundles := make([]placement.Bundle, workers)
		for i := range bundles {
			bundles[i] = placement.Bundle{"CPU": 1}
		}
		once := func() error {
			g, err := placement.New(driver, bundles, strategy)
			if err != nil {
				return err
			}
			if err := g.Ready(driver); err != nil {
				return err
			}
			return g.Remove(driver)
		}
		if err := once(); err != nil {
			return nil, err
		}
		return func(context.Context) (Sample, error) {
			begun := time.Now()
			for range s.calls {
				if err := once(); err != nil {
					return Sample{}, err
				}
			}
			return rate(s.calls, time.Since(begun)), nil
		}, nil
	}
}
