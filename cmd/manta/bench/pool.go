package bench

import (
	"context"
	"time"

	"manta/objstore"
)

// A load is so many tasks that each sleep for so long.
type load struct {
	tasks int
	each  time.Duration
}

var (
	sixHundred  = load{600, 10 * time.Millisecond}
	fourHundred = load{400, 50 * time.Millisecond}
)

var poolMeasures = []Measure{
	{
		Name: "local_pool_600x10ms_6", Unit: "s",
		About: "nothing of Manta: 600 sleeps of 10 ms by six goroutines",
		Setup: sixHundred.locally(6),
	},
	{
		Name: "pool_600x10ms_3x2", Unit: "s", Baseline: "local_pool_600x10ms_6",
		About: "the same sleeps as tasks, on three nodes of 2 CPUs",
		Setup: sixHundred.onNodes(3, 2),
	},
	{
		Name: "pool_600x10ms_3x2_routed", Unit: "s", Baseline: "local_pool_600x10ms_6", Inside: true,
		About: "the same with each node on its own of three routed servers",
		Setup: sixHundred.onRoutedNodes(2),
	},
	{
		Name: "local_pool_400x50ms_20", Unit: "s",
		About: "nothing of Manta: 400 sleeps of 50 ms by twenty goroutines",
		Setup: fourHundred.locally(20),
	},
	{
		Name: "pool_400x50ms_10x2", Unit: "s", Baseline: "local_pool_400x50ms_20",
		About: "the same sleeps as tasks, on ten nodes of 2 CPUs",
		Setup: fourHundred.onNodes(10, 2),
	},
}

func (l load) locally(workers int) func(context.Context, *Stage) (Timed, error) {
	return func(_ context.Context, s *Stage) (Timed, error) {
		return inSeconds(func(ctx context.Context) error {
			return sleepLocally(ctx, workers, alike(l.tasks/s.part, l.each))
		}), nil
	}
}

func (l load) onNodes(nodes int, cpus float64) func(context.Context, *Stage) (Timed, error) {
	return func(ctx context.Context, s *Stage) (Timed, error) {
		driver, err := crewOf(ctx, s, nodes, offering(cpus))
		return sleepRemotely(driver, alike(l.tasks/s.part, l.each)), err
	}
}

func (l load) onRoutedNodes(cpus float64) func(context.Context, *Stage) (Timed, error) {
	return func(ctx context.Context, s *Stage) (Timed, error) {
		at, err := s.routed(ctx)
		if err != nil {
			return nil, err
		}
		driver, err := crew(ctx, s, at[0], at, offering(cpus))
		return sleepRemotely(driver, alike(l.tasks/s.part, l.each)), err
	}
}

func sleepRemotely(driver context.Context, each []time.Duration) Timed {
	return inSeconds(func(context.Context) error {
		_, err := objstore.GetAll(driver, sleep.Map(driver, each))
		return err
	})
}

// inSeconds measures how long something takes.
func inSeconds(do func(context.Context) error) Timed {
	return func(ctx context.Context) (Sample, error) {
		begun := time.Now()
		err := do(ctx)
		return Sample{Value: time.Since(begun).Seconds()}, err
	}
}
