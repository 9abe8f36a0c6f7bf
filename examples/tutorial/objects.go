package main

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"manta/objstore"
	"manta/task"
)

// readers is how many tasks read the same array.
const readers = 10

var meanOf = task.Define("mean", func(_ context.Context, data []float64) (float64, error) {
	return mean(data), nil
})

// makeArray is cell 7: what it would cost to hand every task its own copy.
func (t *tutorial) makeArray(context.Context) error {
	t.array = make([]float64, t.size.side*t.size.side)
	size := int64(8 * len(t.array))
	t.printf("A %d × %d array of float64: %s", t.size.side, t.size.side, megabytes(size))
	t.printf("As an argument of %d tasks it would be sent %d times: %s. So this cell stops here.", readers, readers, megabytes(readers*size))
	return nil
}

// putOnce is cell 8: the array goes to the store once, and the tasks of a node read the same memory.
func (t *tutorial) putOnce(ctx context.Context) error {
	// The array and the copy that JetStream keeps in memory are alive together. The collector would otherwise let
	// garbage grow as large as the two before it looks: the limit keeps the whole run below 2.5 GB.
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(2 << 30))
	before := t.node.Stats().Objects

	started := time.Now()
	data := objstore.Put(ctx, t.array) // from here on the array is the store's: read it, do not change it
	refs := make([]objstore.Ref[float64], readers)
	for i := range refs {
		refs[i] = meanOf.On(ctx, data)
	}
	means, err := objstore.GetAll(ctx, refs)
	if err != nil {
		return err
	}
	t.printf("%d tasks read the array in %.2f s", readers, time.Since(started).Seconds())

	if err := data.Stored(ctx); err != nil {
		return err
	}
	after := t.node.Stats().Objects
	uploads, downloads := after.Uploads-before.Uploads, after.Downloads-before.Downloads
	t.printf("Stored after %.2f s", time.Since(started).Seconds())
	t.printf("Uploads: %d (%s); downloads: %d (%s)", uploads, megabytes(after.UploadedBytes-before.UploadedBytes),
		downloads, megabytes(after.DownloadedBytes-before.DownloadedBytes))
	t.printf("Means: all equal, %g", means[0])

	if len(slices.Compact(means)) != 1 {
		return fmt.Errorf("the tasks disagree about the mean: %v", means)
	}
	if uploads > 1 || downloads > 1 {
		return fmt.Errorf("%d uploads and %d downloads of one array on one node", uploads, downloads)
	}
	t.array = nil
	return objstore.Free(ctx, data)
}
