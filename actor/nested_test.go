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

// reciter is told in its start value what to say, by a ref that it does not keep.
type reciter struct {
	player
	Text []objstore.Ref[string]
}

func (r *reciter) Start(ctx context.Context) error {
	text, err := r.Text[0].Get(ctx)
	if err != nil {
		r.stage().write(err.Error())
		return err
	}
	r.Text = nil
	r.stage().write(text)
	return nil
}

func (r *reciter) Snapshot(context.Context) ([]byte, error) { return nil, nil }

func (r *reciter) Restore(context.Context, []byte) error { return nil }

// napper is one that sleeps.
type napper struct{ reciter }

var (
	reciters = actor.Define[reciter]("reciter", actor.Restarts(-1))
	nappers  = actor.Define[napper]("napper", actor.IdleAfter(10*time.Second))
)

//go:noinline
func (s *stage) reciter(ctx context.Context) reciter {
	return reciter{player{Stage: s.name}, []objstore.Ref[string]{objstore.Put(ctx, "to be")}}
}

//go:noinline
func makeAndDrop(t *testing.T, ctx context.Context, s *stage) {
	r := reciters.New(ctx, s.reciter(ctx), actor.Name("reciter"), actor.Detached())
	if _, err := actor.Method(r, (*reciter).Say).Call(ctx, "not"); err != nil {
		t.Fatal(err)
	}
}

func TestADetachedActorIsMadeAgainOfTheRefsInItsStartValue(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		makeAndDrop(t, c.Context(0), s)
		collectFor(10 * time.Second) // nobody has a handle of it, or the ref
		c.Add()
		c.Kill(1)
		s.awaits(2, "to be")
		found, err := reciters.Lookup(c.Context(0), "reciter")
		if err != nil {
			t.Fatal(err)
		}
		if err := found.Stop(c.Context(0)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute) // virtual
		for late := time.Now().Add(patience); c.Node(0).Stats().Objects.Askable > 0; collectFor(time.Second) {
			if time.Now().After(late) {
				t.Fatal("the refs are kept still, and there is no actor any more")
			}
		}
	})
}

func TestAnActorWakesWithTheRefsInItsStartValue(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := c.Context(0)
		r := nappers.New(ctx, napper{s.reciter(ctx)})
		s.await("to be", "close")
		collectFor(10 * time.Second) // it has no instance
		if _, err := actor.Method(r, (*napper).Say).Call(ctx, "awake"); err != nil {
			t.Error(err)
		}
	})
}
