package placement_test

import (
	"testing"

	"manta/node/nodetest"
	"manta/placement"
)

// BenchmarkCreateRemove makes groups of one bundle, one after the other, waits for each and removes it.
func BenchmarkCreateRemove(b *testing.B) {
	c := nodetest.Start(b, 1, nodetest.CPUs(4))
	ctx := c.Context(0)
	for b.Loop() {
		g := form(b, ctx, bundles(1, 1), placement.Pack)
		if err := g.Ready(ctx); err != nil {
			b.Fatal(err)
		}
		if err := g.Remove(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCreateRemoveSpread is the same for three bundles on three nodes.
func BenchmarkCreateRemoveSpread(b *testing.B) {
	_, ctx := stage(b)
	for b.Loop() {
		g := form(b, ctx, bundles(3, 1), placement.StrictSpread)
		if err := g.Ready(ctx); err != nil {
			b.Fatal(err)
		}
		if err := g.Remove(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
