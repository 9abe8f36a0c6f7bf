package actor_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"manta/actor"
	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
)

// chest is an actor that keeps refs: those that it starts with, and those that it is given.
type chest struct {
	Refs []objstore.Ref[string]
}

// Add puts a ref into the chest and returns all that are in it.
func (c *chest) Add(_ context.Context, r []objstore.Ref[string]) ([]objstore.Ref[string], error) {
	c.Refs = append(c.Refs, r...)
	return c.Refs, nil
}

var chests = actor.Define[chest]("chest")

//go:noinline
func fillAndDrop(t *testing.T, ctx context.Context) {
	c := chests.New(ctx, chest{[]objstore.Ref[string]{objstore.Put(ctx, "first")}})
	add := actor.Method(c, (*chest).Add)
	if _, err := add.Call(ctx, []objstore.Ref[string]{objstore.Put(ctx, "second")}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		runtime.GC()
	}
	all, err := add.Call(ctx, nil)
	if err != nil || len(all) != 2 {
		t.Fatalf("the chest has %v, %v", all, err)
	}
	for i, want := range []string{"first", "second"} {
		if got, err := all[i].Get(ctx); err != nil || got != want {
			t.Errorf("ref %d: %q, %v, want %q", i, got, err, want)
		}
	}
	if err := c.Stop(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestAnActorKeepsTheRefsInItsFieldsAndNoLongerThanItLives(t *testing.T) {
	c := nodetest.Start(t, 2, nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i == 0 }))
	fillAndDrop(t, c.Context(0))
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); c.Node(0).Stats().Objects.Askable > 0; <-tick.C {
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("%d objects are still kept for the actor", c.Node(0).Stats().Objects.Askable)
		}
		runtime.GC()
	}
}
