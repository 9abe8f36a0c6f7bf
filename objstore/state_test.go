package objstore

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"manta/bus"
)

// An object that is lost and found again and again calls everybody who waits once, in the order of arrival, unless he was forgotten,
// whatever lists he was in before.
func TestAStateThatBecomesPendingAgainCallsWhoWaits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var (
			st             state
			waiters        []*waiter
			waiting        []int // who is to be called by the next outcome
			called, want   []string
			pending, over  = true, false
			blob, channels = 0, []<-chan struct{}{}
		)
		settled := func(out string) {
			for _, i := range waiting {
				want = append(want, fmt.Sprint(i, " ", out))
			}
			waiting, pending = nil, false
		}
		name := func() string { return fmt.Sprint("blob ", blob) }
		t.Repeat(map[string]func(*rapid.T){
			"wait": func(*rapid.T) {
				i := len(waiters)
				w := &waiter{state: &st, f: func(out Outcome) { called = append(called, fmt.Sprint(i, " ", outcomeName(out))) }}
				waiters = append(waiters, w)
				switch out := w.wait(); {
				case (out == nil) != pending:
					t.Fatalf("it waits: %v, want %v", out == nil, pending)
				case pending:
					waiting = append(waiting, i)
				}
			},
			"forget": func(t *rapid.T) {
				if len(waiters) == 0 {
					t.Skip("nobody waits")
				}
				i := rapid.IntRange(0, len(waiters)-1).Draw(t, "who")
				waiters[i].forget()
				waiting = slices.DeleteFunc(waiting, func(w int) bool { return w == i })
			},
			"settle": func(t *rapid.T) {
				blob++
				if ok := st.settle(&Outcome{Blob: &StoredBlob{Blob: bus.Blob{ID: name()}}}); ok != pending {
					t.Fatalf("settled: %v, want %v", ok, pending)
				} else if ok {
					settled(name())
				} else {
					blob--
				}
			},
			"doubt": func(t *rapid.T) {
				copyOf := name()
				if rapid.IntRange(0, 3).Draw(t, "an old copy") == 0 {
					copyOf = "an old copy"
				}
				lost, want := st.doubt(copyOf), !pending && !over && copyOf == name()
				if (lost != nil) != want {
					t.Fatalf("doubted %s: %v, want %v", copyOf, lost != nil, want)
				}
				pending = pending || want
			},
			"free": func(t *rapid.T) {
				if rapid.IntRange(0, 9).Draw(t, "really") > 0 {
					t.Skip("it ends all")
				}
				st.free()
				over = true
				settled("freed")
			},
			"ask for a channel": func(*rapid.T) { channels = append(channels, st.settled(), st.portable()) },
			"": func(t *rapid.T) {
				if !slices.Equal(called, want) {
					t.Fatalf("called %v, want %v", called, want)
				}
				for _, c := range append(channels, st.settled(), st.portable()) { // those of before may be closed
					if !closed(c) && !pending {
						t.Fatal("it has settled, and a channel does not say so")
					}
				}
				if pending && (closed(st.settled()) || closed(st.portable())) {
					t.Fatal("it is pending, and a channel says that it has settled")
				}
			},
		})
	})
}

func outcomeName(out Outcome) string {
	if out.Err != nil {
		return "freed"
	}
	return out.Blob.Blob.ID
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
