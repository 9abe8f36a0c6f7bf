package actor_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"manta/actor"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

func TestAMethodsErrorIsATaskErrorWithItsSentinel(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := clientAndHosts(t, 1)
		ctx, s := timeout(t, c.Context(0)), newStage(t)
		_, err := actor.Method(performers.New(ctx, s.performer()), (*performer).Fail).Call(ctx, "the lights went out")
		if !errors.Is(err, errStageFright) {
			t.Errorf("%v is not the registered error", err)
		}
		said, ok := errors.AsType[*task.Error](err)
		if !ok {
			t.Fatalf("%v is no *task.Error", err)
		}
		want := task.Error{
			Func: "performer.Fail", Node: c.Node(1).ID(), Attempt: 1, Code: "stage_fright", Message: "the lights went out: stage fright",
		}
		if *said != want {
			t.Errorf("got %+v, want %+v", *said, want)
		}
	})
}

func TestAMethodThatPanicsIsAnErrorWithItsStackAndTheActorServesOn(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		ctx, s := setup(t), newStage(t)
		server := performers.New(ctx, s.performer())
		_, err := actor.Method(server, (*performer).Panic).Call(ctx, "the curtain fell")
		said, ok := errors.AsType[*task.Error](err)
		if !ok || !strings.Contains(said.Message, "the curtain fell") || !strings.Contains(said.Stack, "(*performer).Panic") {
			t.Errorf("got %#v, want a *task.Error with message and stack", err)
		}
		if _, err := actor.Method(server, (*performer).Say).Call(ctx, "the show goes on"); err != nil {
			t.Error(err)
		}
	})
}

// understudy cannot start.
type understudy struct {
	Stage string
	Panic bool
}

func (u *understudy) Start(context.Context) error {
	stageNamed(u.Stage).write("start")
	<-stageNamed(u.Stage).gate("curtain")
	if u.Panic {
		panic("no costume")
	}
	return errors.New("no costume")
}

func (u *understudy) Line(context.Context, int) (string, error) { return "", nil }

var understudies = actor.Define[understudy]("understudy")

func TestAStartThatFailsIsTheErrorOfEveryCall(t *testing.T) {
	for _, test := range []struct {
		name  string
		panic bool
		opts  []actor.NewOption
	}{
		{"with an error", false, nil},
		{"with a panic", true, nil},
		{"with a name", false, []actor.NewOption{actor.Name("understudy")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			nodetest.Virtual(t, func(t *testing.T) {
				c, s := nodetest.Start(t, 2), newStage(t)
				ctx := timeout(t, c.Context(0))
				server := understudies.New(ctx, understudy{Stage: s.name, Panic: test.panic}, test.opts...)
				line := actor.Method(server, (*understudy).Line)
				calls := line.Map(ctx, make([]int, 10)) // some wait here, some in the mailbox
				s.await("start")
				s.open("curtain")
				for _, r := range append(calls, line.Go(ctx, 0), line.Go(ctx, 0)) {
					_, err := r.Get(ctx)
					if err == nil || !strings.Contains(err.Error(), "no costume") || !strings.Contains(err.Error(), "did not start") {
						t.Errorf("got %v, want the error of Start", err)
					}
				}
				if err := server.Stop(ctx); err == nil || !strings.Contains(err.Error(), "no costume") {
					t.Errorf("Stop: got %v, want the error of Start", err)
				}
				if _, err := line.Call(timeout(t, c.Context(1)), 0); err == nil {
					t.Error("a call of another node has a result")
				}
			})
		})
	}
}

func TestANameIsFreeAgainAfterAStartThatFailed(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		ctx, s := setup(t), newStage(t)
		s.open("curtain")
		failed := understudies.New(ctx, understudy{Stage: s.name}, actor.Name("role"))
		if _, err := actor.Method(failed, (*understudy).Line).Call(ctx, 0); err == nil {
			t.Fatal("a call has a result")
		}
		got, err := actor.Method(counters.GetOrNew(ctx, "role", counter{}), (*counter).Add).Call(ctx, 1)
		for errors.Is(err, actor.ErrExists) { // the first word of the failure may come before the name is free
			got, err = actor.Method(counters.GetOrNew(ctx, "role", counter{}), (*counter).Add).Call(ctx, 1)
		}
		if err != nil || got != 1 {
			t.Errorf("got %d, %v", got, err)
		}
	})
}

type unencodable struct {
	Pipe chan int
	n    int
}

func (u *unencodable) N(context.Context) (int, error) { return u.n, nil }

var unencodables = actor.Define[unencodable]("unencodable")

// hoard has a start value of any size.
type hoard struct{ Treasure []byte }

func (h *hoard) Size(context.Context) (int, error) { return len(h.Treasure), nil }

var hoards = actor.Define[hoard]("hoard")

func TestAnActorThatCannotBeMadeFailsEveryCallAndSaysWhy(t *testing.T) {
	ctx := setup(t)
	var zero actor.Class[counter]
	for _, test := range []struct {
		name string
		call objstore.Ref[int]
		says string
	}{
		{"start value without an encoding", actor.Method0(unencodables.New(ctx, unencodable{}), (*unencodable).N).Go(ctx), "Pipe"},
		{"start value above the largest message", actor.Method0(hoards.New(ctx, hoard{make([]byte, 2<<20)}), (*hoard).Size).Go(ctx), "Put what is large"},
		{"malformed name", actor.Method0(counters.New(ctx, counter{}, actor.Name("a.b")), (*counter).Value).Go(ctx), `"a.b"`},
		{"empty name", actor.Method0(counters.GetOrNew(ctx, "", counter{}), (*counter).Value).Go(ctx), "actor name is empty"},
		{"zero Class", actor.Method0(zero.New(ctx, counter{}), (*counter).Value).Go(ctx), "actor.Define"},
		{"zero Class by name", actor.Method0(zero.GetOrNew(ctx, "x", counter{}), (*counter).Value).Go(ctx), "actor.Define"},
		{"zero Ref", actor.Method0(actor.Ref[counter]{}, (*counter).Value).Go(ctx), "zero Ref"},
	} {
		t.Run(test.name, func(t *testing.T) {
			nodetest.Virtual(t, func(t *testing.T) {
				for range 2 {
					_, err := test.call.Get(timeout(t, ctx))
					if err == nil || !strings.Contains(err.Error(), test.says) {
						t.Errorf("got %v, want an error that says %q", err, test.says)
					}
				}
			})
		})
	}
}

func TestAClassThatNoNodeServesIsAnErrorAtOnce(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		ctx := timeout(t, clientAndHosts(t, 0).Context(0))
		made := counters.New(ctx, counter{})
		for range 2 {
			if _, err := actor.Method0(made, (*counter).Value).Call(ctx); !errors.Is(err, actor.ErrNotRegistered) || !strings.Contains(err.Error(), "class counter") {
				t.Errorf("got %v, want ErrNotRegistered with the class", err)
			}
		}
		if err := made.Stop(ctx); !errors.Is(err, actor.ErrNotRegistered) {
			t.Errorf("Stop: got %v, want ErrNotRegistered", err)
		}
	})
}
