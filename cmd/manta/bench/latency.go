package bench

import (
	"context"
	"time"

	"manta/objstore"
	"manta/task"
)

var latencyMeasures = []Measure{
	{
		Name: "tasks_sync", Unit: "us", Baseline: "raw_request_sync",
		About: "the median of no-ops called one after the other",
		Setup: tasksSync,
	},
	{
		Name: "flood_single_task", Unit: "us",
		About: "the 99th percentile of one owner's single tasks while another's 100,000 tasks of 100 µs are queued",
		Setup: floodSingleTask,
	},
}

func tasksSync(ctx context.Context, s *Stage) (Timed, error) {
	driver, err := pair(ctx, s)
	if err != nil {
		return nil, err
	}
	call := func() error {
		_, err := noop.Call(driver, 7)
		return err
	}
	if _, err := oneByOne(s.warm, call); err != nil {
		return nil, err
	}
	return func(context.Context) (Sample, error) {
		took, err := oneByOne(s.calls, call)
		return latencies(took, 0.50), err
	}, nil
}

// oneByOne does something n times and returns how long each time took.
func oneByOne(n int, do func() error) ([]time.Duration, error) {
	took := make([]time.Duration, n)
	begun := time.Now()
	for i := range took {
		if err := do(); err != nil {
			return nil, err
		}
		ended := time.Now()
		took[i], begun = ended.Sub(begun), ended
	}
	return took, nil
}

var nap = task.Define("bench_nap", func(_ context.Context, n int) (int, error) {
	time.Sleep(100 * time.Microsecond)
	return n, nil
})

func floodSingleTask(ctx context.Context, s *Stage) (Timed, error) {
	flooding, err := pair(ctx, s)
	if err != nil {
		return nil, err
	}
	at, err := s.Server()
	if err != nil {
		return nil, err
	}
	single, err := s.Driver(ctx, at)
	if err != nil {
		return nil, err
	}
	if err := runBacklog(single, s.warm); err != nil {
		return nil, err
	}
	return func(context.Context) (Sample, error) {
		flooded := make(chan error, 1)
		refs := nap.Map(flooding, numbers(s.flood))
		go func() {
			_, err := objstore.GetAll(flooding, refs)
			flooded <- err
		}()
		took, err := callUntil(single, flooded)
		return latencies(took, 0.99), err
	}, nil
}

// callUntil calls no-ops one after the other until the flood has ended, and returns its error if it has one.
func callUntil(single context.Context, flooded <-chan error) (took []time.Duration, err error) {
	for {
		select {
		case err := <-flooded:
			return took, err
		default:
		}
		begun := time.Now()
		if _, err := noop.Call(single, 7); err != nil {
			<-flooded
			return nil, err
		}
		took = append(took, time.Since(begun))
	}
}
