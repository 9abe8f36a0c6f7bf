package actor_test

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"manta/actor"
	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

// guardian keeps a handle.
type guardian struct{ Kept actor.Ref[soloist] }

func (g *guardian) Say(ctx context.Context, line string) (string, error) {
	return actor.Method(g.Kept, (*soloist).Say).Call(ctx, line)
}

func (g *guardian) Forget(context.Context) (bool, error) {
	g.Kept = actor.Ref[soloist]{}
	return true, nil
}

var (
	guardians = actor.Define[guardian]("guardian")
	passedOn  = task.Define("pass_on", func(_ context.Context, r actor.Ref[soloist]) (actor.Ref[soloist], error) { return r, nil })
)

// drop collects until the diary has the entry.
func (s *stage) drop(entry string) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !slices.Contains(s.read(), entry); collectFor(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("no %q while nobody has a handle; the diary is %q", entry, s.read())
		}
	}
}

// collectFor passes the time, virtual as it is, with collections.
func collectFor(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(50 * time.Millisecond) { // virtual
		runtime.GC()
	}
}

// wantNo checks that an actor which somebody has a handle of is not stopped.
func (s *stage) wantNo(entry string) {
	s.t.Helper()
	if collectFor(5 * time.Second); slices.Contains(s.read(), entry) {
		s.t.Fatalf("somebody has a handle, and the diary is %q", s.read())
	}
}

func TestAnActorIsStoppedWhenNobodyHasAHandleAnyMore(t *testing.T) {
	for name, use := range map[string]func(t *testing.T, ctx context.Context, s *stage){
		"it was called": func(t *testing.T, ctx context.Context, s *stage) {
			if _, err := actor.Method(soloists.New(ctx, s.soloist()), (*soloist).Say).Call(ctx, "one"); err != nil {
				t.Error(err)
			}
		},
		"it was not used": func(_ *testing.T, ctx context.Context, s *stage) { soloists.New(ctx, s.soloist()) },
		"it has a name": func(t *testing.T, ctx context.Context, s *stage) {
			first := soloists.New(ctx, s.soloist(), actor.Name("solo"))
			for _, line := range []string{"one", "two"} {
				if _, err := actor.Method(first, (*soloist).Say).Call(ctx, line); err != nil {
					t.Error(err)
				}
				first = soloists.GetOrNew(ctx, "solo", s.soloist())
			}
		},
		"it may have been there": func(t *testing.T, ctx context.Context, s *stage) {
			if _, err := actor.Method(soloists.GetOrNew(ctx, "solo", s.soloist()), (*soloist).Say).Call(ctx, "one"); err != nil {
				t.Error(err)
			}
		},
		"it was passed on": func(t *testing.T, ctx context.Context, s *stage) {
			if _, err := passedOn.Call(ctx, soloists.New(ctx, s.soloist())); err != nil {
				t.Error(err)
			}
		},
		"it was an object's": func(_ *testing.T, ctx context.Context, s *stage) { objstore.Put(ctx, soloists.New(ctx, s.soloist())) },
	} {
		t.Run(name, func(t *testing.T) {
			nodetest.Virtual(t, func(t *testing.T) {
				c, s := clientAndHosts(t, 2), newStage(t)
				use(t, c.Context(0), s)
				s.drop("close")
				if diary := s.read(); diary[0] != "start" || diary[len(diary)-1] != "close" {
					t.Errorf("the diary is %q", diary)
				}
			})
		})
	}
}

//go:noinline
func callAndDrop(ctx context.Context, s *stage) objstore.Ref[string] {
	r := soloists.New(ctx, s.soloist())
	return actor.Method(r, (*soloist).Hold).Go(ctx, "gate")
}

func TestACallUnderWayKeepsItsActor(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := timeout(t, c.Context(0))
		held := callAndDrop(ctx, s)
		s.await("gate begins")
		s.wantNo("close")
		s.open("gate")
		if got, err := held.Get(ctx); got != "gate" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		s.drop("close")
	})
}

//go:noinline
func keepAndDrop(ctx context.Context, s *stage) actor.Ref[guardian] {
	return guardians.New(ctx, guardian{soloists.New(ctx, s.soloist())})
}

func TestAnActorKeepsThoseWhoseHandlesItHas(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 2), newStage(t)
		ctx := c.Context(0)
		g := keepAndDrop(ctx, s)
		s.await("start")
		s.wantNo("close")
		if _, err := actor.Method(g, (*guardian).Say).Call(ctx, "still here"); err != nil {
			t.Error(err)
		}
		if _, err := actor.Method0(g, (*guardian).Forget).Call(ctx); err != nil {
			t.Error(err)
		}
		s.drop("close")
		runtime.KeepAlive(g)
	})
}

//go:noinline
func nameAndDrop(ctx context.Context, s *stage, opts ...actor.NewOption) {
	soloists.New(ctx, s.soloist(), append(opts, actor.Name("solo"))...)
	s.await("start")
}

func TestADetachedActorNeedsNoHandle(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := c.Context(0)
		nameAndDrop(ctx, s, actor.Detached())
		s.wantNo("close")
		r, err := soloists.Lookup(c.Context(1), "solo")
		if err != nil {
			t.Fatal(err)
		}
		if again, err := passedOn.Call(ctx, r); again != r || err != nil {
			t.Errorf("got %v, %v, want %v", again, err, r)
		}
		if err := r.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
}

//go:noinline
func writeAndDrop(t *testing.T, ctx context.Context, s *stage) []byte {
	text, err := json.Marshal(soloists.New(ctx, s.soloist()))
	if err != nil {
		t.Error(err)
	}
	return text
}

func TestAHandleInTextKeepsItsActorForTheRefTTL(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		s := newStage(t)
		c := clientAndHosts(t, 1, nodetest.Configure(func(i int, cfg *node.Config) { cfg.RefTTL, cfg.ClientOnly = 10*time.Second, i == 0 }))
		ctx := c.Context(0)
		text := writeAndDrop(t, ctx, s)
		s.wantNo("close")
		var r actor.Ref[soloist]
		if err := json.Unmarshal(text, &r); err != nil {
			t.Fatal(err)
		}
		if _, err := actor.Method(r, (*soloist).Say).Call(ctx, "read"); err != nil {
			t.Error(err)
		}
		r = actor.Ref[soloist]{}
		s.drop("close")
	})
}

func TestAnActorThatHasEndedIsNotStoppedAgain(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := c.Context(0)
		nameAndKill(t, ctx, s)
		collectFor(5 * time.Second)
		again := soloists.New(ctx, s.soloist(), actor.Name("solo")) // its namesake is another
		if _, err := actor.Method(again, (*soloist).Say).Call(ctx, "one"); err != nil {
			t.Error(err)
		}
		s.wantNo("close")
		if err := again.Kill(ctx); err != nil && !errors.Is(err, actor.ErrDead) {
			t.Error(err)
		}
	})
}

//go:noinline
func nameAndKill(t *testing.T, ctx context.Context, s *stage) {
	if err := soloists.New(ctx, s.soloist(), actor.Name("solo")).Kill(ctx); err != nil {
		t.Error(err)
	}
}

//go:noinline
func callOneAndDrop(t *testing.T, ctx context.Context, s *stage, tag string) {
	r := soloists.New(ctx, soloist{player{Stage: s.name, Tag: tag}})
	if _, err := actor.Method(r, (*soloist).Say).Call(ctx, "one"); err != nil {
		t.Error(err)
	}
}

func TestActorsThatNobodyHasAHandleOfAreStoppedAlthoughTheirNodesConnectionIsCut(t *testing.T) {
	const actors = 20
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := withLongLeases(t), newStage(t)
		cut := make(chan struct{})
		go func() {
			defer close(cut)
			for range 15 {
				blink(c, 1)
				time.Sleep(time.Second) // virtual
			}
		}()
		for i := range actors {
			callOneAndDrop(t, c.Context(0), s, strconv.Itoa(i))
			collectFor(370 * time.Millisecond)
		}
		<-cut
		for i := range actors {
			s.drop("close" + strconv.Itoa(i))
		}
	})
}
