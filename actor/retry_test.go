package actor_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"manta/actor"
	"manta/node/nodetest"
	"manta/task"
)

// stammerer forgets its lines.
type stammerer struct {
	player

	runs int
}

// Recite fails until it has run more often than it is told, and tells how often it has.
func (u *stammerer) Recite(_ context.Context, failures int) (int, error) {
	if u.runs++; u.runs <= failures {
		u.stage().write("forgotten")
		return 0, fmt.Errorf("run %d: %w", u.runs, errStageFright)
	}
	runs := u.runs
	u.runs = 0
	return runs, nil
}

// Runs is how often Recite has run since it last succeeded.
func (u *stammerer) Runs(context.Context) (int, error) { return u.runs, nil }

// Advise fails once, and says of that what it is told.
func (u *stammerer) Advise(_ context.Context, again bool) (int, error) {
	switch u.runs++; {
	case u.runs > 1:
		return u.runs, nil
	case again:
		return 0, task.RetryAfter(errStageFright, time.Millisecond)
	default:
		return 0, task.Permanent(errStageFright)
	}
}

// Panic panics once.
func (u *stammerer) Panic(context.Context) (int, error) {
	if u.runs++; u.runs == 1 {
		panic("blackout")
	}
	return u.runs, nil
}

// eager is one that is tried again as often as its class says.
type eager struct{ stammerer }

var (
	stammerers = actor.Define[stammerer]("stammerer")
	eagers     = actor.Define[eager]("eager", actor.MethodOptions("Recite", task.Retries(3), task.RetryOn(errStageFright), task.Backoff(0, 0)))
)

func TestAMethodThatFailsIsTriedAgainAsOftenAsItsRetriesSay(t *testing.T) {
	fromBoth(t, func(t *testing.T, c *nodetest.Cluster, caller int, s *stage) {
		ctx := timeout(t, c.Context(caller))
		r := stammerers.New(ctx, stammerer{player: player{Stage: s.name}})
		recite := actor.Method(r, (*stammerer).Recite).With(task.Retries(5), task.RetryOn(errStageFright), task.Backoff(0, 0))
		if n, err := recite.Call(ctx, 5); err != nil || n != 6 {
			t.Errorf("got %d, %v, want 6 runs", n, err)
		}
		if _, err := recite.Call(ctx, 6); !errors.Is(err, errStageFright) || !strings.Contains(err.Error(), "run 6") {
			t.Errorf("got %v, want the error of the sixth run", err)
		}
		if n, err := actor.Method0(r, (*stammerer).Runs).Call(ctx); err != nil || n != 6 {
			t.Errorf("it has run %d times, %v, want 6", n, err)
		}
	})
}

func TestTheOptionsOfACallCountMoreThanThoseOfItsMethod(t *testing.T) {
	ctx, s := setup(t), newStage(t)
	recite := actor.Method(eagers.New(ctx, eager{stammerer{player: player{Stage: s.name}}}), (*eager).Recite)
	for _, test := range []struct {
		opts     []task.Option
		failures int
	}{{nil, 3}, {[]task.Option{task.Retries(5)}, 5}, {[]task.Option{task.Retries(1)}, 1}} {
		if n, err := recite.With(test.opts...).Call(ctx, test.failures); err != nil || n != test.failures+1 {
			t.Errorf("got %d, %v, want %d runs", n, err, test.failures+1)
		}
		if _, err := recite.With(test.opts...).Call(ctx, test.failures+1); !errors.Is(err, errStageFright) {
			t.Errorf("got %v, want that it fails after %d runs", err, test.failures+1)
		}
		if n, err := recite.Call(ctx, 0); err != nil || n != test.failures+2 { // begins anew
			t.Errorf("it ran %d times, %v, want %d", n, err, test.failures+2)
		}
	}
}

func TestAMethodSaysWhetherItIsTriedAgain(t *testing.T) {
	ctx, s := setup(t), newStage(t)
	made := func() actor.Ref[stammerer] { return stammerers.New(ctx, stammerer{player: player{Stage: s.name}}) }
	if n, err := actor.Method(made(), (*stammerer).Advise).With(task.Retries(1)).Call(ctx, true); err != nil || n != 2 {
		t.Errorf("got %d, %v, want 2 runs", n, err)
	}
	if _, err := actor.Method(made(), (*stammerer).Advise).With(task.Retries(1), task.RetryOn()).Call(ctx, false); !errors.Is(err, errStageFright) {
		t.Errorf("got %v, want its error", err)
	}
	if n, err := actor.Method0(made(), (*stammerer).Panic).With(task.Retries(1), task.RetryOn()).Call(ctx); err != nil || n != 2 {
		t.Errorf("after a panic: got %d, %v, want 2 runs", n, err)
	}
}

func TestACallThatPausesBeforeItIsMadeAgainEndsWithItsCtxAndItsActor(t *testing.T) {
	fromBoth(t, func(t *testing.T, c *nodetest.Cluster, caller int, s *stage) {
		ctx := timeout(t, c.Context(caller))
		r := stammerers.New(ctx, stammerer{player: player{Stage: s.name}})
		recite := actor.Method(r, (*stammerer).Recite).With(task.Retries(5), task.RetryOn(), task.Backoff(time.Hour, time.Hour))
		ending, cancel := context.WithCancel(ctx)
		given, kept := recite.Go(ending, 100), recite.Go(ctx, 100)
		s.awaits(2, "forgotten")
		cancel()
		if _, err := given.Get(ctx); !errors.Is(err, task.ErrCancelled) {
			t.Errorf("got %v, want ErrCancelled", err)
		}
		if _, err := actor.Method(r, (*stammerer).Say).Call(ctx, "the next one"); err != nil {
			t.Errorf("a call behind them: %v", err)
		}
		if err := r.Kill(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := kept.Get(ctx); !isDead(err) {
			t.Errorf("got %v, want ErrDead", err)
		}
	})
}
