package bench

import (
	"context"
	"time"

	"manta/objstore"
	"manta/task"
)

var objectMeasures = []Measure{
	{
		Name: "wait_1k_refs", Unit: "loops/s",
		About: "a loop submits 1,000 no-ops and waits for one at a time until none is left",
		Setup: waitRefs,
	},
	{
		Name: "tasks_10k_args", Unit: "s",
		About: "10,000 values are put and passed as refs in one argument; the task reads every one",
		Setup: manyArgs,
	},
}

func waitRefs(ctx context.Context, s *Stage) (Timed, error) {
	driver, err := pair(ctx, s)
	if err != nil {
		return nil, err
	}
	return func(context.Context) (Sample, error) {
		begun := time.Now()
		for range s.loops {
			if err := waitOneByOne(driver, s.waited); err != nil {
				return Sample{}, err
			}
		}
		return rate(s.loops, time.Since(begun)), nil
	}, nil
}

func waitOneByOne(ctx context.Context, n int) (err error) {
	rest := noop.Map(ctx, numbers(n))
	for len(rest) > 0 {
		if _, rest, err = objstore.Wait(ctx, rest, 1); err != nil {
			return err
		}
	}
	return nil
}

// sum reads each of the values that it gets by name.
var sum = task.Define("bench_sum", func(ctx context.Context, refs []objstore.Ref[int]) (int, error) {
	values, err := objstore.GetAll(ctx, refs)
	total := 0
	for _, v := range values {
		total += v
	}
	return total, err
})

func manyArgs(ctx context.Context, s *Stage) (Timed, error) {
	driver, err := pair(ctx, s)
	if err != nil {
		return nil, err
	}
	return func(context.Context) (Sample, error) {
		begun := time.Now()
		refs := make([]objstore.Ref[int], s.args)
		for i := range refs {
			refs[i] = objstore.Put(driver, i)
		}
		got, err := sum.Call(driver, refs)
		if err != nil {
			return Sample{}, err
		}
		return Sample{Value: time.Since(begun).Seconds()}, expect(got, s.args*(s.args-1)/2)
	}, nil
}
