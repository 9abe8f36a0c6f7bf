package actor_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"manta/actor"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

func TestCallsToAnActorOnTheSameNodeNeedNoNetwork(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := nodetest.Start(t, 1), newStage(t)
		ctx := timeout(t, c.Context(0))
		server := soloists.New(ctx, s.soloist())
		say := actor.Method(server, (*soloist).Say)
		if _, err := say.Call(ctx, "one"); err != nil {
			t.Fatal(err)
		}
		c.Pause(0)
		defer c.Resume(0)
		if _, err := objstore.GetAll(ctx, say.Map(ctx, []string{"two", "three"})); err != nil {
			t.Fatal(err)
		}
		if got, want := s.read(), []string{"start", "one", "two", "three"}; !slices.Equal(got, want) {
			t.Errorf("the diary is %q, want %q", got, want)
		}
	})
}

// shelf is an actor that keeps bytes.
type shelf struct{ kept []byte }

// Swap keeps what it gets, changes what it kept before, and returns what it keeps.
func (s *shelf) Swap(_ context.Context, b []byte) ([]byte, error) {
	scribble(s.kept)
	s.kept = slices.Clone(b)
	return s.kept, nil
}

func scribble(b []byte) {
	for i := range b {
		b[i] = 0xff
	}
}

var shelves = actor.Define[shelf]("shelf")

func TestACallerSharesNoMemoryWithItsActor(t *testing.T) {
	for name, size := range map[string]int{"small": 100, "large": 100 << 10} {
		t.Run(name, func(t *testing.T) {
			nodetest.Virtual(t, func(t *testing.T) {
				ctx := setup(t)
				swap := actor.Method(shelves.New(ctx, shelf{}), (*shelf).Swap)
				zeros, mine := make([]byte, size), make([]byte, size)
				first := swap.Go(ctx, mine)
				scribble(mine)
				got, err := first.Get(ctx)
				if err != nil || !slices.Equal(got, zeros) {
					t.Fatalf("the actor saw what its caller did with the argument later (%v)", err)
				}
				if _, err := swap.Call(ctx, nil); err != nil {
					t.Fatal(err)
				}
				if got, err = first.Get(ctx); err != nil || !slices.Equal(got, zeros) {
					t.Errorf("the caller saw what the actor did with the result later (%v)", err)
				}
			})
		})
	}
}

func TestACallOnTheSameNodeFailsAsOneOfAnotherNode(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := nodetest.Start(t, 2), newStage(t)
		server := performers.New(c.Context(0), s.performer(), actor.Name("performer"))
		var said [2]task.Error
		for i := range said {
			_, err := actor.Method(server, (*performer).Fail).Call(timeout(t, c.Context(i)), "the lights went out")
			e, ok := errors.AsType[*task.Error](err)
			if !ok || !errors.Is(err, errStageFright) {
				t.Fatalf("node %d: got %v, want a *task.Error that is errStageFright", i, err)
			}
			said[i] = *e
		}
		if said[0] != said[1] {
			t.Errorf("one node got %+v, the other %+v", said[0], said[1])
		}
	})
}

func TestCallsOnTheSameNodeAreCancelledWhereTheyWaitAndWhereTheyRun(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		ctx, s := setup(t), newStage(t)
		server := soloists.New(ctx, s.soloist())
		hold := actor.Method(server, (*soloist).Hold)
		running, waiting := hold.Go(ctx, "runs"), hold.Go(ctx, "waits")
		kept := actor.Method(server, (*soloist).Say).Go(ctx, "kept")
		s.await("runs begins")
		for _, r := range []objstore.Ref[string]{waiting, running} {
			if err := task.Cancel(ctx, r); err != nil {
				t.Error(err)
			}
			if _, err := r.Get(ctx); !errors.Is(err, task.ErrCancelled) {
				t.Errorf("got %v, want ErrCancelled", err)
			}
		}
		if _, err := kept.Get(ctx); err != nil {
			t.Error(err)
		}
		if got, want := s.read(), []string{"start", "runs begins", "runs stops", "kept"}; !slices.Equal(got, want) {
			t.Errorf("the diary is %q, want %q", got, want)
		}
	})
}

func TestCallsOnTheSameNodeFailAsDeadWhenTheirActorIsKilled(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		ctx, s := setup(t), newStage(t)
		server := soloists.New(ctx, s.soloist())
		hold := actor.Method(server, (*soloist).Hold)
		calls := hold.Map(ctx, []string{"runs", "waits"})
		s.await("runs begins")
		if err := server.Kill(ctx); err != nil {
			t.Fatal(err)
		}
		for _, r := range append(calls, hold.Go(ctx, "late")) {
			if _, err := r.Get(ctx); !isDead(err) {
				t.Errorf("got %v, want ErrDead", err)
			}
		}
		if slices.Contains(s.read(), "waits begins") {
			t.Error("a call ran after the kill")
		}
	})
}
