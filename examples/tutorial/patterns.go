package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"manta/objstore"
	"manta/task"
)

// A Job takes as long as it says.
type Job struct {
	ID       int
	Duration time.Duration
}

var work = task.Define("work", func(ctx context.Context, job Job) (Job, error) {
	return job, pause(ctx, job.Duration)
})

// resultsAsTheyCome is cell 9: the same ten jobs twice, first with Wait, then with Ready.
func (t *tutorial) resultsAsTheyCome(ctx context.Context) error {
	jobs := make([]Job, 10)
	var total time.Duration
	for i := range jobs {
		jobs[i] = Job{ID: i, Duration: t.size.shortest + rand.N(t.size.longest-t.size.shortest)}
		total += jobs[i].Duration
	}
	t.printf("%d jobs, %.1f s of work for %d CPUs", len(jobs), total.Seconds(), cpus)
	if err := t.collect(ctx, "Wait", jobs, waitLoop); err != nil {
		return err
	}
	return t.collect(ctx, "Ready", jobs, readyLoop)
}

// waitLoop asks again and again for the next result that is there: the loop that users of Ray know.
func waitLoop(ctx context.Context, refs []objstore.Ref[Job], handle func(objstore.Ref[Job]) error) error {
	for len(refs) > 0 {
		ready, rest, err := objstore.Wait(ctx, refs, 1)
		if err != nil {
			return err
		}
		if err := handle(ready[0]); err != nil {
			return err
		}
		refs = rest
	}
	return nil
}

// readyLoop says the same as a range loop, and does not look at every ref again for every result.
func readyLoop(ctx context.Context, refs []objstore.Ref[Job], handle func(objstore.Ref[Job]) error) error {
	for ref := range objstore.Ready(ctx, refs) {
		if err := handle(ref); err != nil {
			return err
		}
	}
	return context.Cause(ctx) // the range ends early when ctx does
}

// collect runs the jobs, prints each as its loop hands it over, and checks that every one came exactly once.
func (t *tutorial) collect(
	ctx context.Context, name string, jobs []Job,
	loop func(context.Context, []objstore.Ref[Job], func(objstore.Ref[Job]) error) error,
) error {
	step, done := t.bar(len(jobs))
	defer done()
	started := time.Now()
	seen := make(map[int]bool)
	err := loop(ctx, work.Map(ctx, jobs), func(ref objstore.Ref[Job]) error {
		job, err := ref.Get(ctx)
		if err != nil {
			return err
		}
		seen[job.ID] = true
		step()
		t.printf("  ✓ job %d, %.2f s long, came after %.2f s", job.ID, job.Duration.Seconds(), time.Since(started).Seconds())
		return nil
	})
	if err != nil {
		return err
	}
	took := time.Since(started).Seconds()
	t.printf("%s: %d jobs in %.2f s, %.1f a second", name, len(seen), took, float64(len(jobs))/took)
	if len(seen) != len(jobs) {
		return fmt.Errorf("%s brought %d of %d jobs", name, len(seen), len(jobs))
	}
	return nil
}
