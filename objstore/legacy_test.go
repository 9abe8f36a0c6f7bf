package objstore_test

import (
	"errors"
	"testing"
	"time"

	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
)

func TestWhatADeadNodeOwnedGoesAfterAGrace(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, bucket := start(t, 3)
		known, unread := objstore.Put(c.Context(1), floats(mebibyte)), objstore.Put(c.Context(1), floats(mebibyte))
		for _, r := range []objstore.Ref[[]float64]{known, unread} {
			if err := r.Stored(c.Context(1)); err != nil {
				t.Fatal(err)
			}
		}
		get(t, c.Context(0), known)
		c.Kill(1)
		died := time.Now()
		c.AwaitMembers(0, 2)
		if err := getError(t, c.Context(0), unread); !errors.Is(err, objstore.ErrOwnerDead) {
			t.Errorf("what was not read before: %v, want ErrOwnerDead", err)
		}
		if took := time.Since(died); took > 8*time.Second {
			t.Errorf("it took %v to say so", took)
		}
		if bucket.usage() == 0 {
			t.Error("its objects went at once: a node that was only silent would have lost them")
		}
		time.Sleep(12 * time.Second) // virtual
		if used := bucket.usage(); used > 0 {
			t.Errorf("%d bytes are still in the bucket %v after its death", used, time.Since(died))
		}
	})
}

func TestWhatIsWrittenLateForADeadNodeGoesToo(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, bucket := start(t, 3)
		r := objstore.Put(c.Context(1), floats(mebibyte))
		if err := r.Stored(c.Context(1)); err != nil {
			t.Fatal(err)
		}
		owner := storeOf(t, c.Context(1)).Node().ID
		c.Kill(1)
		c.AwaitMembers(0, 2)
		time.Sleep(12 * time.Second) // virtual
		storeOf(t, c.Context(0)).WriteFor(t.Context(), owner, floats(mebibyte))
		if bucket.usage() == 0 {
			t.Fatal("nothing was written")
		}
		time.Sleep(2 * time.Minute) // virtual
		if used := bucket.usage(); used > 0 {
			t.Errorf("%d bytes are in the bucket two minutes later", used)
		}
	})
}

func TestWhatADeadNodeOwnedGoesAlsoWhenItsHeirDies(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, bucket := start(t, 4)
		if err := objstore.Put(c.Context(1), floats(mebibyte)).Stored(c.Context(1)); err != nil {
			t.Fatal(err)
		}
		dead := storeOf(t, c.Context(1)).Node().ID
		c.Kill(1)
		c.AwaitMembers(0, 2, 3)
		heir, _ := storeOf(t, c.Context(0)).Node().Members.HeirOf(dead)
		for i := range 4 {
			if i != 1 && storeOf(t, c.Context(i)).Node().ID == heir {
				if i == 0 {
					return // the stock client is connected with it
				}
				c.Kill(i)
			}
		}
		time.Sleep(15 * time.Second) // virtual
		if used := bucket.usage(); used > 0 {
			t.Errorf("%d bytes are still in the bucket", used)
		}
	})
}

func TestObjectsThatADeadClusterLeftGo(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, bucket := start(t, 1)
		storeOf(t, c.Context(0)).WriteFor(t.Context(), [8]byte{1, 2, 3}, floats(mebibyte))
		time.Sleep(5 * time.Minute) // virtual
		if bucket.usage() == 0 {
			t.Error("they went at the first look: a node that has just come is not known everywhere")
		}
		time.Sleep(10 * time.Minute)
		if used := bucket.usage(); used > 0 {
			t.Errorf("%d bytes are still in the bucket", used)
		}
	})
}

func TestADeadHolderHoldsNothing(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, _ := start(t, 2, nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i == 0 }))
		ctx := c.Context(0)
		r := objstore.Put(ctx, floats(mebibyte))
		get(t, c.Context(1), r)
		if keptFor(c, 0) != 1 {
			t.Errorf("%d objects are kept for others, want 1", keptFor(c, 0))
		}
		c.Kill(1)
		c.Await("nobody holds it", func() bool { return keptFor(c, 0) == 0 })
		if len(get(t, ctx, r)) != mebibyte {
			t.Error("its owner reads something else")
		}
	})
}
