package task

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"manta/bus"
	"manta/internal/member"
)

// echoed returns how long so many bytes take to go through one pipe and back through another, a byte at a time.
func echoed(t *testing.T, bytes int) time.Duration {
	t.Helper()
	pipe := func() (in, out *os.File) {
		in, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = in.Close(), out.Close() })
		return in, out
	}
	there, here := pipe()
	back, forth := pipe()
	var echo sync.WaitGroup
	echo.Go(func() {
		one := make([]byte, 1)
		for range bytes {
			if _, err := there.Read(one); err != nil {
				t.Error(err)
				return
			}
			_, _ = forth.Write(one)
		}
	})
	begun := time.Now()
	one := make([]byte, 1)
	for range bytes {
		if _, err := here.Write(one); err != nil {
			t.Fatal(err)
		}
		if _, err := back.Read(one); err != nil {
			t.Fatal(err)
		}
	}
	echo.Wait()
	return time.Since(begun)
}

func TestTheNetworkIsHeardSoonerWhenTasksOnEveryCoreTakeABreath(t *testing.T) {
	origin := time.Now()
	now := func() moment { return time.Since(origin) }
	group := member.NewGroup(t.Context())
	b, err := newBreath(group)
	if err != nil {
		t.Fatal(err)
	}
	var working sync.WaitGroup
	var breathing, over atomic.Bool
	for range 4 * runtime.GOMAXPROCS(0) {
		working.Go(func() {
			for !over.Load() {
				for begun := now(); now()-begun < yieldEvery; {
				}
				runtime.Gosched()
				if breathing.Load() {
					b.take(now)
				}
			}
		})
	}
	without := echoed(t, 20)
	breathing.Store(true)
	with := echoed(t, 20)
	over.Store(true)
	working.Wait()
	b.close()
	group.Wait()
	if t.Logf("%v, %v without", with, without); with > without*3/4 {
		t.Errorf("20 bytes there and back took %v, and %v without breath", with, without)
	}
}

func TestNobodyHoldsItsBreathAtAHostThatIsClosed(t *testing.T) {
	group := member.NewGroup(t.Context())
	b, err := newBreath(group)
	if err != nil {
		t.Fatal(err)
	}
	b.close()
	group.Stop(bus.ErrClosed)
	at := unheardFor
	now := func() moment { return at }
	for range 3 {
		b.take(now)
		at += unheardFor
	}
	group.Wait()
}
