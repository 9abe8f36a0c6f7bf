package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"manta/objstore"
	"manta/task"
)

// batches is how many parts every run is cut into. A batch seeds its own generator with its number,
// so that a run finds the same points in the same batches wherever and in whatever order they are drawn.
const batches = 20

// inside draws points of the unit square and counts those within the quarter circle.
func inside(samples int, batch uint64) int {
	random := rand.New(rand.NewPCG(batch, 42))
	count := 0
	for range samples {
		x, y := random.Float64(), random.Float64()
		if x*x+y*y <= 1 {
			count++
		}
	}
	return count
}

var sampleBatch = task.Define2("sample_batch", func(_ context.Context, samples int, batch uint64) (int, error) {
	return inside(samples, batch), nil
})

// An estimate is what one run found, and how long it took.
type estimate struct {
	samples, inside int
	took            time.Duration
}

func (e estimate) pi() float64       { return 4 * float64(e.inside) / float64(e.samples) }
func (e estimate) distance() float64 { return math.Abs(e.pi() - math.Pi) }
func (e estimate) rate() float64     { return float64(e.samples) / e.took.Seconds() }

// inTurn draws the batches one after the other, on the CPU of the caller.
func inTurn(samples int) estimate {
	started := time.Now()
	total := 0
	for batch := range uint64(batches) {
		total += inside(samples/batches, batch)
	}
	return estimate{samples: samples, inside: total, took: time.Since(started)}
}

// scattered draws the same batches as tasks: scatter, gather, reduce.
func scattered(ctx context.Context, samples int) (estimate, error) {
	started := time.Now()
	refs := make([]objstore.Ref[int], batches)
	for batch := range refs {
		refs[batch] = sampleBatch.Go(ctx, samples/batches, uint64(batch))
	}
	counts, err := objstore.GetAll(ctx, refs)
	if err != nil {
		return estimate{}, err
	}
	total := 0
	for _, count := range counts {
		total += count
	}
	return estimate{samples: samples, inside: total, took: time.Since(started)}, nil
}

// compared runs both ways and insists that they find the same.
func compared(ctx context.Context, samples int) (alone, manta estimate, err error) {
	alone = inTurn(samples)
	manta, err = scattered(ctx, samples)
	if err == nil && manta.inside != alone.inside {
		err = fmt.Errorf("%s samples: Manta counted %d inside, the loop %d", grouped(samples), manta.inside, alone.inside)
	}
	return alone, manta, err
}

// million is the run of cells 11 and 12.
const million = 1_000_000

// sequentialPi is cell 11.
func (t *tutorial) sequentialPi(context.Context) error {
	t.printEstimate(inTurn(million))
	return nil
}

// distributedPi is cell 12.
func (t *tutorial) distributedPi(ctx context.Context) error {
	alone, manta, err := compared(ctx, million)
	if err != nil {
		return err
	}
	t.printEstimate(manta)
	t.printf("%d batches gave the count of the loop, %s, %.2f× as fast", batches, grouped(manta.inside), alone.took.Seconds()/manta.took.Seconds())
	return nil
}

func (t *tutorial) printEstimate(e estimate) {
	t.printf("π ≈ %.6f, off by %.6f", e.pi(), e.distance())
	t.printf("%s samples in %s, %s a second", grouped(e.samples), seconds(e.took.Seconds()), short(e.rate()))
}
