package actor_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"manta/actor"
	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

var (
	triple = task.Define("triple", func(_ context.Context, n int) (int, error) { return 3 * n, nil })
	upTo   = task.DefineStream("up_to", func(_ context.Context, n int, yield func(int) error) error {
		for i := range n {
			if err := yield(i); err != nil {
				return err
			}
		}
		return nil
	})
)

// What is asked for, or the answer, may be lost: there is one actor all the same.
func TestActorsAreMadeOnceWhateverMessagesAreLost(t *testing.T) {
	const actors = 300
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 3), newStage(t)
		ctx := c.Context(0)
		c.Drop(0.1)
		var said []objstore.Ref[string]
		for i := range actors {
			r := soloists.New(ctx, soloist{player{Stage: s.name, Tag: fmt.Sprint(" ", i, ";")}})
			said = append(said, actor.Method(r, (*soloist).Say).Go(ctx, "hello"))
		}
		for i, ref := range said {
			if _, err := ref.Get(ctx); err != nil {
				t.Errorf("actor %d: %v", i, err)
			}
		}
		c.Drop(0)
		diary := strings.Join(s.read(), "")
		for i := range actors {
			if n := strings.Count(diary, fmt.Sprint("start ", i, ";")); n != 1 {
				t.Errorf("actor %d was made %d times", i, n)
			}
		}
	})
}

// many makes actors whose requests and answers get lost, one in three, and returns once they were sent.
func (s *stage) many(ctx context.Context, c *nodetest.Cluster, n int) (made []actor.Ref[soloist]) {
	c.Drop(0.3)
	for i := range n {
		made = append(made, soloists.New(ctx, soloist{player{Stage: s.name, Tag: fmt.Sprint(" ", i, ";")}}))
	}
	time.Sleep(100 * time.Millisecond) // virtual
	c.Drop(0)
	return made
}

func TestANodeThatLeavesAnswersForTheActorsThatItHas(t *testing.T) {
	const actors = 200
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 2), newStage(t)
		made := s.many(c.Context(0), c, actors)
		if err := c.Node(1).Drain(timeout(t, c.Context(0))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second) // virtual
		diary := strings.Join(s.read(), "")
		for i := range made {
			if n := strings.Count(diary, fmt.Sprint("start ", i, ";")); n != 1 {
				t.Errorf("actor %d was made %d times", i, n)
			}
		}
	})
}

func TestASilentNodeThatIsBackHasNoActorThatWasMadeElsewhere(t *testing.T) {
	const actors = 100
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 2), newStage(t)
		made := s.many(c.Context(0), c, actors)
		c.Pause(1)
		time.Sleep(10 * time.Second) // virtual
		c.Resume(1)
		time.Sleep(10 * time.Second) // virtual
		for i, r := range made {
			if _, err := actor.Method(r, (*soloist).Say).Call(timeout(t, c.Context(0)), fmt.Sprint("after ", i, ";")); err != nil && !isDead(err) {
				t.Errorf("actor %d: %v", i, err)
			}
		}
		diary := strings.Join(s.read(), "")
		for i := range made {
			if n := strings.Count(diary, fmt.Sprint("after ", i, ";")); n > 1 {
				t.Errorf("a call of actor %d ran %d times", i, n)
			}
		}
	})
}

func TestAnActorThatIsKilledBeforeItsHostHasAnsweredDoesNotLive(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		patient := nodetest.Configure(func(_ int, cfg *node.Config) { cfg.LeaseTTL = 20 * time.Second })
		c, s := clientAndHosts(t, 1, patient), newStage(t)
		ctx := timeout(t, c.Context(0))
		c.Pause(1)
		r := soloists.New(ctx, s.soloist(), actor.Detached())
		killed := make(chan error)
		go func() { killed <- r.Kill(ctx) }()
		time.Sleep(5 * time.Second) // virtual
		c.Resume(1)
		if err := <-killed; err != nil {
			t.Error(err)
		}
		time.Sleep(10 * time.Second) // virtual
		if reply, err := c.Connect().Request("manta.default.actor."+r.ID()+".Say", []byte(`"hello"`), time.Second); err == nil {
			t.Errorf("it lives, and says %s", reply.Data)
		}
	})
}

// A node dies with requests for actors that it has not answered: they are made elsewhere.
func TestActorsThatADeadNodeWasAskedForAreMadeElsewhere(t *testing.T) {
	const actors = 200
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 2), newStage(t)
		ctx := c.Context(0)
		var hands []actor.Ref[soloist]
		for i := range actors {
			if i == actors/2 {
				s.awaits(actors/2, "start")
				c.Pause(1) // what it is sent, and what it answers, is on its way
			}
			hands = append(hands, soloists.New(ctx, s.soloist()))
		}
		time.Sleep(100 * time.Millisecond) // virtual: they are asked for
		c.Kill(1)
		lost := 0
		for i, r := range hands {
			if _, err := actor.Method(r, (*soloist).Say).Call(ctx, "hello"); isDead(err) || errors.Is(err, actor.ErrUnavailable) {
				lost++ // it lived there; the call may have been on its way
			} else if err != nil {
				t.Errorf("actor %d: %v", i, err)
			}
		}
		t.Logf("%d of %d lived on the node that died", lost, actors)
		if starts := strings.Count(strings.Join(s.read(), " "), "start"); lost == 0 || lost > actors/2 || starts < actors {
			t.Errorf("%d of %d are dead, and %d have started: those that it had not answered are made elsewhere", lost, actors, starts)
		}
	})
}

// For a minute messages are lost and come late, under tasks, actors and streams.
func TestAMinuteOfBadWeatherChangesNoResult(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := clientAndHosts(t, 3)
		ctx := c.Context(0)
		c.Drop(0.02)
		var work sync.WaitGroup
		begun := time.Now()
		minute := func(round func(i int) error) {
			work.Go(func() {
				for i := 0; time.Since(begun) < time.Minute; i++ {
					if err := round(i); err != nil {
						t.Errorf("round %d: %v", i, err)
						return
					}
					time.Sleep(20 * time.Millisecond) // virtual
				}
			})
		}
		for range 2 {
			minute(func(i int) error {
				n, err := triple.Call(ctx, i)
				if err == nil && n != 3*i {
					err = fmt.Errorf("3 times %d is %d", i, n)
				}
				return err
			})
			add := actor.Method(counters.New(ctx, counter{}), (*counter).Add)
			minute(func(i int) error {
				var refs []objstore.Ref[int]
				for range 10 {
					refs = append(refs, add.Go(ctx, 1))
				}
				for k, ref := range refs {
					n, err := ref.Get(ctx)
					if err == nil && n != 10*i+k+1 {
						err = fmt.Errorf("call %d counts to %d", 10*i+k+1, n)
					}
					if err != nil {
						return err
					}
				}
				return nil
			})
			minute(func(i int) error {
				n, err := actor.Method0(counters.New(ctx, counter{From: i}), (*counter).Value).Call(ctx)
				if err == nil && n != i {
					err = fmt.Errorf("a new actor has %d, want %d", n, i)
				}
				return err
			})
			minute(func(int) error {
				next := 0
				for n, err := range upTo.Stream(ctx, 50) {
					if err == nil && n != next {
						err = fmt.Errorf("item %d is %d", next, n)
					}
					if err != nil {
						return err
					}
					next++
				}
				if next != 50 {
					return fmt.Errorf("the stream ended after %d items", next)
				}
				return nil
			})
		}
		minute(func(int) error {
			c.Delay(rand.IntN(4), time.Duration(rand.IntN(20))*time.Millisecond)
			return nil
		})
		work.Wait()
		t.Logf("%d frames were lost", c.Dropped())
		c.Drop(0)
		for i := range 4 {
			c.Delay(i, 0)
		}
		for i := range 4 {
			if err := c.Node(i).Drain(ctx); err != nil {
				t.Errorf("node %d: %v", i, err)
			}
		}
	})
}
