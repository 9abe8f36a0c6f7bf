package bus_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"manta/bus"
)

func TestAWindowServesWhoWaitsInTheOrderOfComing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := bus.NewWindow(10)
		if !bus.TryTake(w, 10) || bus.TryTake(w, 1) {
			t.Fatal("it takes other than 10 bytes")
		}
		served := make(chan int, 4)
		for i, bytes := range []int64{6, 6, 1, 100} {
			go func() {
				if err := bus.Take(w, context.Background(), bytes); err != nil {
					t.Error(err)
				}
				served <- i
			}()
			synctest.Wait()
		}
		for _, step := range []struct {
			gives int64
			then  int // who is served by that
		}{{10, 1}, {6, 2}, {7, 1}} { // who wants one byte waits behind who wants six
			if bus.TryTake(w, 1) {
				t.Error("somebody came in between")
			}
			bus.Give(w, step.gives)
			synctest.Wait()
			if len(served) != step.then {
				t.Errorf("after %d were given back %d are served, want %d", step.gives, len(served), step.then)
			}
			for range len(served) {
				<-served
			}
		}
	})
}

func TestWhoLeavesAWindowsQueueTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := bus.NewWindow(10)
		bus.TryTake(w, 4)
		ctx, cancel := context.WithCancelCause(t.Context())
		bored, ended, behind := errors.New("bored"), make(chan error, 1), make(chan error, 1)
		go func() { ended <- bus.Take(w, ctx, 7) }()
		synctest.Wait()
		go func() { behind <- bus.Take(w, t.Context(), 6) }()
		synctest.Wait()
		cancel(bored)
		if err := <-ended; !errors.Is(err, bored) {
			t.Errorf("got %v, want the cause", err)
		}
		if err := <-behind; err != nil { // there was room for it all along
			t.Error(err)
		}
		bus.Give(w, 10)
		if !bus.TryTake(w, 10) {
			t.Error("something is still taken")
		}
	})
}

func TestAWindowIsNeverExceededAndNeverLeaks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Int64Range(1, 100).Draw(t, "limit")
		w, used := bus.NewWindow(limit), int64(0)
		var held []int64
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			if len(held) > 0 && rapid.Bool().Draw(t, "give") {
				bus.Give(w, held[0])
				used -= min(held[0], limit)
				held = held[1:]
				continue
			}
			bytes := rapid.Int64Range(1, 150).Draw(t, "bytes")
			fits := used+min(bytes, limit) <= limit
			if bus.TryTake(w, bytes) != fits {
				t.Fatalf("%d of %d bytes are used; taking %d should be %v", used, limit, bytes, fits)
			}
			if fits {
				held, used = append(held, bytes), used+min(bytes, limit)
			}
		}
	})
}
