package actor_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"manta/actor"
	"manta/node/nodetest"
)

func isDead(err error) bool { return errors.Is(err, actor.ErrDead) }

// add adds to a counter and returns what it then is.
func add(ctx context.Context, r counterRef, k int) (int, error) {
	return actor.Method(r, (*counter).Add).Call(ctx, k)
}

func TestANamedActorIsFoundFromEveryNode(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := nodetest.Start(t, 3)
		made := counters.New(timeout(t, c.Context(0)), counter{}, actor.Name("shared"))
		for i := range 3 {
			ctx := timeout(t, c.Context(i))
			if i == 0 {
				if _, err := add(ctx, made, 0); err != nil {
					t.Fatal(err)
				}
			}
			found, err := counters.Lookup(ctx, "shared")
			if err != nil || found != made {
				t.Fatalf("node %d found %v, %v, want %v", i, found, err, made)
			}
			if n, err := add(ctx, found, 1); err != nil || n != i+1 {
				t.Errorf("a call from node %d: %d, %v, want %d", i, n, err, i+1)
			}
		}
	})
}

func TestLookupOfANameThatNobodyHasIsAnError(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		ctx := setup(t)
		if _, err := counters.Lookup(ctx, "nobody"); !errors.Is(err, actor.ErrNotFound) || !strings.Contains(err.Error(), `"nobody"`) {
			t.Errorf("got %v, want ErrNotFound with the name", err)
		}
		for _, malformed := range []string{"", "a.b", "*", "a b"} {
			if _, err := counters.Lookup(ctx, malformed); err == nil || !strings.Contains(err.Error(), "actor name") {
				t.Errorf("%q: got %v, want an error about the name", malformed, err)
			}
		}
		var zero actor.Class[counter]
		if _, err := zero.Lookup(ctx, "nobody"); err == nil || !strings.Contains(err.Error(), "actor.Define") {
			t.Errorf("of a zero Class: got %v", err)
		}
	})
}

func TestLookupAndGetOrNewOfAnotherClassAreErrors(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		ctx := setup(t)
		if _, err := add(ctx, counters.New(ctx, counter{}, actor.Name("taken")), 0); err != nil {
			t.Fatal(err)
		}
		_, err := desks.Lookup(ctx, "taken")
		if err == nil || !strings.Contains(err.Error(), "is of class counter, not desk") {
			t.Errorf("Lookup: got %v", err)
		}
		_, err = actor.Method0(desks.GetOrNew(ctx, "taken", desk{}), (*desk).Greet).Call(ctx)
		if !errors.Is(err, actor.ErrExists) || !strings.Contains(err.Error(), "class counter") {
			t.Errorf("GetOrNew: got %v", err)
		}
	})
}

func TestANameThatIsTakenIsAnErrorThatNamesItsHolder(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := clientAndHosts(t, 1)
		ctx := timeout(t, c.Context(0))
		first := counters.New(ctx, counter{}, actor.Name("one"))
		if _, err := add(ctx, first, 1); err != nil {
			t.Fatal(err)
		}
		second := counters.New(ctx, counter{}, actor.Name("one"))
		for range 2 {
			_, err := add(ctx, second, 1)
			if !errors.Is(err, actor.ErrExists) || !strings.Contains(err.Error(), `"one"`) || !strings.Contains(err.Error(), c.Node(1).ID()) {
				t.Errorf("got %v, want ErrExists with the holder", err)
			}
		}
		if n, err := add(ctx, first, 1); err != nil || n != 2 {
			t.Errorf("the holder: got %d, %v, want 2", n, err)
		}
	})
}

func TestRacingNodesGetOneActorAName(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := nodetest.Start(t, 4)
		race(t, c, []int{0, 1, 2, 3})
	})
}

func TestRacingNodesGetOneActorANameThatADeadNodeHad(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := clientAndHosts(t, 1)
		race(t, c, []int{0})
		for range 3 {
			c.Add()
		}
		c.Kill(1)
		c.AwaitMembers(0, 2, 3, 4)
		race(t, c, []int{0, 2, 3, 4})
	})
}

// race lets nodes ask for the same fifty names at once, and fails the test if a name has two actors.
func race(t *testing.T, c *nodetest.Cluster, nodes []int) {
	t.Helper()
	const names = 50
	var group sync.WaitGroup
	var mu sync.Mutex
	sums := make(map[string]int)
	for _, i := range nodes {
		for name := range names {
			name := fmt.Sprint("racer-", name)
			group.Go(func() {
				ctx := timeout(t, c.Context(i))
				n, err := add(ctx, counters.GetOrNew(ctx, name, counter{}), 1)
				if err != nil {
					t.Errorf("node %d, %s: %v", i, name, err)
				}
				mu.Lock()
				defer mu.Unlock()
				sums[name] = max(sums[name], n)
			})
		}
	}
	group.Wait()
	for name, n := range sums {
		if n != len(nodes) {
			t.Errorf("%s counted to %d, want %d: there are several", name, n, len(nodes))
		}
	}
}

func TestANameIsFreeOnceItsActorHasEnded(t *testing.T) {
	for how, end := range map[string]func(counterRef, context.Context) error{"stopped": counterRef.Stop, "killed": counterRef.Kill} {
		t.Run(how, func(t *testing.T) {
			nodetest.Virtual(t, func(t *testing.T) {
				c := clientAndHosts(t, 2)
				ctx, other := timeout(t, c.Context(0)), timeout(t, c.Context(1))
				old := counters.New(ctx, counter{From: 10}, actor.Name("phoenix"))
				if n, err := add(ctx, old, 1); err != nil || n != 11 {
					t.Fatal(n, err)
				}
				if err := end(old, ctx); err != nil {
					t.Fatal(err)
				}
				if _, err := counters.Lookup(ctx, "phoenix"); !errors.Is(err, actor.ErrNotFound) {
					t.Errorf("Lookup: got %v, want ErrNotFound", err)
				}
				risen := counters.New(ctx, counter{From: 20}, actor.Name("phoenix"))
				if n, err := add(ctx, risen, 1); err != nil || n != 21 {
					t.Errorf("the new one: got %d, %v, want 21", n, err)
				}
				if n, err := add(ctx, old, 1); !isDead(err) {
					t.Errorf("the old handle: got %d, %v, want ErrDead", n, err)
				}
				for _, ctx := range []context.Context{ctx, other} {
					found, err := counters.Lookup(ctx, "phoenix")
					if err != nil || found == old {
						t.Fatalf("Lookup: got %v, %v", found, err)
					}
					if _, err := add(ctx, found, 1); err != nil {
						t.Errorf("the new one, found: %v", err)
					}
				}
			})
		})
	}
}

func TestANameIsFreeAgainWhenHowItsActorWasAskedForCannotBeKept(t *testing.T) {
	ctx := setup(t)
	if err := actor.Register(ctx, "heavy", make([]byte, 2<<20)); err == nil { // a server of the host's may take less than the creator's
		t.Fatal("a record takes more than a message does")
	}
	if _, err := counters.Lookup(ctx, "heavy"); !errors.Is(err, actor.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	if n, err := add(ctx, counters.New(ctx, counter{}, actor.Name("heavy")), 1); err != nil || n != 1 {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestTheNameOfAKilledNodesActorIsFreeAgain(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := timeout(t, c.Context(0))
		if _, err := actor.Method(soloists.New(ctx, s.soloist(), actor.Name("heir")), (*soloist).Say).Call(ctx, "one"); err != nil {
			t.Fatal(err)
		}
		c.Kill(1)
		c.AwaitMembers(0)
		c.Add()
		if _, err := soloists.Lookup(ctx, "heir"); !errors.Is(err, actor.ErrNotFound) {
			t.Errorf("Lookup: got %v, want ErrNotFound", err)
		}
		heir := soloists.GetOrNew(ctx, "heir", s.soloist())
		if _, err := actor.Method(heir, (*soloist).Say).Call(ctx, "two"); err != nil {
			t.Error(err)
		}
	})
}

func TestGetOrNewOfOneNameOverAndOverIsOneActor(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		ctx := setup(t)
		for i := range 500 {
			if n, err := add(ctx, counters.GetOrNew(ctx, "again", counter{}), 1); err != nil || n != i+1 {
				t.Fatalf("got %d, %v, want %d", n, err, i+1)
			}
		}
	})
}
