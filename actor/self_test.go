package actor_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"

	"manta/actor"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

// hermit speaks of itself.
type hermit struct{ player }

var hermits = actor.Define[hermit]("hermit")

// Myself returns a handle of the actor.
func (h *hermit) Myself(ctx context.Context) (actor.Ref[hermit], error) {
	return actor.Self[hermit](ctx)
}

// Leave waits at a gate and exits.
func (h *hermit) Leave(ctx context.Context, gate string) (string, error) {
	if _, err := h.Hold(ctx, gate); err != nil {
		return "", err
	}
	return "farewell", actor.Exit(ctx)
}

// Vanish ends its goroutine.
func (h *hermit) Vanish(context.Context) (int, error) {
	runtime.Goexit()
	return 0, nil
}

// Boast returns more than a message can hold.
func (h *hermit) Boast(_ context.Context, size int) ([]byte, error) { return make([]byte, size), nil }

func (s *stage) hermit() hermit { return hermit{player{Stage: s.name}} }

func TestSelfIsTheHandleOfTheActorItself(t *testing.T) {
	fromBoth(t, func(t *testing.T, c *nodetest.Cluster, caller int, s *stage) {
		ctx := timeout(t, c.Context(caller))
		server := hermits.New(ctx, s.hermit())
		if got, err := actor.Method0(server, (*hermit).Myself).Call(ctx); err != nil || got != server {
			t.Errorf("got %v, %v, want %v", got, err, server)
		}
		if _, err := actor.Self[hermit](ctx); !errors.Is(err, actor.ErrNoActor) {
			t.Errorf("outside of an actor: got %v, want ErrNoActor", err)
		}
	})
}

func TestExitFinishesItsOwnCallAndFailsLaterOnes(t *testing.T) {
	fromBoth(t, func(t *testing.T, c *nodetest.Cluster, caller int, s *stage) {
		ctx := timeout(t, c.Context(caller))
		server := hermits.New(ctx, s.hermit())
		say := actor.Method(server, (*hermit).Say)
		before := say.Go(ctx, "before")
		leaving := actor.Method(server, (*hermit).Leave).Go(ctx, "gate")
		waiting := say.Go(ctx, "waiting")
		s.await("gate begins")
		s.open("gate")
		for _, r := range []objstore.Ref[string]{before, leaving} {
			if _, err := r.Get(ctx); err != nil {
				t.Error(err)
			}
		}
		for _, r := range []objstore.Ref[string]{waiting, say.Go(ctx, "late")} {
			if _, err := r.Get(ctx); !isDead(err) {
				t.Errorf("a later call: got %v, want ErrDead", err)
			}
		}
		s.await("close")
		if got, want := s.read(), []string{"start", "before", "gate begins", "gate ends", "close"}; !slices.Equal(got, want) {
			t.Errorf("the diary is %q, want %q", got, want)
		}
		if err := actor.Exit(ctx); !errors.Is(err, actor.ErrNoActor) {
			t.Errorf("outside of an actor: got %v, want ErrNoActor", err)
		}
	})
}

func TestAMethodThatEndsItsGoroutineIsAnErrorAndTheActorServesOn(t *testing.T) {
	fromBoth(t, func(t *testing.T, c *nodetest.Cluster, caller int, s *stage) {
		ctx := timeout(t, c.Context(caller))
		server := hermits.New(ctx, s.hermit())
		vanishing := actor.Method0(server, (*hermit).Vanish).Go(ctx)
		said := actor.Method(server, (*hermit).Say).Go(ctx, "the next one")
		if _, err := vanishing.Get(ctx); err == nil {
			t.Error("a method without a result has one")
		}
		if _, err := said.Get(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestAMethodHarmsOnlyItsOwnActor(t *testing.T) {
	fromBoth(t, func(t *testing.T, c *nodetest.Cluster, caller int, s *stage) {
		ctx := timeout(t, c.Context(caller))
		blocked, witness := hermits.New(ctx, s.hermit()), counters.New(ctx, counter{})
		forever := actor.Method(blocked, (*hermit).Hold).Go(ctx, "never")
		s.await("never begins")
		panicking := performers.New(ctx, s.performer())
		if _, err := actor.Method(panicking, (*performer).Panic).Call(ctx, "the curtain fell"); err == nil {
			t.Error("a panic is no error")
		}
		large := hermits.New(ctx, hermit{player{Stage: s.name, Tag: " large"}})
		const size = 8 << 20 // a message holds 1 MiB
		if v, err := actor.Method(large, (*hermit).Boast).Call(ctx, size); err != nil || len(v) != size {
			t.Errorf("a giant value: %d bytes, %v", len(v), err)
		}
		if n, err := add(ctx, witness, 1); err != nil || n != 1 {
			t.Errorf("another actor: got %d, %v", n, err)
		}
		if err := blocked.Kill(ctx); err != nil { // whatever its method does
			t.Fatal(err)
		}
		if _, err := forever.Get(ctx); !isDead(err) {
			t.Errorf("the blocked call: got %v, want ErrDead", err)
		}
	})
}

// besideStuck has an actor's only call never return, lets others come to it, and then wants another actor of the node to be well.
func besideStuck(t *testing.T, others func(ctx context.Context, say task.Func[string, string])) {
	fromBoth(t, func(t *testing.T, c *nodetest.Cluster, caller int, s *stage) {
		actor.SetMailBudget(t, c.Context(1), 100_000)
		ctx := timeout(t, c.Context(caller))
		stuck, witness := hermits.New(ctx, s.hermit()), counters.New(ctx, counter{})
		forever := actor.Method(stuck, (*hermit).Hold).Go(ctx, "never")
		s.await("never begins")
		others(ctx, actor.Method(stuck, (*hermit).Say))
		if n, err := add(ctx, witness, 1); err != nil || n != 1 {
			t.Errorf("another actor: got %d, %v", n, err)
		}
		if err := stuck.Kill(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := forever.Get(ctx); !isDead(err) {
			t.Errorf("the blocked call: got %v, want ErrDead", err)
		}
		if n := actor.MailBytes(c.Context(1)); n != 0 {
			t.Errorf("%d bytes are said to wait when nothing does", n)
		}
	})
}

func TestCallsThatWereGivenUpTakeNoRoomFromOtherActors(t *testing.T) {
	besideStuck(t, func(ctx context.Context, say task.Func[string, string]) {
		for range 1_000 {
			ending, cancel := context.WithCancel(ctx)
			said := say.Go(ending, "hello")
			cancel()
			if _, err := said.Get(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, task.ErrCancelled) {
				t.Fatalf("got %v, want that it was cancelled", err)
			}
		}
	})
}

// Nobody gives up, and the mail of one actor is as much as it may be.
func TestAnActorThatIsStuckLeavesOthersRoomForMail(t *testing.T) {
	besideStuck(t, func(ctx context.Context, say task.Func[string, string]) {
		said := say.Map(ctx, make([]string, 1_000))
		if _, err := said[len(said)-1].Get(ctx); !errors.Is(err, task.ErrOverload) {
			t.Errorf("got %v, want ErrOverload", err)
		}
	})
}
