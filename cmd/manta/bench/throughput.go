package bench

import (
	"context"
	"sync"
	"time"

	"manta/node"
	"manta/objstore"
	"manta/task"
)

var noop = task.Define("bench_noop", func(_ context.Context, n int) (int, error) { return n, nil })

// drivers is how many owners multi_client_tasks_async has.
const drivers = 4

var throughputMeasures = []Measure{
	{
		Name: "tasks_async", Unit: "tasks/s", Baseline: "raw_request_pipelined",
		About: "one driver, one worker: 100,000 no-ops by Map, read by GetAll",
		Setup: func(ctx context.Context, s *Stage) (Timed, error) { return tasksAsync(ctx, s, 1) },
	},
	{
		Name: "tasks_async_3_nodes", Unit: "tasks/s", Baseline: "raw_request_pipelined",
		About: "the same with three workers on one server",
		Setup: func(ctx context.Context, s *Stage) (Timed, error) { return tasksAsync(ctx, s, 3) },
	},
	{
		Name: "multi_client_tasks_async", Unit: "tasks/s", Baseline: "raw_request_pipelined",
		About: "four drivers with a connection each, one worker",
		Setup: multiClient,
	},
	{
		Name: "tasks_async_untold", Unit: "tasks/s", Baseline: "raw_request_pipelined",
		About: "tasks_async by nodes that tell no events",
		Setup: func(ctx context.Context, s *Stage) (Timed, error) { return tasksAsync(ctx, s, 1, withoutEvents) },
	},
	{
		Name: "tasks_async_told", Unit: "tasks/s", Baseline: "tasks_async_untold",
		About: "tasks_async once more, beside what it is without events",
		Setup: func(ctx context.Context, s *Stage) (Timed, error) { return tasksAsync(ctx, s, 1) },
	},
	{
		Name: "nested_tasks", Unit: "tasks/s",
		About: "100 tasks that start 10 children each and read them",
		Setup: nestedTasks,
	},
}

// tasksAsync measures a backlog of one driver on workers of the same server.
func tasksAsync(ctx context.Context, s *Stage, workers int, tune ...func(*node.Config)) (Timed, error) {
	at, err := s.Server()
	if err != nil {
		return nil, err
	}
	return tasksBetween(ctx, s, at, repeat(at, workers), tune...)
}

func withoutEvents(cfg *node.Config) { cfg.EventRate = -1 }

func repeat(at Place, n int) (places []Place) {
	for range n {
		places = append(places, at)
	}
	return places
}

// tasksBetween measures a backlog of a driver at one place, with a worker at each of others.
func tasksBetween(ctx context.Context, s *Stage, from Place, to []Place, tune ...func(*node.Config)) (Timed, error) {
	driver, err := crew(ctx, s, from, to, tune...)
	if err != nil {
		return nil, err
	}
	return func(context.Context) (Sample, error) {
		begun := time.Now()
		err := runBacklog(driver, s.backlog)
		return rate(s.backlog, time.Since(begun)), err
	}, nil
}

func runBacklog(ctx context.Context, n int) error {
	_, err := objstore.GetAll(ctx, noop.Map(ctx, numbers(n)))
	return err
}

func numbers(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func multiClient(ctx context.Context, s *Stage) (Timed, error) {
	at, err := s.Server()
	if err != nil {
		return nil, err
	}
	if err := s.Worker(ctx, at); err != nil {
		return nil, err
	}
	var all [drivers]context.Context
	for i := range all {
		if all[i], err = s.Driver(ctx, at); err != nil {
			return nil, err
		}
		if err := runBacklog(all[i], s.warm); err != nil {
			return nil, err
		}
	}
	each := s.backlog / drivers
	return func(context.Context) (Sample, error) {
		begun := time.Now()
		err := atOnce(all[:], func(driver context.Context) error { return runBacklog(driver, each) })
		return rate(each*drivers, time.Since(begun)), err
	}, nil
}

// atOnce does the same for every driver and returns the first error.
func atOnce(all []context.Context, do func(driver context.Context) error) error {
	errs := make(chan error, len(all))
	var group sync.WaitGroup
	for _, driver := range all {
		group.Go(func() { errs <- do(driver) })
	}
	group.Wait()
	return firstOf(errs, len(all))
}

// children is how many tasks a parent of nested_tasks starts.
const children = 10

var parent = task.Define("bench_parent", func(ctx context.Context, n int) (int, error) {
	return n, runBacklog(ctx, children)
})

func nestedTasks(ctx context.Context, s *Stage) (Timed, error) {
	driver, err := pair(ctx, s)
	if err != nil {
		return nil, err
	}
	run := func(parents int) error {
		_, err := objstore.GetAll(driver, parent.Map(driver, numbers(parents)))
		return err
	}
	if err := run(1); err != nil {
		return nil, err
	}
	return func(context.Context) (Sample, error) {
		begun := time.Now()
		err := run(s.parents)
		return rate(s.parents*(children+1), time.Since(begun)), err
	}, nil
}

// pair is a crew of one, on the stage's one server.
func pair(ctx context.Context, s *Stage) (driver context.Context, err error) {
	return crewOf(ctx, s, 1)
}

// crewOf is a crew whose nodes are all on the stage's one server.
func crewOf(ctx context.Context, s *Stage, workers int, tune ...func(*node.Config)) (driver context.Context, err error) {
	at, err := s.Server()
	if err != nil {
		return nil, err
	}
	return crew(ctx, s, at, repeat(at, workers), tune...)
}

// crew starts a worker at each of the places to, and a driver, each on a connection of its own, which have met.
func crew(ctx context.Context, s *Stage, from Place, to []Place, tune ...func(*node.Config)) (driver context.Context, err error) {
	for _, place := range to {
		if err := s.Worker(ctx, place, tune...); err != nil {
			return nil, err
		}
	}
	if driver, err = s.Driver(ctx, from, tune...); err != nil {
		return nil, err
	}
	return driver, runBacklog(driver, s.warm)
}

// offering makes workers offer so many CPUs.
func offering(cpus float64) func(*node.Config) { return func(cfg *node.Config) { cfg.CPUs = cpus } }
