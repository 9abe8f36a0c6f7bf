package bench

import (
	"context"
	"errors"
	"time"

	"manta/objstore"
	"manta/task"
)

// A mix is ten long tasks and, submitted behind them, a thousand short ones. On two nodes of 8 CPUs the long ones leave six
// CPUs to the short ones.
//
// The ratio has the timers of Linux in it: sleeps of 1 ms that begin together, as those of the baseline do, take 1.1 ms each, and
// sleeps that begin 0.1 ms or so apart, as those of tasks do, up to 1.7 ms, since Go waits for whole milliseconds.
const (
	longTasks  = 10
	longEach   = time.Second
	shortTasks = 1_000
	shortEach  = time.Millisecond
	mixNodes   = 2
	mixCPUs    = 8
	shortCPUs  = mixNodes*mixCPUs - longTasks
)

// sleepLong is a function of its own, so that what is learned of its tasks says nothing of those of sleep.
var sleepLong = task.Define("bench_sleep_long", sleepFor)

var mixMeasures = []Measure{
	{
		Name: "local_mix_short_behind_long", Unit: "ms",
		About: "nothing of Manta: 1,000 sleeps of 1 ms by six goroutines of their own, while ten others sleep for 1 s",
		Setup: mixLocally,
	},
	{
		Name: "mix_short_behind_long", Unit: "ms", Baseline: "local_mix_short_behind_long",
		About: "ten tasks of 1 s and behind them 1,000 of 1 ms on two nodes of 8 CPUs, until the last short one is read",
		Setup: mixOnNodes(sleepLong),
	},
	{
		Name: "mix_short_behind_long_one_func", Unit: "ms", Baseline: "local_mix_short_behind_long",
		About: "the same with all of them calls of one function",
		Setup: mixOnNodes(sleep),
	},
}

// mixOf returns how long the tasks of a mix take.
func mixOf(s *Stage) (long, short []time.Duration) {
	return alike(longTasks, longEach/time.Duration(s.part)), alike(shortTasks/s.part, shortEach)
}

func mixLocally(_ context.Context, s *Stage) (Timed, error) {
	long, short := mixOf(s)
	return func(ctx context.Context) (Sample, error) {
		begun := time.Now()
		ended := make(chan error, 1)
		go func() { ended <- sleepLocally(ctx, longTasks, long) }()
		err := sleepLocally(ctx, shortCPUs, short)
		took := time.Since(begun)
		return Sample{Value: millis(took)}, errors.Join(err, <-ended)
	}, nil
}

func mixOnNodes(longFunc task.Func[time.Duration, time.Duration]) func(context.Context, *Stage) (Timed, error) {
	return func(ctx context.Context, s *Stage) (Timed, error) {
		driver, err := crewOf(ctx, s, mixNodes, offering(mixCPUs))
		if err != nil {
			return nil, err
		}
		long, short := mixOf(s)
		return func(context.Context) (Sample, error) {
			begun := time.Now()
			before := longFunc.Map(driver, long)
			if _, err := objstore.GetAll(driver, sleep.Map(driver, short)); err != nil {
				return Sample{}, err
			}
			took := time.Since(begun)
			_, err := objstore.GetAll(driver, before)
			return Sample{Value: millis(took)}, err
		}, nil
	}
}
