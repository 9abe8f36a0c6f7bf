package objstore_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
)

// keptFor is how many objects a node keeps for others.
func keptFor(c *nodetest.Cluster, i int) int { return c.Node(i).Stats().Objects.Askable }

//go:noinline
func giveAway(t *testing.T, ctx context.Context, how func(objstore.Ref[[]float64]) error) {
	r := objstore.Put(ctx, floats(mebibyte))
	if err := r.Stored(ctx); err != nil {
		t.Fatal(err)
	}
	if err := how(r); err != nil {
		t.Fatal(err)
	}
}

func TestAnObjectWhoseNameWasGivenAwayIsKeptForTheRefTTL(t *testing.T) {
	ways := map[string]func(r objstore.Ref[[]float64]) error{
		"as JSON":           func(r objstore.Ref[[]float64]) error { _, err := json.Marshal(r); return err },
		"as MessagePack":    func(r objstore.Ref[[]float64]) error { _, err := msgpack.Marshal(r); return err },
		"by its ID":         func(r objstore.Ref[[]float64]) error { _ = r.ID(); return nil },
		"as an empty claim": nil,
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			nodetest.Virtual(t, func(t *testing.T) {
				c, bucket := start(t, 2, nodetest.Configure(func(_ int, cfg *node.Config) { cfg.RefTTL = time.Minute }))
				if way == nil { // what nobody gave away goes at once: else the rest of this test says nothing
					giveAway(t, c.Context(0), func(objstore.Ref[[]float64]) error { return nil })
					bucket.awaitEmpty()
					return
				}
				giveAway(t, c.Context(0), way)
				collect()
				if keptFor(c, 0) != 1 {
					t.Errorf("%d objects are kept, want 1", keptFor(c, 0))
				}
				time.Sleep(50 * time.Second) // virtual
				collect()
				if keptFor(c, 0) != 1 || bucket.usage() == 0 {
					t.Errorf("after 50 s %d objects are kept, and %d bytes are in the bucket", keptFor(c, 0), bucket.usage())
				}
				time.Sleep(10 * time.Second) // virtual
				bucket.awaitEmpty()
			})
		})
	}
}

//go:noinline
func giveAwayElsewhere(t *testing.T, c *nodetest.Cluster) {
	b := get(t, c.Context(0), boxes.Go(c.Context(0), 1))
	if _, err := json.Marshal(b); err != nil {
		t.Fatal(err)
	}
}

func TestAnObjectOfAnotherNodeWhoseNameWasGivenAwayIsKeptThere(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, bucket := start(t, 2, nodetest.Configure(func(i int, cfg *node.Config) {
			cfg.RefTTL, cfg.ClientOnly = time.Minute, i == 0
		}))
		giveAwayElsewhere(t, c)
		time.Sleep(30 * time.Second) // virtual
		collect()
		if keptFor(c, 1) != 1 || bucket.usage() == 0 {
			t.Errorf("%d objects are kept, and %d bytes are in the bucket", keptFor(c, 1), bucket.usage())
		}
		time.Sleep(30 * time.Second)
		bucket.awaitEmpty()
		awaitNothing(t, c, 0, 1)
	})
}
