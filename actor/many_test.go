package actor_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"manta/actor"
	"manta/node/nodetest"
	"manta/objstore"
)

// suitcase is heavy until it has started.
type suitcase struct{ Ballast []byte }

func (s *suitcase) Start(context.Context) error {
	s.Ballast = nil
	return nil
}

func (s *suitcase) Weight(context.Context) (int, error) { return len(s.Ballast), nil }

var suitcases = actor.Define[suitcase]("suitcase")

func TestAnActorDoesNotKeepTheMessageThatAskedForIt(t *testing.T) {
	const actors, ballast = 50, 500_000
	ctx := clientAndHosts(t, 1).Context(0)
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before, kept := heap(), []actor.Ref[suitcase]{}
	for range actors {
		r := suitcases.New(ctx, suitcase{make([]byte, ballast)})
		if n, err := actor.Method0(r, (*suitcase).Weight).Call(ctx); err != nil || n != 0 {
			t.Fatalf("got %d, %v", n, err)
		}
		kept = append(kept, r)
	}
	if grown := heap() - before; grown > actors*ballast/2 {
		t.Errorf("%d actors take %d bytes, and were asked for with %d each", actors, grown, ballast)
	}
	runtime.KeepAlive(kept)
}

func TestTenThousandIdleActorsCostNoGoroutines(t *testing.T) {
	ctx := setup(t)
	many := 10_000
	if testing.Short() {
		many = 1_000
	}
	before, begin := runtime.NumGoroutine(), time.Now()
	actors := make([]counterRef, many)
	calls := make([]objstore.Ref[int], many)
	for i := range actors {
		actors[i] = counters.New(ctx, counter{From: i})
		calls[i] = actor.Method(actors[i], (*counter).Add).Go(ctx, 1)
	}
	for i, r := range calls {
		if n, err := r.Get(ctx); err != nil || n != i+1 {
			t.Fatalf("actor %d: got %d, %v", i, n, err)
		}
	}
	t.Logf("%d actors created and called in %v", many, time.Since(begin))
	grown := func() int { return runtime.NumGoroutine() - before }
	for late := time.Now().Add(patience); grown() > 100 && time.Now().Before(late); {
		runtime.Gosched() // a goroutine that has answered its last call is about to end
	}
	if n := grown(); n > 100 {
		t.Errorf("%d goroutines more for %d idle actors", n, many)
	}
	runtime.KeepAlive(actors)
}

func TestOnlySoManyActorsAreAskedForAtATime(t *testing.T) {
	const actors, most = 1_000, 256
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx, nc := timeout(t, c.Context(0)), c.Connect()
		asked := make(chan *nats.Msg, 2*actors)
		if _, err := nc.ChanSubscribe("*.*.create.>", asked); err != nil {
			t.Fatal(err)
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		c.Pause(1)
		var said []objstore.Ref[string]
		for range actors {
			said = append(said, actor.Method(soloists.New(ctx, s.soloist()), (*soloist).Say).Go(ctx, "hello"))
		}
		time.Sleep(200 * time.Millisecond) // virtual
		if n := len(asked); n != most {
			t.Errorf("%d actors were asked for while there was no answer, want %d", n, most)
		}
		c.Resume(1)
		if _, err := objstore.GetAll(ctx, said); err != nil {
			t.Error(err)
		}
	})
}
