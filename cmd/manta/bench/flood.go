package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"manta/objstore"
	"manta/task"
)

var floodMeasures = []Measure{
	{
		Name: "flood_single_task_100us", Unit: "us",
		About: "the 99th percentile of one owner's single no-ops while another's 100,000 tasks of 100 µs are queued on 2 nodes of 4 CPUs",
		Setup: floodSingleTask(busy, 100*time.Microsecond),
	},
	{
		Name: "flood_single_task_5ms", Unit: "us",
		About: "the same behind tasks that sleep for 5 ms, for 20 s",
		Setup: floodSingleTask(sleep, 5*time.Millisecond),
	},
	{
		Name: "flood_single_task_100ms", Unit: "us",
		About: "the same behind tasks that sleep for 100 ms, for 20 s",
		Setup: floodSingleTask(sleep, 100*time.Millisecond),
	},
}

// errFloodOver is why the rest of a flood is cancelled.
var errFloodOver = errors.New("enough single tasks were measured")

func floodSingleTask(of task.Func[time.Duration, time.Duration], each time.Duration) func(context.Context, *Stage) (Timed, error) {
	return func(ctx context.Context, s *Stage) (Timed, error) {
		flooding, err := crewOf(ctx, s, 2)
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
			took, err := callBesideFlood(s, single, startFlood(flooding, of, alike(s.flood, each)))
			return latencies(took, 0.99), err
		}, nil
	}
}

// A flood is many tasks of one owner, under way.
type flood struct {
	stop  context.CancelCauseFunc
	ended chan struct{}
	err   error // valid once ended is closed
}

func startFlood(driver context.Context, of task.Func[time.Duration, time.Duration], each []time.Duration) *flood {
	ctx, stop := context.WithCancelCause(driver)
	f := &flood{stop: stop, ended: make(chan struct{})}
	refs := of.Map(ctx, each)
	go func() {
		defer close(f.ended)
		_, f.err = objstore.GetAll(ctx, refs)
	}()
	return f
}

// cancel ends what is left of the flood, and returns the error that it had on its own.
func (f *flood) cancel() error {
	f.stop(errFloodOver)
	<-f.ended
	if errors.Is(f.err, errFloodOver) {
		return nil
	}
	return f.err
}

func callBesideFlood(s *Stage, single context.Context, f *flood) ([]time.Duration, error) {
	begun := time.Now()
	enough := func(calls int) bool { return calls >= s.singles && time.Since(begun) >= s.floodLasts }
	took, err := callUntil(f.ended, enough, func() error {
		_, err := noop.Call(single, 7)
		return err
	})
	if err = errors.Join(err, f.cancel()); err == nil && len(took) < s.singles {
		err = fmt.Errorf("the flood was over after %d single tasks, want %d for a 99th percentile", len(took), s.singles)
	}
	return took, err
}

// callUntil calls one after the other, at least once, until what goes on beside has ended or enough says that so many will do.
func callUntil(ended <-chan struct{}, enough func(calls int) bool, call func() error) (took []time.Duration, err error) {
	for {
		begun := time.Now()
		if err := call(); err != nil {
			return nil, err
		}
		took = append(took, time.Since(begun))
		select {
		case <-ended:
			return took, nil
		default:
		}
		if enough(len(took)) {
			return took, nil
		}
	}
}
