package bench

import (
	"context"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"manta/node"
	"manta/objstore"
)

func init() { families = append(families, rawBlobMeasures, blobMeasures) }

// listeners is how many nodes a broadcast reaches, and broadcastParts in how many parts it goes: one after the other, since every node
// of it is in this process, with its own copy.
const (
	listeners      = 4
	broadcastParts = 4
)

var blobMeasures = []Measure{
	{
		Name: "put_calls", Unit: "puts/s",
		About: "small values are put, one after the other",
		Setup: putCalls,
	},
	{
		Name: "get_calls", Unit: "gets/s",
		About: "a small value is read where it was put, again and again",
		Setup: getCalls,
	},
	{
		Name: "put_gigabytes", Unit: "GB/s", Baseline: "raw_copy_gigabytes",
		About: "800 MB of zeros are put: the time until Put returns",
		Setup: func(ctx context.Context, s *Stage) (Timed, error) { return putOnce(ctx, s, make([]byte, s.blob)) },
	},
	{
		Name: "put_gigabytes_random", Unit: "GB/s", Baseline: "raw_copy_gigabytes",
		About: "the same with random bytes",
		Setup: func(ctx context.Context, s *Stage) (Timed, error) { return putOnce(ctx, s, incompressible(s.blob)) },
	},
	{
		Name: "stored_gigabytes", Unit: "GB/s", Baseline: "raw_publish_gigabytes",
		About: "800 MB are put: the time until they are stored, the faster of two times",
		Setup: putAndStored,
	},
	{
		Name: "get_gigabytes_remote", Unit: "GB/s", Baseline: "raw_read_gigabytes",
		About: "800 MB that are stored are read on another node, the faster of two times",
		Setup: func(ctx context.Context, s *Stage) (Timed, error) { return getRemote(ctx, s, true) },
	},
	{
		Name: "put_and_get_gigabytes_remote", Unit: "GB/s",
		About: "800 MB are put and at once read on another node: the time from Put until they are there",
		Setup: func(ctx context.Context, s *Stage) (Timed, error) { return getRemote(ctx, s, false) },
	},
	{
		Name: "get_gigabytes_again", Unit: "us",
		About: "the median of reading 800 MB on another node that has read them before",
		Setup: getAgain,
	},
	{
		Name: "broadcast_1GiB", Unit: "s",
		About: "1 GiB, in four parts, is put and read by 4 nodes at once",
		Setup: broadcast,
	},
	{
		Name: "get_object_containing_10k_refs", Unit: "gets/s",
		About: "an object that contains 10,000 refs is read",
		Setup: getRefs,
	},
	{
		Name: "get_10k_objects", Unit: "s",
		About: "10,000 objects that were put are read by one GetAll",
		Setup: getMany,
	},
}

// incompressible returns random bytes.
func incompressible(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data) // never fails
	return data
}

// loner is a node that has the stage to itself.
func loner(ctx context.Context, s *Stage, tune ...func(*node.Config)) (context.Context, error) {
	debug.FreeOSMemory() // what an earlier measure has left
	at, err := s.Server()
	if err != nil {
		return nil, err
	}
	return s.Driver(ctx, at, tune...)
}

func putCalls(ctx context.Context, s *Stage) (Timed, error) {
	driver, err := loner(ctx, s)
	if err != nil {
		return nil, err
	}
	put := func(n int) error {
		for i := range n {
			last := objstore.Put(driver, i)
			if i == n-1 {
				got, err := last.Get(driver)
				if err != nil {
					return err
				}
				return expect(got, i)
			}
		}
		return nil
	}
	if err := put(s.warm); err != nil {
		return nil, err
	}
	return func(context.Context) (Sample, error) {
		begun := time.Now()
		err := put(s.backlog)
		return rate(s.backlog, time.Since(begun)), err
	}, nil
}

func getCalls(ctx context.Context, s *Stage) (Timed, error) {
	driver, err := loner(ctx, s)
	if err != nil {
		return nil, err
	}
	ref := objstore.Put(driver, 7)
	get := func(n int) error {
		for range n {
			if _, err := ref.Get(driver); err != nil {
				return err
			}
		}
		return nil
	}
	if err := get(s.warm); err != nil {
		return nil, err
	}
	return func(context.Context) (Sample, error) {
		begun := time.Now()
		err := get(s.backlog)
		return rate(s.backlog, time.Since(begun)), err
	}, nil
}

func putOnce(ctx context.Context, s *Stage, data []byte) (Timed, error) {
	driver, err := loner(ctx, s)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (Sample, error) {
		begun := time.Now()
		ref := objstore.Put(driver, data)
		sample := gigabytes(len(data), time.Since(begun))
		return sample, objstore.Free(driver, ref)
	}, nil
}

func putAndStored(ctx context.Context, s *Stage) (Timed, error) {
	driver, err := loner(ctx, s)
	if err != nil {
		return nil, err
	}
	data := incompressible(s.blob)
	warm := objstore.Put(driver, data[:len(data)/8])
	if err := warm.Stored(driver); err != nil {
		return nil, err
	}
	if err := objstore.Free(driver, warm); err != nil {
		return nil, err
	}
	return bestOf(blobTries, func() (Sample, error) {
		debug.FreeOSMemory()
		begun := time.Now()
		ref := objstore.Put(driver, data)
		err := ref.Stored(driver)
		sample := gigabytes(len(data), time.Since(begun))
		if err == nil {
			err = objstore.Free(driver, ref)
		}
		return sample, err
	}), nil
}

// blobTries is how often a large value is stored or read in a round: as often as the baseline, since the fastest counts.
const blobTries = 2

// bestOf is the best of some tries.
func bestOf(tries int, try func() (Sample, error)) Timed {
	return func(context.Context) (best Sample, err error) {
		for range tries {
			sample, err := try()
			if err != nil {
				return best, err
			}
			if sample.Value > best.Value {
				best = sample
			}
		}
		return best, nil
	}
}

// getRemote measures the read of a large value on another node, either once it is stored and described, or from the start.
func getRemote(ctx context.Context, s *Stage, stored bool) (Timed, error) {
	at, err := s.Server()
	if err != nil {
		return nil, err
	}
	debug.FreeOSMemory() // what an earlier measure has left
	owner, err := s.node(ctx, at, node.Config{ClientOnly: true}, nil)
	if err != nil {
		return nil, err
	}
	reader, err := s.Driver(ctx, at, func(cfg *node.Config) { cfg.CacheBytes = 1 }) // each read is one
	if err != nil {
		return nil, err
	}
	here := owner.Context(ctx)
	data := incompressible(s.blob)
	ref := objstore.Put(here, data[:len(data)/8])
	if _, err := ref.Get(reader); err != nil {
		return nil, err
	}
	if err := objstore.Free(here, ref); err != nil {
		return nil, err
	}
	ref = objstore.Ref[[]byte]{}
	if stored {
		ref = objstore.Put(here, data)
		if err := owner.Drain(here); err != nil { // the digest for other clients is computed behind the upload
			return nil, err
		}
	}
	tries := blobTries
	if !stored {
		tries = 1
	}
	return bestOf(tries, func() (Sample, error) {
		debug.FreeOSMemory()
		begun := time.Now()
		if !stored {
			ref = objstore.Put(here, data)
		}
		got, err := ref.Get(reader)
		sample := gigabytes(s.blob, time.Since(begun))
		if err != nil {
			return sample, err
		}
		return sample, expect(int(got[s.blob-1]), int(data[s.blob-1]))
	}), nil
}

func getAgain(ctx context.Context, s *Stage) (Timed, error) {
	driver, err := loner(ctx, s)
	if err != nil {
		return nil, err
	}
	at, err := s.Server()
	if err != nil {
		return nil, err
	}
	reader, err := s.Driver(ctx, at)
	if err != nil {
		return nil, err
	}
	ref := objstore.Put(driver, incompressible(s.blob))
	get := func() error {
		got, err := ref.Get(reader)
		if err != nil {
			return err
		}
		return expect(len(got), s.blob)
	}
	if err := get(); err != nil {
		return nil, err
	}
	return func(context.Context) (Sample, error) {
		took, err := oneByOne(s.calls, get)
		return latencies(took, 0.50), err
	}, nil
}

func broadcast(ctx context.Context, s *Stage) (Timed, error) {
	driver, err := loner(ctx, s)
	if err != nil {
		return nil, err
	}
	at, err := s.Server()
	if err != nil {
		return nil, err
	}
	var all [listeners]context.Context
	for i := range all {
		if all[i], err = s.Driver(ctx, at, func(cfg *node.Config) { cfg.CacheBytes = 1 }); err != nil { // what was read is let go
			return nil, err
		}
	}
	data := incompressible(s.broadcast / broadcastParts)
	return func(context.Context) (Sample, error) {
		var took time.Duration
		for range broadcastParts {
			debug.FreeOSMemory()
			begun := time.Now()
			ref := objstore.Put(driver, data)
			err := atOnce(all[:], func(reader context.Context) error {
				got, err := ref.Get(reader)
				if err != nil {
					return err
				}
				return expect(len(got), len(data))
			})
			took += time.Since(begun)
			if err != nil {
				return Sample{}, err
			}
			if err := objstore.Free(driver, ref); err != nil {
				return Sample{}, err
			}
		}
		return Sample{Value: took.Seconds()}, nil
	}, nil
}

// numbered puts small values, each its own index, on a node that has the stage to itself.
func numbered(ctx context.Context, s *Stage) (driver context.Context, refs []objstore.Ref[int], err error) {
	if driver, err = loner(ctx, s); err != nil {
		return nil, nil, err
	}
	refs = make([]objstore.Ref[int], s.args)
	for i := range refs {
		refs[i] = objstore.Put(driver, i)
	}
	return driver, refs, nil
}

func getRefs(ctx context.Context, s *Stage) (Timed, error) {
	driver, refs, err := numbered(ctx, s)
	if err != nil {
		return nil, err
	}
	container := objstore.Put(driver, refs)
	get := func() error {
		got, err := container.Get(driver)
		if err != nil {
			return err
		}
		return expect(len(got), len(refs))
	}
	if err := get(); err != nil {
		return nil, err
	}
	return func(context.Context) (Sample, error) {
		begun := time.Now()
		for range s.loops {
			if err := get(); err != nil {
				return Sample{}, err
			}
		}
		return rate(s.loops, time.Since(begun)), nil
	}, nil
}

func getMany(ctx context.Context, s *Stage) (Timed, error) {
	driver, refs, err := numbered(ctx, s)
	if err != nil {
		return nil, err
	}
	return func(context.Context) (Sample, error) {
		begun := time.Now()
		got, err := objstore.GetAll(driver, refs)
		took := time.Since(begun)
		if err != nil {
			return Sample{}, err
		}
		return Sample{Value: took.Seconds()}, expect(got[s.args-1], s.args-1)
	}, nil
}
