package actor_test

import (
	"errors"
	"slices"
	"testing"

	"manta/actor"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

// band has its methods in groups: Hold and Wait play together, the others one after another.
type band struct{ player }

var bands = actor.Define[band]("band", actor.Group("playing", 2, "Hold"))

// stages are where a caller can be: on the actor's node, or on another.
var callersAt = map[string]int{"on the same node": 1, "on another node": 0}

// fromBoth runs a test with the caller on the actor's node, and on another.
func fromBoth(t *testing.T, test func(t *testing.T, c *nodetest.Cluster, caller int, s *stage)) {
	for name, caller := range callersAt {
		t.Run(name, func(t *testing.T) {
			nodetest.Virtual(t, func(t *testing.T) { test(t, clientAndHosts(t, 1), caller, newStage(t)) })
		})
	}
}

func TestMethodsRunInTheLineOfTheirGroup(t *testing.T) {
	fromBoth(t, func(t *testing.T, c *nodetest.Cluster, caller int, s *stage) {
		ctx := timeout(t, c.Context(caller))
		server := bands.New(ctx, band{player{Stage: s.name}})
		hold, say := actor.Method(server, (*band).Hold), actor.Method(server, (*band).Say)
		calls := hold.Map(ctx, []string{"a", "b", "c"})
		s.await("a begins", "b begins")
		if _, err := objstore.GetAll(ctx, say.Map(ctx, []string{"one", "two"})); err != nil {
			t.Fatalf("calls wait behind those of another group: %v", err)
		}
		if slices.Contains(s.read(), "c begins") {
			t.Error("three calls run in a group of two")
		}
		for _, gate := range []string{"a", "b", "c"} {
			s.open(gate)
		}
		if _, err := objstore.GetAll(ctx, calls); err != nil {
			t.Error(err)
		}
	})
}

type (
	unnamed struct{ player }
	twice   struct{ player }
)

func TestAGroupNamesMethodsOfTheClassOnce(t *testing.T) {
	for name, define := range map[string]func(){
		"a method that is not there": func() { actor.Define[unnamed]("wrong", actor.Group("g", 1, "Sing")) },
		"a method in two groups":     func() { actor.Define[twice]("wrong", actor.Group("g", 1, "Say"), actor.Group("h", 1, "Say")) },
		"a group of none":            func() { actor.Define[twice]("wrong", actor.Group("g", 0, "Say")) },
		"no pending calls":           func() { actor.Define[twice]("wrong", actor.PendingCalls(0)) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("Define did not panic")
				}
			}()
			define()
		})
	}
}

// diva takes few calls at a time.
type diva struct{ player }

var divas = actor.Define[diva]("diva", actor.PendingCalls(2))

func TestTheCallBeyondThePendingOnesFailsAtOnce(t *testing.T) {
	fromBoth(t, func(t *testing.T, c *nodetest.Cluster, caller int, s *stage) {
		ctx := timeout(t, c.Context(caller))
		server := divas.New(ctx, diva{player{Stage: s.name}})
		hold := actor.Method(server, (*diva).Hold)
		calls := hold.Map(ctx, []string{"a", "b"})
		s.await("a begins")
		if _, err := hold.Call(ctx, "c"); !errors.Is(err, task.ErrOverload) {
			t.Errorf("the third call: got %v, want ErrOverload", err)
		}
		s.open("a")
		s.open("b")
		if _, err := objstore.GetAll(ctx, calls); err != nil {
			t.Errorf("the first two: %v", err)
		}
		if _, err := actor.Method(server, (*diva).Say).Call(ctx, "encore"); err != nil {
			t.Errorf("a call after them: %v", err)
		}
	})
}

func TestCallsBeyondTheNodesBudgetFailAtOnceAndTheOthersRun(t *testing.T) {
	fromBoth(t, func(t *testing.T, c *nodetest.Cluster, caller int, s *stage) {
		actor.SetMailBudget(t, c.Context(1), 10_000)
		ctx := timeout(t, c.Context(caller))
		server := soloists.New(ctx, s.soloist())
		running := actor.Method(server, (*soloist).Hold).Go(ctx, "gate")
		s.await("gate begins")
		var refused, served int
		refs := actor.Method(server, (*soloist).Say).Map(ctx, make([]string, 100))
		s.open("gate")
		for _, r := range refs {
			switch _, err := r.Get(ctx); {
			case err == nil:
				served++
			case errors.Is(err, task.ErrOverload):
				refused++
			default:
				t.Fatal(err)
			}
		}
		if served == 0 || refused == 0 {
			t.Errorf("%d calls ran, %d were refused, want some of each", served, refused)
		}
		if _, err := running.Get(ctx); err != nil {
			t.Error(err)
		}
		if n := actor.MailBytes(c.Context(1)); n != 0 {
			t.Errorf("%d bytes are said to wait when nothing does", n)
		}
	})
}
