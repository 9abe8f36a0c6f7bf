package actor_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"manta/actor"
	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
)

// keeper counts, and its count survives its node. Its ballast makes its state as large as a test wants.
type keeper struct {
	player
	Ballast int

	n int
}

func (k *keeper) Count(context.Context) (int, error) {
	k.n++
	return k.n, nil
}

func (k *keeper) Snapshot(context.Context) ([]byte, error) {
	return []byte(strconv.Itoa(k.n) + " " + strings.Repeat("x", k.Ballast)), nil
}

func (k *keeper) Restore(_ context.Context, state []byte) (err error) {
	k.stage().write("restore")
	k.n, err = strconv.Atoi(strings.Fields(string(state))[0])
	return err
}

// lazy is kept now and then.
type lazy struct{ keeper }

var (
	keepers = actor.Define[keeper]("keeper", actor.Restarts(-1), actor.SnapshotEvery(1, time.Second))
	lazies  = actor.Define[lazy]("lazy", actor.Restarts(-1), actor.SnapshotEvery(3, time.Minute))
)

func TestASnapshotIsTheStateOfTheNextLife(t *testing.T) {
	for name, ballast := range map[string]int{"small": 0, "large": 200_000} {
		t.Run(name, func(t *testing.T) {
			nodetest.Virtual(t, func(t *testing.T) {
				c, s := clientAndHosts(t, 1), newStage(t)
				ctx := timeout(t, c.Context(0))
				call := actor.Method0(keepers.New(ctx, keeper{player: player{Stage: s.name}, Ballast: ballast}), (*keeper).Count)
				for want := 1; want <= 5; want++ {
					if n, err := call.Call(ctx); err != nil || n != want {
						t.Fatalf("got %d, %v, want %d", n, err, want)
					}
				}
				c.Add()
				c.Kill(1)
				s.await("restore")
				if n, err := call.Call(ctx); err != nil || n != 6 {
					t.Errorf("the next life: got %d, %v, want 6", n, err)
				}
			})
		})
	}
}

func TestWhatIsNotInTheSnapshotIsLost(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := c.Context(0)
		call := actor.Method0(lazies.New(ctx, lazy{keeper{player: player{Stage: s.name}}}), (*lazy).Count)
		count := func(want int) {
			t.Helper()
			if n, err := call.Call(ctx); err != nil || n != want {
				t.Errorf("got %d, %v, want %d", n, err, want)
			}
		}
		for want := 1; want <= 5; want++ {
			count(want)
		}
		second := c.Add()
		c.Kill(1)
		s.awaits(1, "restore")
		count(4)                    // the third call was the last that was kept
		time.Sleep(2 * time.Minute) // virtual
		c.Add()
		c.Kill(second)
		s.awaits(2, "restore")
		count(5) // the time has had it kept
	})
}

// A rolling restart of all nodes, under calls.
func TestActorsMoveWithTheirStateWhenNodesDrain(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 3), newStage(t)
		ctx := timeout(t, c.Context(0))
		enough := make(chan struct{})
		type outcome struct {
			counts []int
			err    error
		}
		const actors = 6
		outcomes := make(chan outcome, actors)
		for range actors {
			call := actor.Method0(keepers.New(ctx, keeper{player: player{Stage: s.name}}), (*keeper).Count)
			go func() {
				var o outcome
				defer func() { outcomes <- o }()
				for {
					select {
					case <-enough:
						return
					case <-time.After(time.Millisecond):
					}
					n, err := call.Call(ctx)
					if o.counts = append(o.counts, n); err != nil {
						o.err = err
						return
					}
				}
			}()
		}
		for i := 1; i <= 3; i++ {
			time.Sleep(100 * time.Millisecond) // virtual
			if err := errors.Join(c.Node(i).Drain(ctx), c.Node(i).Close()); err != nil {
				t.Fatal(err)
			}
			c.Add()
		}
		close(enough)
		for range actors {
			o := <-outcomes
			if o.err != nil {
				t.Errorf("call %d failed: %v", len(o.counts), o.err)
			}
			for i, n := range o.counts {
				if n != i+1 && o.err == nil {
					t.Errorf("call %d counted to %d", i+1, n)
					break
				}
			}
			if len(o.counts) < 100 {
				t.Errorf("only %d calls were made", len(o.counts))
			}
		}
		if !slices.Contains(s.read(), "restore") {
			t.Error("no actor has moved")
		}
	})
}

func TestAnActorThatNoOtherNodeCanHaveIsStoppedByADrain(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := timeout(t, c.Context(0))
		call := actor.Method0(keepers.New(ctx, keeper{player: player{Stage: s.name}}), (*keeper).Count)
		if _, err := call.Call(ctx); err != nil {
			t.Fatal(err)
		}
		c.Add(nodetest.Configure(func(_ int, cfg *node.Config) { cfg.ClientOnly = true }))
		if err := c.Node(1).Drain(ctx); err != nil {
			t.Fatal(err)
		}
		s.await("close")
		if _, err := call.Call(ctx); !isDead(err) {
			t.Errorf("got %v, want ErrDead", err)
		}
	})
}

// recursive has a method that waits for another group's.
type recursive struct{ keeper }

func (r *recursive) Outer(ctx context.Context, gate string) (int, error) {
	if _, err := r.stage().hold(ctx, gate); err != nil {
		return 0, err
	}
	self, err := actor.Self[recursive](ctx)
	if err != nil {
		return 0, err
	}
	return actor.Method0(self, (*recursive).Count).Call(ctx)
}

var recursives = actor.Define[recursive]("recursive", actor.Restarts(-1), actor.SnapshotEvery(1, time.Second), actor.Group("inner", 1, "Count"))

func TestASnapshotDoesNotWaitForEverForAMethodThatWaitsForAnotherOne(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := c.Context(0)
		r := recursives.New(ctx, recursive{keeper{player: player{Stage: s.name}}})
		outer := actor.Method(r, (*recursive).Outer).Go(ctx, "gate")
		s.await("gate begins")
		count := actor.Method0(r, (*recursive).Count)
		first := count.Go(ctx)  // its snapshot waits for the outer method
		time.Sleep(time.Second) // virtual
		s.open("gate")
		for want, ref := range []objstore.Ref[int]{first, outer} {
			if n, err := ref.Get(ctx); err != nil || n != want+1 {
				t.Errorf("got %d, %v, want %d", n, err, want+1)
			}
		}
		time.Sleep(2 * time.Second) // virtual: what was not kept is due again
		c.Add()
		c.Kill(1)
		s.await("restore")
		if n, err := count.Call(ctx); err != nil || n != 3 {
			t.Errorf("the next life: got %d, %v, want 3", n, err)
		}
	})
}

// sleeper sleeps when it has nothing to do.
type sleeper struct{ keeper }

var sleepers = actor.Define[sleeper]("sleeper", actor.IdleAfter(time.Minute))

func TestAnIdleActorSleepsUntilTheNextCall(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 2), newStage(t)
		ctx := c.Context(0)
		r := sleepers.New(ctx, sleeper{keeper{player: player{Stage: s.name}}}, actor.Name("sleeper"))
		call := actor.Method0(r, (*sleeper).Count)
		for i := range 3 {
			for want := 2*i + 1; want <= 2*i+2; want++ {
				if n, err := call.Call(ctx); err != nil || n != want {
					t.Errorf("got %d, %v, want %d", n, err, want)
				}
				time.Sleep(50 * time.Second) // virtual: not long enough
			}
			if closes := strings.Count(strings.Join(s.read(), " "), "close"); closes != i {
				t.Errorf("it slept %d times, want %d", closes, i)
			}
			time.Sleep(time.Minute) // virtual
			s.awaits(i+1, "close")
		}
		if got, want := s.read(), strings.Fields("start close start restore close start restore close"); !slices.Equal(got, want) {
			t.Errorf("the diary is %q, want %q", got, want)
		}
		if err := r.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		if len(s.read()) != 8 {
			t.Errorf("Close ran again: %q", s.read())
		}
	})
}

func TestCallsThatComeTogetherWakeAnActorOnce(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 2), newStage(t)
		ctx := c.Context(0)
		r := sleepers.New(ctx, sleeper{keeper{player: player{Stage: s.name}}}, actor.Name("sleeper"), actor.Detached())
		if _, err := actor.Method0(r, (*sleeper).Count).Call(ctx); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // virtual
		s.await("close")
		var calls []objstore.Ref[int]
		for i := range 3 {
			other, err := sleepers.Lookup(c.Context(i), "sleeper")
			if err != nil {
				t.Fatal(err)
			}
			calls = append(calls, actor.Method0(other, (*sleeper).Count).Go(c.Context(i)))
		}
		var sum int
		for _, ref := range calls {
			n, err := ref.Get(ctx)
			if err != nil {
				t.Error(err)
			}
			sum += n
		}
		if sum != 2+3+4 || strings.Count(strings.Join(s.read(), " "), "restore") != 1 {
			t.Errorf("they counted to %d in all, want 9; the diary is %q", sum, s.read())
		}
	})
}
