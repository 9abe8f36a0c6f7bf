package bench

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"manta/objstore"
	"manta/task"
)

var queueMeasures = []Measure{
	{
		Name: "queue_1m_tasks", Unit: "s",
		About: "1,000,000 no-ops submitted behind a blocked worker, which is released when all are queued, until all are read",
		Setup: queueTasks,
	},
	{
		Name: "queued_task_bytes", Unit: "B",
		About: "memory that the owner holds for a queued no-op and its ref, over 1,000,000 of them; the worker's share is in it",
		Setup: queuedBytes,
	},
	{
		Name: "task_allocs", Unit: "allocs",
		About: "allocations of a no-op from submission to its value, of driver, worker and the server inside together",
		Setup: taskAllocs,
	},
}

// A gate holds a task of this process until it opens.
type gate struct {
	entered chan struct{}
	open    chan struct{}
}

// current is the gate at which the task bench_block waits.
var current atomic.Pointer[gate]

var block = task.Define("bench_block", func(ctx context.Context, n int) (int, error) {
	g := current.Load()
	close(g.entered)
	select {
	case <-g.open:
		return n, nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}, task.CPUs(workerCPUs), task.Retries(0))

// blocked is a driver whose worker has no CPU free until release is called, once.
func blocked(ctx context.Context, s *Stage) (driver context.Context, release func() error, err error) {
	if driver, err = pair(ctx, s); err != nil {
		return nil, nil, err
	}
	g := &gate{entered: make(chan struct{}), open: make(chan struct{})}
	current.Store(g)
	ref := block.Go(driver, 1)
	select {
	case <-g.entered:
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
	return driver, func() error {
		close(g.open)
		_, err := ref.Get(driver)
		return err
	}, nil
}

func queueTasks(ctx context.Context, s *Stage) (Timed, error) {
	driver, release, err := blocked(ctx, s)
	if err != nil {
		return nil, err
	}
	args := numbers(s.queued)
	return func(context.Context) (Sample, error) {
		begun := time.Now()
		refs := noop.Map(driver, args)
		if err := release(); err != nil {
			return Sample{}, err
		}
		values, err := objstore.GetAll(driver, refs)
		if err != nil {
			return Sample{}, err
		}
		return Sample{Value: time.Since(begun).Seconds()}, expect(values[len(values)-1], s.queued-1)
	}, nil
}

func queuedBytes(ctx context.Context, s *Stage) (Timed, error) {
	driver, release, err := blocked(ctx, s)
	if err != nil {
		return nil, err
	}
	args := numbers(s.queued)
	return func(context.Context) (Sample, error) {
		before := live()
		refs := noop.Map(driver, args)
		after := live()
		runtime.KeepAlive(args)
		if err := release(); err != nil {
			return Sample{}, err
		}
		_, err := objstore.GetAll(driver, refs)
		return Sample{Value: (float64(after) - float64(before)) / float64(s.queued)}, err
	}, nil
}

// live is how many bytes of the heap are in use.
func live() uint64 {
	runtime.GC()
	runtime.GC() // what the first one found unreachable had a finalizer, perhaps
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func taskAllocs(ctx context.Context, s *Stage) (Timed, error) {
	driver, err := pair(ctx, s)
	if err != nil {
		return nil, err
	}
	return func(context.Context) (Sample, error) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := runBacklog(driver, s.allocated)
		runtime.ReadMemStats(&after)
		return Sample{Value: float64(after.Mallocs-before.Mallocs) / float64(s.allocated)}, err
	}, nil
}

// expect is the error of a value that is not the one that must have come.
func expect(got, want int) error {
	if got != want {
		return fmt.Errorf("the tasks returned %d, want %d", got, want)
	}
	return nil
}
