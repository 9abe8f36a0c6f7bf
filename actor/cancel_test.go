package actor_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"manta/actor"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

func TestACallThatIsCancelledInTheMailboxNeverRuns(t *testing.T) {
	ctx, s := timeout(t, clientAndHosts(t, 1).Context(0)), newStage(t)
	server := soloists.New(ctx, s.soloist())
	say := actor.Method(server, (*soloist).Say)
	running := actor.Method(server, (*soloist).Hold).Go(ctx, "gate")
	s.await("gate begins")

	ending, cancel := context.WithCancel(ctx)
	cancelled := say.Go(ending, "cancelled")
	kept := say.Go(ctx, "kept")
	cancel()
	if _, err := cancelled.Get(ctx); !errors.Is(err, task.ErrCancelled) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want ErrCancelled", err)
	}
	s.open("gate")
	if _, err := objstore.GetAll(ctx, []objstore.Ref[string]{running, kept}); err != nil {
		t.Error(err)
	}
	if slices.Contains(s.read(), "cancelled") {
		t.Error("a cancelled call ran")
	}
}

func TestACancelledCallsOwnCtxEnds(t *testing.T) {
	for name, method := range map[string]func(context.Context, *stage) task.Func[string, string]{
		"one at a time": func(ctx context.Context, s *stage) task.Func[string, string] {
			return actor.Method(soloists.New(ctx, s.soloist()), (*soloist).Hold)
		},
		"three at a time": func(ctx context.Context, s *stage) task.Func[string, string] {
			return actor.Method(trios.New(ctx, s.trio()), (*trio).Hold)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, s := timeout(t, clientAndHosts(t, 1).Context(0)), newStage(t)
			hold := method(ctx, s)
			ending, cancel := context.WithCancel(ctx)
			running := hold.Go(ending, "gate")
			s.await("gate begins")
			cancel()
			s.await("gate stops")
			if _, err := running.Get(ctx); !errors.Is(err, task.ErrCancelled) {
				t.Errorf("got %v, want ErrCancelled", err)
			}
			s.open("next")
			if _, err := hold.Call(ctx, "next"); err != nil {
				t.Errorf("the actor serves no more: %v", err)
			}
		})
	}
}

func TestACallThatIsCancelledBeforeItsActorLivesNeverRuns(t *testing.T) {
	c, s := nodetest.Start(t, 1, nodetest.CPUs(1)), newStage(t)
	ctx := timeout(t, c.Context(0))
	room := fill(ctx, t, s, 1)[0]
	say := actor.Method(residents.New(ctx, s.resident(" late")), (*resident).Say)
	ending, cancel := context.WithCancel(ctx)
	cancelled, kept := say.Go(ending, "cancelled"), say.Go(ctx, "kept")
	cancel()
	if _, err := cancelled.Get(ctx); !errors.Is(err, task.ErrCancelled) {
		t.Errorf("got %v, want ErrCancelled", err)
	}
	if err := room.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := kept.Get(ctx); err != nil {
		t.Error(err)
	}
	if slices.Contains(s.read(), "cancelled") {
		t.Error("a cancelled call ran")
	}
}

func TestACallThatIsCancelledWhileItAwaitsAnArgumentLetsTheNextOnesGo(t *testing.T) {
	ctx, s := setup(t), newStage(t)
	say := actor.Method(soloists.New(ctx, s.soloist()), (*soloist).Say)
	ending, cancel := context.WithCancel(ctx)
	argument := later.Go(ctx, s.name, "argument")
	cancelled, kept := say.On(ending, argument), say.Go(ctx, "kept")
	cancel()
	if _, err := cancelled.Get(ctx); !errors.Is(err, task.ErrCancelled) {
		t.Errorf("got %v, want ErrCancelled", err)
	}
	if _, err := kept.Get(ctx); err != nil {
		t.Error(err)
	}
	s.open("argument")
	if _, err := argument.Get(ctx); err != nil {
		t.Error(err)
	}
}

func TestADeadlineEndsACallWhereItRunsAndWhereItWaits(t *testing.T) {
	for name, hold := range map[string]func(context.Context, task.Func[string, string], string) objstore.Ref[string]{
		"of its ctx": func(ctx context.Context, f task.Func[string, string], gate string) objstore.Ref[string] {
			ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
			t.Cleanup(cancel)
			return f.Go(ctx, gate)
		},
		"of its own": func(ctx context.Context, f task.Func[string, string], gate string) objstore.Ref[string] {
			return f.With(task.Timeout(100*time.Millisecond)).Go(ctx, gate)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, s := timeout(t, clientAndHosts(t, 1).Context(0)), newStage(t)
			f := actor.Method(soloists.New(ctx, s.soloist()), (*soloist).Hold)
			running, waiting := hold(ctx, f, "runs"), hold(ctx, f, "waits")
			for _, r := range []objstore.Ref[string]{running, waiting} {
				if _, err := r.Get(ctx); !errors.Is(err, task.ErrDeadline) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v, want ErrDeadline", err)
				}
			}
			s.open("next")
			if _, err := f.Call(ctx, "next"); err != nil {
				t.Errorf("the actor serves no more: %v", err)
			}
		})
	}
}

func TestManyCallsCancelledAtOnceAllEnd(t *testing.T) {
	ctx, s := timeout(t, clientAndHosts(t, 1).Context(0)), newStage(t)
	server := soloists.New(ctx, s.soloist())
	ending, cancel := context.WithCancel(ctx)
	refs := actor.Method(server, (*soloist).Hold).Map(ending, make([]string, 5000))
	s.await(" begins")
	cancel()
	for _, r := range refs {
		if _, err := r.Get(ctx); !errors.Is(err, task.ErrCancelled) {
			t.Fatalf("got %v, want ErrCancelled", err)
		}
	}
	if _, err := actor.Method(server, (*soloist).Say).Call(ctx, "after"); err != nil {
		t.Error(err)
	}
}

func TestACallIsCancelledByItsRefFromAnyNode(t *testing.T) {
	for name, at := range map[string]int{"at its caller": 0, "where the actor lives": 1} {
		t.Run(name, func(t *testing.T) {
			c, s := clientAndHosts(t, 1), newStage(t)
			ctx := timeout(t, c.Context(0))
			server := soloists.New(ctx, s.soloist())
			running := actor.Method(server, (*soloist).Hold).Go(ctx, "gate")
			s.await("gate begins")
			say := actor.Method(server, (*soloist).Say)
			waiting, kept := say.Go(ctx, "cancelled"), say.Go(ctx, "kept")
			for _, r := range []objstore.Ref[string]{waiting, running} {
				if err := task.Cancel(timeout(t, c.Context(at)), r); err != nil {
					t.Error(err)
				}
				if _, err := r.Get(ctx); !errors.Is(err, task.ErrCancelled) {
					t.Errorf("got %v, want ErrCancelled", err)
				}
			}
			s.await("gate stops")
			if v, err := kept.Get(ctx); err != nil {
				t.Errorf("got %q, %v", v, err)
			}
			if slices.Contains(s.read(), "cancelled") {
				t.Error("a cancelled call ran")
			}
		})
	}
}
