package bench

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestALocalPoolSleepsOnAllItsWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		if err := sleepLocally(t.Context(), 6, alike(600, 10*time.Millisecond)); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took != time.Second {
			t.Errorf("600 sleeps of 10 ms took six workers %v", took)
		}
	})
}

func TestALocalPoolEndsWithItsContext(t *testing.T) {
	over := errors.New("over")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { cancel(over) })
		begun := time.Now()
		if err := sleepLocally(ctx, 3, alike(600, time.Hour)); !errors.Is(err, over) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(begun); took != time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}

func TestShortSleepsHaveWorkersOfTheirOwnInALocalMix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		timed, err := mixLocally(t.Context(), &Stage{sizes: full})
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		got, err := timed(t.Context())
		if want := 167.0; err != nil || got.Value != want { // 1,000 sleeps of 1 ms, six at a time
			t.Errorf("got %+v, %v, want %v ms", got, err, want)
		}
		if took := time.Since(begun); took != longEach {
			t.Errorf("the long ones were waited for until %v", took)
		}
	})
}
