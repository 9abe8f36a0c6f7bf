package actor_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"manta/actor"
	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

// phoenix is made again when its node is lost.
type phoenix struct {
	player
	From int

	n int
}

func (p *phoenix) Start(context.Context) error {
	p.n = p.From
	p.stage().write("start")
	return nil
}

func (p *phoenix) Count(context.Context) (int, error) {
	p.n++
	return p.n, nil
}

func (p *phoenix) Epoch(ctx context.Context) (uint64, error) { return actor.Epoch(ctx), nil }

// once is made again once.
type once struct{ phoenix }

var (
	phoenixes = actor.Define[phoenix]("phoenix", actor.Restarts(-1))
	onces     = actor.Define[once]("once", actor.Restarts(1))
)

func (s *stage) phoenix() phoenix { return phoenix{player: player{Stage: s.name}} }

// count has an actor count, and checks how far it then is.
func count(t *testing.T, ctx context.Context, r actor.Ref[phoenix], want int) {
	t.Helper()
	if n, err := actor.Method0(r, (*phoenix).Count).Call(ctx); err != nil || n != want {
		t.Errorf("got %d, %v, want %d", n, err, want)
	}
}

func TestARestartableActorIsMadeAgainElsewhereWhenItsNodeDies(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := timeout(t, c.Context(0))
		r := phoenixes.New(ctx, s.phoenix())
		count(t, ctx, r, 1)
		count(t, ctx, r, 2)
		before, err := actor.Method0(r, (*phoenix).Epoch).Call(ctx)
		if err != nil || before == 0 {
			t.Errorf("its epoch is %d, %v", before, err)
		}
		c.Add()
		begin := time.Now()
		c.Kill(1)
		s.awaits(2, "start")
		if took := time.Since(begin); took > noticed {
			t.Errorf("it was away for %v, want at most %v", took, noticed)
		}
		count(t, ctx, r, 1)
		if after, err := actor.Method0(r, (*phoenix).Epoch).Call(ctx); err != nil || after <= before {
			t.Errorf("its epoch is %d, %v, want one above %d", after, err, before)
		}
		count(t, ctx, r, 2)
	})
}

func TestWithAShortLeaseARestartTakesTwoSeconds(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		short := nodetest.Configure(func(_ int, cfg *node.Config) { cfg.LeaseTTL = time.Second })
		c, s := clientAndHosts(t, 1, short), newStage(t)
		ctx := timeout(t, c.Context(0))
		r := phoenixes.New(ctx, s.phoenix())
		count(t, ctx, r, 1)
		c.Add(short)
		time.Sleep(5 * time.Second) // virtual: a node that has just come takes nobody for dead
		begin := time.Now()
		c.Kill(1)
		s.awaits(2, "start")
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("it was away for %v", took)
		}
		count(t, ctx, r, 1)
	})
}

// holdAt waits at a gate.
var holdAt = task.Define2("hold_at", func(ctx context.Context, stage, gate string) (string, error) {
	return stageNamed(stage).hold(ctx, gate)
})

func TestCallsThatDidNotRunGoToTheNextLifeInOrder(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := timeout(t, c.Context(0))
		r := phoenixes.New(ctx, s.phoenix())
		hold, say := actor.Method(r, (*phoenix).Hold), actor.Method(r, (*phoenix).Say)
		once := hold.Go(ctx, "once")
		s.await("once begins")
		again := say.With(task.Retries(1)).Go(ctx, "again")
		argument := holdAt.With(task.OnNode(c.Node(c.Add()).ID(), task.Hard)).Go(ctx, s.name, "argument")
		s.await("argument begins")
		waiting := append([]objstore.Ref[string]{again, say.On(ctx, argument)}, say.Map(ctx, []string{"two", "three"})...)
		c.Kill(1)
		if _, err := once.Get(ctx); !errors.Is(err, actor.ErrUnavailable) {
			t.Errorf("a call under way: got %v, want ErrUnavailable", err)
		}
		s.open("argument")
		if _, err := objstore.GetAll(ctx, waiting); err != nil {
			t.Error(err)
		}
		diary := s.read()
		if i := slices.Index(diary, "again"); i < 0 || !slices.Equal(slices.DeleteFunc(diary[i:], func(e string) bool { return e == "argument ends" }), []string{"again", "argument", "two", "three"}) {
			t.Errorf("the diary is %q", diary)
		}
	})
}

func TestARestartableActorOfANodeThatClosesIsMadeAgain(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := timeout(t, c.Context(0))
		r := phoenixes.New(ctx, s.phoenix(), actor.Name("phoenix"))
		count(t, ctx, r, 1)
		c.Add()
		if err := c.Node(1).Close(); err != nil {
			t.Fatal(err)
		}
		count(t, ctx, r, 1)
		found, err := phoenixes.Lookup(ctx, "phoenix")
		if err != nil || found != r {
			t.Errorf("its name finds %v, %v", found, err)
		}
		if slices.Contains(s.read(), "close") {
			t.Error("Close ran")
		}
	})
}

func TestAnActorDiesWhenItHasNoRestartsLeft(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := timeout(t, c.Context(0))
		r := onces.New(ctx, once{s.phoenix()}, actor.Name("once"))
		say := actor.Method(r, (*once).Say)
		if _, err := say.Call(ctx, "first life"); err != nil {
			t.Fatal(err)
		}
		second := c.Add()
		c.Kill(1)
		s.awaits(2, "start")
		if _, err := say.Call(ctx, "second life"); err != nil {
			t.Fatal(err)
		}
		c.Kill(second)
		c.Add()
		if _, err := say.Call(ctx, "third life"); !isDead(err) && !errors.Is(err, actor.ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable or ErrDead", err)
		}
		if _, err := say.Call(ctx, "third life"); !isDead(err) || !strings.Contains(err.Error(), "restarted 1 times") {
			t.Errorf("got %v, want ErrDead that says why", err)
		}
		if _, err := onces.Lookup(ctx, "once"); !errors.Is(err, actor.ErrNotFound) {
			t.Errorf("its name: got %v, want ErrNotFound", err)
		}
	})
}

func TestAnActorThatIsStoppedOrKilledIsNotMadeAgain(t *testing.T) {
	for how, end := range map[string]func(actor.Ref[phoenix], context.Context) error{"stopped": actor.Ref[phoenix].Stop, "killed": actor.Ref[phoenix].Kill} {
		t.Run(how, func(t *testing.T) {
			nodetest.Virtual(t, func(t *testing.T) {
				c, s := clientAndHosts(t, 2), newStage(t)
				ctx := timeout(t, c.Context(0))
				r := phoenixes.New(ctx, s.phoenix())
				count(t, ctx, r, 1)
				if err := end(r, ctx); err != nil {
					t.Fatal(err)
				}
				c.Kill(1)
				c.AwaitMembers(0, 2)
				if _, err := actor.Method0(r, (*phoenix).Count).Call(ctx); !isDead(err) {
					t.Errorf("got %v, want ErrDead", err)
				}
			})
		})
	}
}

func TestAnActorThatIsKilledWhileItHasNoNodeIsNotMadeAgain(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := timeout(t, c.Context(0))
		r := phoenixes.New(ctx, s.phoenix())
		count(t, ctx, r, 1)
		c.Kill(1)
		c.AwaitMembers(0)
		waits := actor.Method0(r, (*phoenix).Count).Go(ctx)
		if err := r.Kill(ctx); err != nil {
			t.Fatal(err)
		}
		c.Add()
		if _, err := waits.Get(ctx); !isDead(err) {
			t.Errorf("a call that waited: got %v, want ErrDead", err)
		}
		if got := s.read(); !slices.Equal(got, []string{"start"}) {
			t.Errorf("the diary is %q", got)
		}
	})
}

func TestTheHeirOfAHeirMakesAnActorAgain(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := timeout(t, c.Context(0))
		var all []actor.Ref[phoenix]
		for range 20 {
			all = append(all, phoenixes.New(ctx, s.phoenix()))
			count(t, ctx, all[len(all)-1], 1)
		}
		clients := nodetest.Configure(func(_ int, cfg *node.Config) { cfg.ClientOnly = true })
		for range 2 {
			c.Add(clients)
		}
		c.Kill(1)
		c.AwaitMembers(0, 2, 3) // nobody has room: one of them is the heir
		c.Kill(2)
		c.AwaitMembers(0, 3)
		c.Add()
		for _, r := range all {
			count(t, ctx, r, 1)
		}
	})
}

func TestWhoeverComesAfterTheLastNodeMakesItsActorsAgain(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		r := phoenixes.New(c.Context(0), s.phoenix(), actor.Name("ash"), actor.Detached())
		count(t, c.Context(0), r, 1)
		c.Kill(0)
		c.Kill(1)
		time.Sleep(10 * time.Minute) // virtual
		ctx := timeout(t, c.Context(c.Add()))
		back, err := phoenixes.Lookup(ctx, "ash")
		if err != nil {
			t.Fatal(err)
		}
		count(t, ctx, back, 1)
		s.awaits(2, "start")
	})
}

func TestASilentNodesActorChangesNothingOnceItLivesElsewhere(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := timeout(t, c.Context(0))
		r := phoenixes.New(ctx, s.phoenix())
		count(t, ctx, r, 1)
		hold := actor.Method(r, (*phoenix).Hold).Go(ctx, "gate")
		s.await("gate begins")
		queued := actor.Method(r, (*phoenix).Say).With(task.Retries(1)).Go(ctx, "queued")
		c.Add()
		c.Pause(1)
		if _, err := hold.Get(ctx); !errors.Is(err, actor.ErrUnavailable) {
			t.Errorf("a call under way: got %v, want ErrUnavailable", err)
		}
		if _, err := queued.Get(ctx); err != nil {
			t.Error(err)
		}
		c.Resume(1)
		s.await("gate stops") // what ran goes on until its node is back
		c.AwaitMembers(0, 1, 2)
		count(t, ctx, r, 1)
		if diary := s.read(); len(diary) != 5 {
			t.Errorf("the diary is %q", diary)
		}
	})
}

func TestANodeThatWasSilentForAMomentKeepsItsActors(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 2), newStage(t)
		ctx := timeout(t, c.Context(0))
		r := phoenixes.New(ctx, s.phoenix())
		count(t, ctx, r, 1)
		for i := 1; i <= 2; i++ {
			c.Pause(i)
			late := actor.Method0(r, (*phoenix).Count).Go(ctx)
			time.Sleep(1500 * time.Millisecond) // virtual
			c.Resume(i)
			if n, err := late.Get(ctx); err != nil || n != 1+i {
				t.Errorf("got %d, %v, want %d", n, err, 1+i)
			}
		}
	})
}

func TestANodeThatWasSilentForAMomentKeepsTheActorsOfItsCallers(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := clientAndHosts(t, 1)
		ctx := timeout(t, c.Context(0))
		r := counters.New(ctx, counter{}) // it has no record
		if n, err := add(ctx, r, 1); err != nil || n != 1 {
			t.Fatalf("got %d, %v", n, err)
		}
		c.Pause(1)
		time.Sleep(2200 * time.Millisecond) // virtual: its lease has ended, and nobody has claimed it yet
		c.Resume(1)
		if n, err := add(ctx, r, 1); err != nil || n != 2 {
			t.Errorf("got %d, %v, want 2", n, err)
		}
	})
}

// Its callers have been told that it is dead.
func TestAnActorWithoutARecordEndsWhenItsNodeWasTakenForLost(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := clientAndHosts(t, 1)
		ctx := timeout(t, c.Context(0))
		r := counters.New(ctx, counter{})
		if n, err := add(ctx, r, 1); err != nil || n != 1 {
			t.Fatalf("got %d, %v", n, err)
		}
		if _, err := add(timeout(t, c.Context(c.Add())), r, 1); err != nil { // pings it, and so does whoever comes later
			t.Fatal(err)
		}
		c.Pause(1)
		c.AwaitMembers(0, 2)
		if _, err := add(ctx, r, 1); !isDead(err) && !errors.Is(err, actor.ErrUnavailable) {
			t.Errorf("got %v, want that it is lost", err)
		}
		c.Resume(1)
		c.AwaitMembers(0, 1, 2)
		time.Sleep(5 * time.Second) // virtual
		if _, err := add(timeout(t, c.Context(c.Add())), r, 1); !isDead(err) {
			t.Errorf("a later caller: got %v, want ErrDead", err)
		}
		for _, class := range c.Node(1).Stats().Actors.Residents {
			if class.Serving > 0 {
				t.Errorf("%d actors live on", class.Serving)
			}
		}
	})
}

func TestAnActorStopsWhenItsCreatorIsGoneUnlessItIsDetached(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := timeout(t, c.Context(0))
		owner := c.Add(nodetest.Configure(func(_ int, cfg *node.Config) { cfg.ClientOnly = true }))
		owned := soloists.New(c.Context(owner), soloist{player{Stage: s.name, Tag: " owned"}}, actor.Name("owned"))
		free := soloists.New(c.Context(owner), soloist{player{Stage: s.name, Tag: " free"}}, actor.Name("free"), actor.Detached())
		for _, r := range []actor.Ref[soloist]{owned, free} {
			if _, err := actor.Method(r, (*soloist).Say).Call(ctx, "here"); err != nil {
				t.Fatal(err)
			}
		}
		c.Kill(owner)
		s.await("close owned")
		if _, err := actor.Method(free, (*soloist).Say).Call(ctx, "still here"); err != nil {
			t.Error(err)
		}
		if _, err := actor.Method(owned, (*soloist).Say).Call(ctx, "not here"); !isDead(err) {
			t.Errorf("got %v, want ErrDead", err)
		}
		if slices.Contains(s.read(), "close free") {
			t.Error("the detached one was closed")
		}
	})
}

func TestActorsThatAreMadeWhileTheirCreatorLeavesEndWithIt(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		for i := range 20 {
			creator := c.Add(nodetest.Configure(func(_ int, cfg *node.Config) { cfg.ClientOnly = true }))
			for k := range 10 {
				soloists.New(c.Context(creator), s.soloist(), actor.Name(fmt.Sprint("solo", i, "-", k)))
			}
			time.Sleep(time.Duration(i) * 50 * time.Microsecond) // virtual: a bit later each time
			if err := c.Node(creator).Close(); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(10 * time.Second) // virtual
		for _, r := range c.Node(1).Stats().Actors.Residents {
			if r.Serving > 0 {
				t.Errorf("%d of %d actors live on, and their creators are gone", r.Serving, r.Started)
			}
		}
	})
}

// refuseRecords has the bucket of actors take nothing, as one without a leader does, or all again.
func refuseRecords(t *testing.T, c *nodetest.Cluster, refuse bool) {
	t.Helper()
	js, err := jetstream.New(c.Connect())
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "KV_manta_default_actors")
	if err != nil {
		t.Fatal(err)
	}
	limited := stream.CachedInfo().Config
	if limited.MaxMsgSize = -1; refuse {
		limited.MaxMsgSize = 1
	}
	if _, err := js.UpdateStream(t.Context(), limited); err != nil {
		t.Fatal(err)
	}
}

func TestAnActorIsMadeAgainHoweverLongTheDirectoryWasOfNoUse(t *testing.T) {
	for name, heirs := range map[string]int{"by its heir": 0, "by the heir of heirs": 2} {
		t.Run(name, func(t *testing.T) {
			nodetest.Virtual(t, func(t *testing.T) {
				c, s := clientAndHosts(t, 1), newStage(t)
				ctx := c.Context(0)
				r := phoenixes.New(ctx, s.phoenix())
				count(t, ctx, r, 1)
				for range heirs {
					c.Add(nodetest.Configure(func(_ int, cfg *node.Config) { cfg.ClientOnly = true }))
				}
				refuseRecords(t, c, true)
				c.Kill(1)
				time.Sleep(90 * time.Second) // virtual
				for i := range heirs {
					c.Kill(2 + i)
				}
				c.AwaitMembers(0)
				refuseRecords(t, c, false)
				c.Add()
				count(t, timeout(t, ctx), r, 1)
			})
		})
	}
}

func TestNoCallWithRetriesFailsWhenTheNodeIsKilledUnderTwoHundred(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := timeout(t, c.Context(0))
		r := onces.New(ctx, once{s.phoenix()})
		count := actor.Method0(r, (*once).Count).With(task.Retries(1000))
		hold := actor.Method(r, (*once).Hold).With(task.Retries(1000))
		var counts []objstore.Ref[int]
		for range 99 {
			counts = append(counts, count.Go(ctx))
		}
		hundredth := hold.Go(ctx, "gate")
		for range 100 {
			counts = append(counts, count.Go(ctx))
		}
		s.await("gate begins")
		if _, err := objstore.GetAll(ctx, counts[:99]); err != nil {
			t.Fatal(err)
		}
		c.Kill(1)
		c.Add()
		s.awaits(2, "gate begins")
		s.open("gate")
		if _, err := hundredth.Get(ctx); err != nil {
			t.Error(err)
		}
		got, err := objstore.GetAll(ctx, counts[99:])
		if err != nil {
			t.Fatal(err)
		}
		for i, n := range got {
			if n != i+1 {
				t.Errorf("call %d of the second life counts to %d", i+1, n)
			}
		}
	})
}
