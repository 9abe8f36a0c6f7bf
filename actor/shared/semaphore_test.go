package shared_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"manta/actor/shared"
	"manta/node/nodetest"
	"manta/task"
)

func TestNoMoreHoldPermitsThanThereAre(t *testing.T) {
	_, ctx := hostAndClients(t, 3)
	s := shared.NewSemaphore(ctx[1], 3)
	var (
		wg           sync.WaitGroup
		inside, most atomic.Int32
	)
	for k := range 9 {
		wg.Go(func() {
			at := ctx[1+k%3]
			for range 10 {
				permit, err := s.Acquire(at, 1)
				if err != nil {
					t.Error(err)
					return
				}
				n := inside.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				inside.Add(-1)
				if err := permit.Release(at); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := most.Load(); n > 3 {
		t.Errorf("%d held a permit at once, want at most 3", n)
	}
	if free, err := s.Free(ctx[1]); err != nil || free != 3 {
		t.Errorf("%d are free at the end, %v", free, err)
	}
}

func TestWhoWaitsForPermitsIsServedInTheOrderInWhichHeCame(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		_, ctx := hostAndClients(t, 2)
		s := shared.NewSemaphore(ctx[1], 2)
		first, err := s.Acquire(ctx[1], 1)
		if err != nil {
			t.Fatal(err)
		}
		var order []string
		wide := begin(func() error { _, err := s.Acquire(ctx[1], 2); order = append(order, "wide"); return err })
		narrow := begin(func() error { _, err := s.Acquire(ctx[2], 1); order = append(order, "narrow"); return err })
		if _, err := s.TryAcquire(ctx[2], 1); !errors.Is(err, shared.ErrNoPermits) || !wide.waits() || !narrow.waits() {
			t.Errorf("somebody overtakes one that waits for more: %v", err)
		}
		if err := first.Release(ctx[2]); err != nil || wide.end() != nil {
			t.Errorf("%v, %v", err, wide.err)
		}
		if !narrow.waits() || !slices.Equal(order, []string{"wide"}) {
			t.Errorf("served were %q", order)
		}
		if err := s.Kill(ctx[1]); err != nil || narrow.end() == nil {
			t.Errorf("Kill: %v; who waits: %v", err, narrow.err)
		}
	})
}

func TestAnAcquireThatIsCancelledHoldsNothing(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		_, ctx := hostAndClients(t, 1)
		s := shared.NewSemaphore(ctx[1], 2)
		permit, err := s.Acquire(ctx[1], 1)
		if err != nil {
			t.Fatal(err)
		}
		ending, cancel := context.WithCancel(ctx[1])
		wide := begin(func() error { _, err := s.Acquire(ending, 2); return err })
		behind := begin(func() error { _, err := s.Acquire(ctx[1], 1); return err })
		cancel()
		if err := wide.end(); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if err := behind.end(); err != nil { // nobody stands before it any more
			t.Error(err)
		}
		if err := permit.Release(ending); err != nil { // a ctx that has ended is no reason to keep it
			t.Error(err)
		}
		if err := permit.Release(ctx[1]); !errors.Is(err, shared.ErrNotHeld) {
			t.Errorf("released twice: %v", err)
		}
		if free, err := s.Free(ctx[1]); err != nil || free != 1 {
			t.Errorf("%d are free, %v", free, err)
		}
	})
}

func TestAcquiresThatAreCancelledAsPermitsComeLoseNone(t *testing.T) {
	_, ctx := hostAndClients(t, 2)
	s := shared.NewSemaphore(ctx[1], 1)
	var wg sync.WaitGroup
	for k := range 4 {
		wg.Go(func() {
			for i := range 50 {
				acquiring, cancel := context.WithCancel(ctx[1+k%2])
				time.AfterFunc(time.Duration(i%17)*50*time.Microsecond, cancel) // about as long as it takes
				if permit, err := s.Acquire(acquiring, 1); err == nil {
					if err := permit.Release(acquiring); err != nil {
						t.Error(err)
					}
				} else if !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	permit, err := s.Acquire(ctx[2], 1)
	if err != nil {
		t.Fatalf("the permit is lost: %v", err)
	}
	if err := permit.Release(ctx[2]); err != nil {
		t.Error(err)
	}
}

func TestThePermitsOfAProcessThatIsKilledAreFreeAgain(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, ctx := hostAndClients(t, 2)
		s := shared.NewSemaphore(ctx[1], 3)
		if _, err := s.Acquire(ctx[2], 2); err != nil {
			t.Fatal(err)
		}
		stranded := begin(func() error { _, err := s.Acquire(ctx[2], 3); return err })
		whole := begin(func() error { _, err := s.Acquire(ctx[1], 3); return err })
		c.Kill(2)
		if err := whole.end(); err != nil {
			t.Error(err)
		}
		if stranded.end() == nil {
			t.Error("a node that was killed has acquired permits")
		}
	})
}

func TestAPermitThatWasTakenBackIsNotHeldAnyMore(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, ctx := hostAndClients(t, 2)
		s := shared.NewSemaphore(ctx[1], 1)
		permit, err := s.Acquire(ctx[2], 1)
		if err != nil {
			t.Fatal(err)
		}
		c.Pause(2)
		if _, err := s.Acquire(ctx[1], 1); err != nil {
			t.Error(err)
		}
		c.Resume(2)
		c.AwaitMembers(0, 1, 2)
		if err := permit.Release(ctx[2]); !errors.Is(err, shared.ErrNotHeld) {
			t.Errorf("got %v, want ErrNotHeld", err)
		}
		if free, err := s.Free(ctx[1]); err != nil || free != 0 {
			t.Errorf("%d are free, %v: another has it", free, err)
		}
	})
}

var release = task.Define("release", func(ctx context.Context, p shared.Permit) (task.None, error) {
	return task.None{}, p.Release(ctx)
})

func TestAPermitTravels(t *testing.T) {
	ctx := timeout(t, nodetest.Start(t, 3).Context(0))
	s := shared.GetOrNewSemaphore(ctx, "limit", 1)
	permit, err := s.Acquire(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := release.Call(ctx, permit); err != nil {
		t.Error(err)
	}
	found, err := shared.LookupSemaphore(ctx, "limit")
	if err != nil {
		t.Fatal(err)
	}
	if free, err := found.Free(ctx); err != nil || free != 1 {
		t.Errorf("%d are free, %v", free, err)
	}
}
