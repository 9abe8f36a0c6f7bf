package actor_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"manta/actor"
	"manta/node"
	"manta/node/nodetest"
	"manta/task"
)

// callsOf and residentsOf return what a node counts of a class.
func callsOf(n *node.Node, class string) actor.Calls {
	all := n.Stats().Actors.Calls
	if i := slices.IndexFunc(all, func(c actor.Calls) bool { return c.Class == class }); i >= 0 {
		return all[i]
	}
	return actor.Calls{}
}

func residentsOf(n *node.Node, class string) actor.Residents {
	all := n.Stats().Actors.Residents
	if i := slices.IndexFunc(all, func(r actor.Residents) bool { return r.Class == class }); i >= 0 {
		return all[i]
	}
	return actor.Residents{}
}

func TestActorsAndTheirCallsAreCountedByClass(t *testing.T) {
	c, s := clientAndHosts(t, 1), newStage(t)
	for name, caller := range map[string]int{"over NATS": 0, "on its own node": 1} {
		t.Run(name, func(t *testing.T) {
			ctx, caller, host := timeout(t, c.Context(caller)), c.Node(caller), c.Node(1)
			calls, before := callsOf(caller, "performer"), residentsOf(host, "performer")
			r := performers.New(ctx, s.performer())
			say, fail, hold := actor.Method(r, (*performer).Say), actor.Method(r, (*performer).Fail), actor.Method(r, (*performer).Hold)
			for range 3 {
				if _, err := say.Call(ctx, "hm"); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := fail.Call(ctx, "oh"); !errors.Is(err, errStageFright) {
				t.Fatal(err)
			}
			held := hold.Go(ctx, name)
			s.await(name + " begins")
			cancelling, cancel := context.WithCancel(ctx)
			queued := []interface {
				Get(context.Context) (string, error)
			}{say.Go(ctx, "a"), say.Go(ctx, "b"), say.Go(cancelling, "c")}
			c.Await("three calls to be queued", func() bool { return residentsOf(host, "performer").Queued == 3 })
			got := residentsOf(host, "performer")
			if got.Running != 1 || got.Serving != 1 || got.Started != before.Started+1 || got.Ran != before.Ran+4 || got.Failed != before.Failed+1 || got.Restarted != 0 {
				t.Errorf("while a call runs: %+v, after %+v", got, before)
			}
			cancel()
			if _, err := queued[2].Get(ctx); !errors.Is(err, task.ErrCancelled) {
				t.Errorf("the call that was cancelled: %v", err)
			}
			s.open(name)
			for _, ref := range append(queued[:2], held) {
				if _, err := ref.Get(ctx); err != nil {
					t.Error(err)
				}
			}
			want := actor.Calls{Class: "performer", Made: calls.Made + 8, Succeeded: calls.Succeeded + 6, Failed: calls.Failed + 1, Cancelled: calls.Cancelled + 1}
			if got := callsOf(caller, "performer"); got != want {
				t.Errorf("the caller counts %+v, want %+v", got, want)
			}
			if err := r.Stop(ctx); err != nil {
				t.Error(err)
			}
			c.Await("the actor to be gone", func() bool { return residentsOf(host, "performer").Serving == 0 })
			gone := actor.Residents{Class: "performer", Started: before.Started + 1, Ran: before.Ran + 7, Failed: before.Failed + 1}
			if got := residentsOf(host, "performer"); got != gone {
				t.Errorf("once it is gone: %+v, want %+v", got, gone)
			}
		})
	}
}

func TestActorsThatAreMadeAgainAreCounted(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := timeout(t, c.Context(0))
		r := phoenixes.New(ctx, s.phoenix())
		count(t, ctx, r, 1)
		c.Add()
		c.Kill(1)
		s.awaits(2, "start")
		count(t, ctx, r, 1)
		if got := residentsOf(c.Node(2), "phoenix"); got.Started != 1 || got.Restarted != 1 || got.Serving != 1 || got.Ran != 1 {
			t.Errorf("got %+v", got)
		}
	})
}
