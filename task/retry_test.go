package task

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"manta/bus"
	"manta/internal/call"
)

var errFlaky = bus.RegisterError("test_flaky", errors.New("flaky"))

// optionsOf are those of a task that is defined with opts.
func optionsOf(t interface{ Fatal(...any) }, opts ...Option) *call.Options {
	target := with(&call.Target{Name: "f", Options: defaults()}, opts)
	if target.Err != nil {
		t.Fatal(target.Err)
	}
	return &target.Options
}

func TestWhatIsTriedAgain(t *testing.T) {
	flaky, other := &Error{Code: "test_flaky"}, &Error{Code: bus.UnknownCode}
	advised := func(a call.Advice) *Error { return &Error{Code: "test_flaky", advice: a} }
	never, soon := advised(call.Advice{Never: true}), advised(call.Advice{Again: true, After: time.Hour})
	at := func(wait time.Duration) *time.Duration { return &wait }
	const first = 100 * time.Millisecond
	for _, test := range []struct {
		what    string
		opts    []Option
		attempt int
		failed  *Error
		want    *time.Duration // nil: it is over
	}{
		{"a lost one", nil, 1, nil, at(0)},
		{"a lost one that may run only once", []Option{Retries(0)}, 1, nil, nil},
		{"the last retry of a lost one", nil, 3, nil, at(0)},
		{"a lost one after all retries", nil, 4, nil, nil},
		{"an error that nobody asked for", nil, 1, flaky, nil},
		{"an error that was asked for", []Option{RetryOn(errFlaky)}, 1, flaky, at(first)},
		{"one of several", []Option{RetryOn(ErrArgument, errFlaky)}, 1, flaky, at(first)},
		{"another error", []Option{RetryOn(errFlaky)}, 1, other, nil},
		{"any error", []Option{RetryOn()}, 1, other, at(first)},
		{"the later option holds", []Option{RetryOn(), RetryOn(errFlaky)}, 1, other, nil},
		{"an error without retries", []Option{RetryOn(), Retries(0)}, 1, flaky, nil},
		{"an error after all retries", []Option{RetryOn(), Retries(5)}, 6, flaky, nil},
		{"the last retry", []Option{RetryOn(), Retries(5)}, 5, flaky, at(16 * first)},
		{"many attempts later", []Option{RetryOn(), Retries(100)}, 99, flaky, at(10 * time.Second)},
		{"at once", []Option{RetryOn(), Backoff(0, 0)}, 2, flaky, at(0)},
		{"a loss when errors wait", []Option{RetryOn(), Backoff(time.Hour, time.Hour)}, 1, nil, at(0)},
		{"a permanent one", []Option{RetryOn()}, 1, never, nil},
		{"one that says when", nil, 3, soon, at(time.Hour)},
		{"one that says when, with another backoff", []Option{RetryOn(), Backoff(0, 0)}, 1, soon, at(time.Hour)},
		{"one that says when, too late", nil, 4, soon, nil},
		{"the highest attempt", []Option{Retries(math.MaxInt)}, math.MaxUint16, nil, nil},
	} {
		wait, ok := again(optionsOf(t, test.opts...), test.attempt, test.failed, 0)
		if ok != (test.want != nil) || ok && wait != *test.want {
			t.Errorf("%s: got %v after %v", test.what, ok, wait)
		}
	}
}

func TestWrongRetryOptionsAreRefused(t *testing.T) {
	for _, opt := range []Option{RetryOn(nil), RetryOn(errFlaky, nil), Backoff(-1, 1), Backoff(2, 1)} {
		if err := opt(&call.Options{}); err == nil {
			t.Error("an option was taken that means nothing")
		}
	}
}

func TestABackoffGrowsWithinItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := call.Backoff{First: time.Duration(rapid.Int64Range(0, math.MaxInt64).Draw(t, "first"))}
		b.Max = time.Duration(rapid.Int64Range(int64(b.First), math.MaxInt64).Draw(t, "max"))
		last := time.Duration(0)
		for attempt := 1; attempt < 80; attempt++ {
			full := b.After(attempt, 0)
			if full < last || full > b.Max || attempt == 1 && full != b.First {
				t.Fatalf("attempt %d waits %v after %v", attempt, full, last)
			}
			if grown := last * 2; attempt > 1 && grown/2 == last && full != min(grown, b.Max) {
				t.Fatalf("attempt %d waits %v after %v", attempt, full, last)
			}
			last = full
			drawn := b.After(attempt, rapid.Float64Range(0, 0.9999).Draw(t, "chance"))
			if drawn < full/2 || drawn > full {
				t.Fatalf("attempt %d waits %v of %v", attempt, drawn, full)
			}
		}
	})
}

func TestAdviceIsOfTheOutermostWordAndTheErrorStaysItself(t *testing.T) {
	wrapped := fmt.Errorf("again: %w", RetryAfter(Permanent(errFlaky), time.Second))
	if !errors.Is(wrapped, errFlaky) || wrapped.Error() != "again: flaky" {
		t.Errorf("got %q", wrapped)
	}
	if Permanent(nil) != nil || RetryAfter(nil, 1) != nil {
		t.Error("no error has become one")
	}
}

func TestPausesEndInTheOrderInWhichTheyAreDue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p pauses
		model := make(map[*submission]moment)
		now := moment(0)
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				next, ok := p.next()
				if ok != (len(model) > 0) || len(p.of) != len(model) || len(p.heap) != len(model) {
					t.Fatalf("%d wait, want %d", len(p.heap), len(model))
				}
				for s, until := range model {
					if w := p.of[s]; w == nil || p.heap[w.place] != w || w.until != until || until < next {
						t.Fatalf("one that waits until %v is %+v, the next is %v", until, w, next)
					}
				}
			},
			"add": func(t *rapid.T) {
				s, until := &submission{}, now+moment(rapid.IntRange(0, 5).Draw(t, "wait"))
				next, any := p.next()
				if first := p.add(s, until, nil); first != (!any || until < next) {
					t.Fatalf("one until %v is first: %v; %v was", until, first, next)
				}
				model[s] = until
			},
			"drop": func(t *rapid.T) {
				for s := range model {
					if w := p.drop(s); w == nil || w.task != s || p.drop(s) != nil {
						t.Fatal("one that waits was not dropped, or twice")
					}
					delete(model, s)
					return
				}
			},
			"later": func(t *rapid.T) {
				now += moment(rapid.IntRange(0, 3).Draw(t, "later"))
				var came []moment
				for s := p.due(now); s != nil; s = p.due(now) {
					came = append(came, model[s])
					delete(model, s)
				}
				if !slices.IsSorted(came) {
					t.Fatalf("they came at %v", came)
				}
				for _, until := range model {
					if until <= now {
						t.Fatalf("at %v one still waits until %v", now, until)
					}
				}
			},
		})
	})
}

// Nodes die under tasks that fail by themselves: both use up the same retries.
func TestLossesAndErrorsCountTogether(t *testing.T) {
	const tasks, retries = 60, 3
	mixed := 0 // tasks that were lost and failed too
	for seed := range uint64(20) {
		w := newWorld(seed)
		for range 4 {
			w.addHost(cpus(2))
		}
		o := w.addOwner()
		l := o.lane(needs(1))
		for range tasks {
			n := o.submit(l, time.Duration(1+w.rng.IntN(20))*time.Millisecond, retries)
			o.fails[n] = w.rng.IntN(6)
		}
		for i, h := range w.hosts[1:] {
			w.after(time.Duration(20+20*i)*time.Millisecond, func() { w.kill(h) })
		}
		if !w.runUntilDone(time.Minute) {
			t.Fatalf("seed %d: %d tasks have no outcome", seed, o.open)
		}
		for _, broken := range w.broken {
			t.Errorf("seed %d: %s", seed, broken)
		}
		for n := uint64(1); n <= tasks; n++ {
			setbacks, want := o.setbacks[n], o.setbacks[n]+1
			if o.failed[n] {
				want = retries + 1
			}
			if o.results[n] != 1 || o.attempts[n] != want || setbacks > retries+1 || o.failed[n] && setbacks != retries+1 {
				t.Errorf("seed %d: task %d, attempt %d after %d setbacks, failed: %v", seed, n, o.attempts[n], setbacks, o.failed[n])
			}
			if losses := o.losses[n]; losses > 0 && losses < setbacks {
				mixed++
			}
		}
	}
	if mixed == 0 {
		t.Error("no task was lost and failed too")
	}
}
