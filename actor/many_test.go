package actor_test

import (
	"runtime"
	"testing"
	"time"

	"manta/actor"
	"manta/objstore"
)

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
