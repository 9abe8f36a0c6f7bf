package actor_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"manta/actor"
	"manta/node/nodetest"
	"manta/objstore"
)

func TestStartRunsOnceBeforeTheFirstCall(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		ctx, s := setup(t), newStage(t)
		say := actor.Method(soloists.New(ctx, s.soloist()), (*soloist).Say)
		for _, line := range []string{"one", "two"} {
			if _, err := say.Call(ctx, line); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := s.read(), []string{"start", "one", "two"}; !slices.Equal(got, want) {
			t.Errorf("the diary is %q, want %q", got, want)
		}
	})
}

func TestAnActorKeepsItsStateBetweenCalls(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		ctx := setup(t)
		add := actor.Method(counters.New(ctx, counter{From: 40}), (*counter).Add)
		got, err := objstore.GetAll(ctx, add.Map(ctx, []int{1, 1, 3}))
		if want := []int{41, 42, 45}; err != nil || !slices.Equal(got, want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	})
}

func TestStopLetsQueuedCallsFinishAndRunsCloseLast(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		ctx, s := setup(t), newStage(t)
		server := soloists.New(ctx, s.soloist())
		first := actor.Method(server, (*soloist).Hold).Go(ctx, "gate")
		queued := actor.Method(server, (*soloist).Say).Map(ctx, []string{"one", "two"})
		s.await("gate begins")

		stopped := make(chan error, 1)
		go func() { stopped <- server.Stop(ctx) }()
		s.open("gate")
		if err := <-stopped; err != nil {
			t.Fatalf("Stop: %v", err)
		}
		if _, err := objstore.GetAll(ctx, append(queued, first)); err != nil {
			t.Errorf("a call that waited failed: %v", err)
		}
		if got, want := s.read(), []string{"start", "gate begins", "gate ends", "one", "two", "close"}; !slices.Equal(got, want) {
			t.Errorf("the diary is %q, want %q", got, want)
		}
	})
}

func TestAStoppedActorIsDeadForEveryNodeAndMayBeStoppedAgain(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := nodetest.Start(t, 2), newStage(t)
		ctx := timeout(t, c.Context(0))
		server := soloists.New(ctx, s.soloist())
		if err := server.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			for range 3 {
				ctx := timeout(t, c.Context(i))
				if _, err := actor.Method(server, (*soloist).Say).Call(ctx, "late"); !errors.Is(err, actor.ErrDead) {
					t.Errorf("a call from node %d: got %v, want ErrDead", i, err)
				}
				if err := server.Stop(ctx); err != nil {
					t.Errorf("a second Stop from node %d: %v", i, err)
				}
			}
		}
		if slices.Contains(s.read(), "late") {
			t.Error("a call ran after Stop")
		}
	})
}

func TestKillEndsTheRunningCallAndFailsThoseThatWait(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		ctx, s := setup(t), newStage(t)
		server := soloists.New(ctx, s.soloist())
		running := actor.Method(server, (*soloist).Hold).Go(ctx, "gate")
		say := actor.Method(server, (*soloist).Say)
		queued := say.Map(ctx, []string{"one", "two"})
		s.await("gate begins")

		if err := server.Kill(ctx); err != nil {
			t.Fatalf("Kill: %v", err)
		}
		for _, r := range append(queued, running, say.Go(ctx, "late")) {
			if _, err := r.Get(ctx); !errors.Is(err, actor.ErrDead) {
				t.Errorf("got %v, want ErrDead", err)
			}
		}
		s.await("gate stops")
		if got, want := s.read(), []string{"start", "gate begins", "gate stops"}; !slices.Equal(got, want) {
			t.Errorf("the diary is %q, want %q", got, want)
		}
	})
}

func TestAnActorMayCallOthersInStartAndInMethods(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		ctx := setup(t)
		n, err := actor.Method0(foremen.New(ctx, foreman{Workers: 3}), (*foreman).Sum).Call(ctx)
		if err != nil || n != 0+1+2 {
			t.Errorf("got %d, %v, want 3", n, err)
		}
	})
}

// late is an actor whose Start takes a while.
type late struct{ player }

func (l *late) Start(ctx context.Context) error {
	_, err := l.Hold(ctx, "gate")
	return err
}

var lates = actor.Define[late]("late")

func TestNothingIsAwaitedOfAnActorThatHasStartedAndIsNotCalled(t *testing.T) {
	for name, caller := range map[string]int{"from another node": 0, "from its own": 1} {
		t.Run(name, func(t *testing.T) {
			nodetest.Virtual(t, func(t *testing.T) {
				c, s := clientAndHosts(t, 1), newStage(t)
				ctx := timeout(t, c.Context(caller))
				r := lates.New(ctx, late{player{Stage: s.name}})
				s.await("gate begins")
				time.Sleep(time.Second) // virtual: it is known to be starting
				s.open("gate")
				time.Sleep(15 * time.Second) // virtual
				if n := actor.Awaiting(ctx); n > 0 {
					t.Errorf("%d actors are awaited", n)
				}
				if _, err := actor.Method(r, (*late).Say).Call(ctx, "hello"); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// quitter ends the goroutine in which it is called.
type quitter struct{ InStart bool }

func (q *quitter) Start(context.Context) error {
	if q.InStart {
		runtime.Goexit()
	}
	return nil
}

func (q *quitter) Close() error {
	runtime.Goexit()
	return nil
}

func (q *quitter) Say(_ context.Context, word string) (string, error) { return word, nil }

var quitters = actor.Define[quitter]("quitter")

func TestAStartOrCloseThatEndsItsGoroutineFailsAndHoldsNobodyUp(t *testing.T) {
	ctx := timeout(t, clientAndHosts(t, 1).Context(0))
	if _, err := actor.Method(quitters.New(ctx, quitter{InStart: true}), (*quitter).Say).Call(ctx, "hello"); !isDead(err) || !strings.Contains(err.Error(), "Goexit") {
		t.Errorf("got %v, want ErrDead, which says why", err)
	}
	r := quitters.New(ctx, quitter{})
	if said, err := actor.Method(r, (*quitter).Say).Call(ctx, "hello"); err != nil || said != "hello" {
		t.Errorf("got %q, %v", said, err)
	}
	if err := r.Stop(ctx); err != nil {
		t.Error(err)
	}
}
