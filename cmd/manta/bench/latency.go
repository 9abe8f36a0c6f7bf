package bench

import (
	"context"
	"time"
)

var latencyMeasures = []Measure{
	{
		Name: "tasks_sync", Unit: "us", Baseline: "raw_request_sync",
		About: "the median of no-ops called one after the other",
		Setup: tasksSync,
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
	if _, err := oneByOne(s.calls, call); err != nil {
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
