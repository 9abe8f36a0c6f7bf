package objstore_test

import (
	"context"
	"testing"

	"manta/bus"
	"manta/internal/member"
	"manta/node/nodetest"
	"manta/objstore"
)

// Objects that tasks are to fill: what an owner holds for each while it waits in the queue.
func BenchmarkPromise(b *testing.B) {
	store := storeOf(b, nodetest.Start(b, 1).Context(0))
	b.ReportAllocs()
	for b.Loop() {
		kept = store.Promise()
	}
}

var kept *objstore.Object // so that the compiler does not keep it on the stack

func BenchmarkPut(b *testing.B) {
	ctx := nodetest.Start(b, 1).Context(0)
	b.ReportAllocs()
	for b.Loop() {
		objstore.Put(ctx, 7)
	}
}

func BenchmarkGet(b *testing.B) {
	c := nodetest.Start(b, 2)
	r := objstore.Put(c.Context(0), 7)
	for name, ctx := range map[string]context.Context{"own": c.Context(0), "other": c.Context(1)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Get(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkGetAll(b *testing.B) {
	ctx := nodetest.Start(b, 1).Context(0)
	const n = 100_000
	b.Run("settled", func(b *testing.B) {
		refs := puts(ctx, n)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := objstore.GetAll(ctx, refs); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/ref")
	})
	b.Run("pending", func(b *testing.B) { // with the making and settling of the objects
		store := storeOf(b, ctx)
		value, err := bus.Encode(7)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			refs := make([]objstore.Ref[int], n)
			for i := range refs {
				refs[i] = objstore.RefTo[int](store.Promise())
			}
			go func() {
				outcomes := make([]objstore.Outcome, n)
				for i, r := range refs {
					outcomes[i].Value = value
					store.Settle(r.Object(), &outcomes[i])
				}
			}()
			if _, err := objstore.GetAll(ctx, refs); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/ref")
	})
}

// 1,000 refs that are ready are waited for one at a time until none is left: half a million looks at a ref.
func BenchmarkWaitOneByOne(b *testing.B) {
	ctx := nodetest.Start(b, 1).Context(0)
	refs := puts(ctx, 1000)
	b.ReportAllocs()
	for b.Loop() {
		for rest := refs; len(rest) > 0; {
			var err error
			if _, rest, err = objstore.Wait(ctx, rest, 1); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkReady(b *testing.B) {
	ctx := nodetest.Start(b, 1).Context(0)
	refs := puts(ctx, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		for range objstore.Ready(ctx, refs) {
		}
	}
}

func storeOf(tb testing.TB, ctx context.Context) *objstore.Store {
	tb.Helper()
	scope, err := member.FromContext(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	return objstore.StoreOf(scope.Node)
}
