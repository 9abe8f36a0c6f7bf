package actor

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestLossesThatComeCloseTogetherUseUpTheRestarts(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	l := lifespan{Limit: 2}
	for i, want := range []struct {
		pause time.Duration
		again bool
	}{{0, true}, {time.Second, true}, {0, false}} {
		now = now.Add(time.Second)
		if pause, again := l.lose(now); pause != want.pause || again != want.again {
			t.Errorf("loss %d: a pause of %v, again %v, want %+v", i+1, pause, again, want)
		}
	}
}

func TestALossThatLiesFarBackIsForgotten(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	l := lifespan{Limit: 1}
	for i := range 100 {
		now = now.Add(2 * lossHalfLife)
		if pause, again := l.lose(now); pause != 0 || !again {
			t.Fatalf("loss %d: a pause of %v, again %v", i+1, pause, again)
		}
	}
	if l.Restarts != 100 {
		t.Errorf("%d restarts are counted, want 100", l.Restarts)
	}
}

func TestRestartsUnderAnyLosses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := lifespan{Limit: rapid.IntRange(-1, 6).Draw(t, "limit")}
		now := time.Unix(1_000_000, 0)
		var restarted []time.Time
		var last time.Duration
		for range rapid.IntRange(1, 60).Draw(t, "losses") {
			passes := time.Duration(rapid.Int64Range(0, int64(3*lossHalfLife)).Draw(t, "passes"))
			now = now.Add(passes)
			pause, again := l.lose(now)
			if pause < 0 || pause > longestPause {
				t.Fatalf("a pause of %v", pause)
			}
			if passes == 0 && again && pause < last {
				t.Fatalf("a pause of %v after one of %v at the same time", pause, last)
			}
			last = pause
			if !again {
				if l.Limit < 0 {
					t.Fatal("one that is restarted for ever dies")
				}
				recent := 0
				for _, at := range restarted { // a loss counts for less than a hundredth after seven half-lives
					if now.Sub(at) < 7*lossHalfLife {
						recent++
					}
				}
				if recent < l.Limit/2 {
					t.Fatalf("it dies of %d losses, with a limit of %d", recent+1, l.Limit)
				}
				return
			}
			restarted = append(restarted, now)
			within := 0
			for _, at := range restarted {
				if at.Equal(now) {
					within++
				}
			}
			if l.Limit >= 0 && within > l.Limit {
				t.Fatalf("%d restarts at once, with a limit of %d", within, l.Limit)
			}
		}
		if l.Restarts != len(restarted) {
			t.Fatalf("%d restarts are counted, there were %d", l.Restarts, len(restarted))
		}
	})
}
