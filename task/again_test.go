package task_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"manta/bus"
	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

// try is what an attempt of a function does as often as it is told to fail, and then it returns the number of the attempt.
type try struct {
	Name  string // of its journey
	Fails int
	How   string
	After time.Duration
}

// journey is what the attempts of one task tell. Tasks find it by its name.
type journey struct {
	name string
	mu   sync.Mutex
	runs []time.Time
	more []int // attempts, as task.Current says
}

var journeys sync.Map // name → *journey

func newJourney(t *testing.T) *journey {
	j := &journey{name: fmt.Sprintf("%s %d", t.Name(), gateCount.Add(1))}
	journeys.Store(j.name, j)
	t.Cleanup(func() { journeys.Delete(j.name) })
	return j
}

func (j *journey) ran() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.runs)
}

// coldError is an error whose fields travel.
type coldError struct {
	Degrees int
	Room    string
}

func (e *coldError) Error() string { return fmt.Sprintf("%d degrees in the %s", e.Degrees, e.Room) }

func init() { task.RegisterErrorType[*coldError]("cold") }

var attempt = task.Define("attempt", func(ctx context.Context, a try) (int, error) {
	if found, ok := journeys.Load(a.Name); ok {
		j := found.(*journey)
		j.mu.Lock()
		j.runs, j.more = append(j.runs, time.Now()), append(j.more, task.Current(ctx).Attempt)
		j.mu.Unlock()
	}
	now := task.Current(ctx).Attempt
	if now > a.Fails {
		return now, nil
	}
	switch a.How {
	case "other":
		return 0, errors.New("something else")
	case "panic":
		panic("of attempt " + fmt.Sprint(now))
	case "cold":
		return 0, fmt.Errorf("heating: %w", &coldError{now, "kitchen"})
	case "permanent":
		return 0, fmt.Errorf("closed: %w", task.Permanent(errSoldOut))
	case "permanently cold":
		return 0, task.Permanent(&coldError{now, "cellar"})
	case "later":
		return 0, task.RetryAfter(errSoldOut, a.After)
	case "passed on":
		_, err := again.Call(ctx, try{Fails: 1, How: "permanent"})
		return 0, fmt.Errorf("another task: %w", err)
	}
	return 0, fmt.Errorf("attempt %d: %w", now, errSoldOut)
})

var planned = task.Define("planned", func(context.Context, string) (try, error) { return try{}, errSoldOut })

var again = task.Declare[try, int]("attempt")

// swift has tasks tried again without a pause worth mentioning.
var swift = task.Backoff(time.Millisecond, 2*time.Millisecond)

func TestATaskThatMayBeRetriedRunsUntilItSucceedsOrHasNoRetriesLeft(t *testing.T) {
	c := nodetest.Start(t, 2)
	five := attempt.With(task.RetryOn(errSoldOut), task.Retries(5), swift)
	j := newJourney(t)
	if got := get(t, c.Context(0), five.Go(c.Context(0), try{Name: j.name, Fails: 5})); got != 6 || j.ran() != 6 {
		t.Errorf("fails 5 times: attempt %d has the result, it ran %d times, want 6 and 6", got, j.ran())
	}
	j = newJourney(t)
	err := getError(t, c.Context(0), five.Go(c.Context(0), try{Name: j.name, Fails: 6}))
	failed, ok := errors.AsType[*task.Error](err)
	if !ok || failed.Attempt != 6 || j.ran() != 6 || !errors.Is(err, errSoldOut) || !strings.Contains(err.Error(), "attempt 6: sold out") {
		t.Errorf("fails 6 times: it ran %d times, got %#v", j.ran(), err)
	}
	if fmt.Sprint(j.more) != "[1 2 3 4 5 6]" {
		t.Errorf("its attempts were %v", j.more)
	}
	drainAll(t, c, 2)
}

func TestWhichErrorsAreRetried(t *testing.T) {
	c := nodetest.Start(t, 2)
	ctx := c.Context(0)
	for _, test := range []struct {
		name string
		opts []task.Option
		how  string
		runs int
		want error
	}{
		{"none unless asked for", nil, "", 1, errSoldOut},
		{"one that was asked for", []task.Option{task.RetryOn(errSoldOut)}, "", 4, errSoldOut},
		{"another one", []task.Option{task.RetryOn(errSoldOut)}, "other", 1, nil},
		{"any", []task.Option{task.RetryOn()}, "other", 4, nil},
		{"a panic", []task.Option{task.RetryOn()}, "panic", 4, nil},
		{"a panic, if only an error was asked for", []task.Option{task.RetryOn(errSoldOut)}, "panic", 1, nil},
		{"a permanent one", []task.Option{task.RetryOn()}, "permanent", 1, errSoldOut},
		{"one that says when, unasked", nil, "later", 4, errSoldOut},
		{"one that says when, without retries", []task.Option{task.Retries(0)}, "later", 1, errSoldOut},
		{"what was permanent for another task", []task.Option{task.RetryOn(errSoldOut)}, "passed on", 4, errSoldOut},
		{"not with the options of the call", []task.Option{task.RetryOn(), task.Retries(0)}, "", 1, errSoldOut},
	} {
		j := newJourney(t)
		err := getError(t, ctx, attempt.With(append(test.opts, swift)...).Go(ctx, try{Name: j.name, Fails: 100, How: test.how}))
		if j.ran() != test.runs || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: it ran %d times, want %d; got %v", test.name, j.ran(), test.runs, err)
		}
		if failed, ok := errors.AsType[*task.Error](err); !ok || failed.Attempt != test.runs {
			t.Errorf("%s: got %#v", test.name, err)
		}
	}
}

func TestWhatCannotSucceedIsNotRetried(t *testing.T) {
	c := nodetest.Start(t, 1)
	ctx := c.Context(0)
	all := []task.Option{task.RetryOn(), task.Retries(5), task.Backoff(time.Hour, time.Hour)}
	absent := task.Declare[int, int]("absent").With(all...)
	misfit := task.Declare[string, int]("attempt").With(all...)
	wantError(t, ctx, absent.Go(ctx, 1), task.ErrNotRegistered)
	wantError(t, ctx, misfit.Go(ctx, "no struct"), task.ErrArgument)
	wantError(t, ctx, attempt.With(all...).On(ctx, planned.Go(ctx, "what cannot be had")), errSoldOut)
	if n := task.Pausing(ctx); n > 0 {
		t.Errorf("%d tasks wait to be tried again", n)
	}
}

func TestAnErrorOfARegisteredTypeTravelsWithItsFields(t *testing.T) {
	c := nodetest.Start(t, 2)
	for name, r := range map[string]objstore.Ref[int]{
		"returned":        attempt.Go(c.Context(0), try{Fails: 1, How: "cold"}),
		"after a retry":   attempt.With(task.RetryOn(), task.Retries(1), swift).Go(c.Context(0), try{Fails: 2, How: "cold"}),
		"and permanently": attempt.Go(c.Context(0), try{Fails: 1, How: "permanently cold"}),
	} {
		for i := range 2 { // where it was submitted, and one further trip
			err := getError(t, c.Context(i), r)
			failed, _ := errors.AsType[*task.Error](err)
			cold, ok := errors.AsType[*coldError](err)
			if !ok || failed == nil || failed.Code != "cold" || cold.Degrees != failed.Attempt || !strings.Contains(failed.Message, cold.Error()) {
				t.Errorf("%s, at node %d: got %#v", name, i, err)
			}
		}
	}
	handled := newJourney(t)
	warm := attempt.With(task.RetryOn(&coldError{}), task.Retries(1), swift)
	getError(t, c.Context(0), warm.Go(c.Context(0), try{Name: handled.name, Fails: 2, How: "cold"}))
	if handled.ran() != 1 {
		t.Errorf("an error that is not equal to the one that was asked for: it ran %d times", handled.ran())
	}
}

func TestRetryAfterIsNoSooner(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := nodetest.Start(t, 2)
		j := newJourney(t)
		const pause = 5 * time.Second
		if got := get(t, c.Context(0), attempt.With(task.Backoff(0, 0)).Go(c.Context(0), try{j.name, 2, "later", pause})); got != 3 {
			t.Errorf("attempt %d has the result, want 3", got)
		}
		for i, at := range j.runs[1:] {
			if waited := at.Sub(j.runs[i]); waited < pause {
				t.Errorf("attempt %d came %v after the one before, want %v", i+2, waited, pause)
			}
		}
	})
}

// startHeard starts nodes, and says when the first one has a task wait to be tried again.
func startHeard(t *testing.T, n int, opts ...nodetest.Option) (*nodetest.Cluster, func(int)) {
	t.Helper()
	pausing := make(chan struct{}, 10_000)
	heard := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), discard{}, zapcore.DebugLevel), zap.Hooks(
		func(e zapcore.Entry) error {
			if strings.Contains(e.Message, "is to be tried again") {
				pausing <- struct{}{}
			}
			return nil
		}))
	c := nodetest.Start(t, n, append(opts, nodetest.Configure(func(i int, cfg *node.Config) {
		if i == 0 {
			cfg.Logger = heard
		}
	}))...)
	return c, func(n int) {
		t.Helper()
		timeout := time.After(patience)
		for i := range n {
			select {
			case <-pausing:
			case <-timeout:
				t.Fatalf("%d tasks wait to be tried again, want %d", i, n)
			}
		}
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) Sync() error                 { return nil }

// slow has tasks that fail wait for longer than any test.
var slow = attempt.With(task.RetryOn(errSoldOut), task.Backoff(time.Hour, time.Hour))

func TestATaskThatIsCancelledWhileItWaitsEndsAtOnceAndLeavesNothing(t *testing.T) {
	c, awaitPausing := startHeard(t, 2)
	ctx, cancel := context.WithCancel(c.Context(0))
	j := newJourney(t)
	refs := slow.Map(ctx, []try{{Name: j.name, Fails: 1}, {Name: j.name, Fails: 1}, {Name: j.name, Fails: 1}})
	awaitPausing(3)
	cancel()
	for _, r := range refs {
		err := getError(t, c.Context(0), r)
		if !errors.Is(err, task.ErrCancelled) || errors.Is(err, errSoldOut) || !strings.Contains(err.Error(), "attempt 1: sold out") {
			t.Errorf("got %v, want that it was cancelled and what it waited for", err)
		}
		wantCancelled(t, c.Context(1), r)
	}
	if n := task.Pausing(c.Context(0)); n > 0 || j.ran() != 3 {
		t.Errorf("%d still wait, %d ran", n, j.ran())
	}
	drainAll(t, c, 2)
}

func TestATaskWhoseDeadlinePassesWhileItWaitsEndsThen(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, awaitPausing := startHeard(t, 2)
		j := newJourney(t)
		timed := slow.With(task.Timeout(time.Second)).Go(c.Context(0), try{Name: j.name, Fails: 1})
		ctx, cancel := context.WithTimeout(c.Context(0), time.Second)
		defer cancel()
		bounded := slow.Go(ctx, try{Name: j.name, Fails: 1})
		awaitPausing(2)
		for _, r := range []objstore.Ref[int]{timed, bounded} {
			if err := getError(t, c.Context(0), r); !errors.Is(err, task.ErrDeadline) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want ErrDeadline", err)
			}
		}
		if n := task.Pausing(c.Context(0)); n > 0 || j.ran() != 2 {
			t.Errorf("%d still wait, %d ran", n, j.ran())
		}
	})
}

func TestATaskThatWaitsToBeTriedAgainHoldsNoSlotAndIsUnderWay(t *testing.T) {
	c, awaitPausing := startHeard(t, 1, nodetest.CPUs(1))
	r := slow.Go(c.Context(0), try{Fails: 1})
	awaitPausing(1)
	get(t, c.Context(0), double.Go(c.Context(0), 1))
	wantAllFree(t, c.Node(0))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Node(0).Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Drain while it waits: got %v", err)
	}
	closeNode(t, c, 0)
	wantError(t, c.Node(0).Context(t.Context()), r, bus.ErrClosed)
}

func TestAThousandTasksThatWaitTakeNoGoroutinesAndAllSucceed(t *testing.T) {
	const n = 1000
	c, awaitPausing := startHeard(t, 2)
	get(t, c.Context(0), attempt.Go(c.Context(0), try{}))
	before := runtime.NumGoroutine()
	tries := make([]try, n)
	for i := range tries {
		tries[i] = try{Fails: 1}
	}
	refs := attempt.With(task.RetryOn(), task.Backoff(2*time.Second, 2*time.Second)).Map(c.Context(0), tries)
	awaitPausing(n)
	if more, waiting := runtime.NumGoroutine()-before, task.Pausing(c.Context(0)); more > n/10 {
		t.Errorf("%d tasks wait with %d goroutines more", waiting, more)
	}
	for i, got := range getAll(t, c.Context(0), refs) {
		if got != 2 {
			t.Fatalf("task %d: attempt %d has the result", i, got)
		}
	}
	drainAll(t, c, 2)
}

func TestATaskThatWaitedIsTriedAgainThoughItsNodeHasGone(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, awaitPausing := startHeard(t, 2, nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i == 0 }))
		r := attempt.With(task.RetryOn(), task.Backoff(time.Second, time.Second)).Go(c.Context(0), try{Fails: 1})
		awaitPausing(1)
		c.Kill(1)
		c.Add(nodetest.CPUs(2))
		if got := get(t, c.Context(0), r); got != 2 {
			t.Errorf("attempt %d has the result, want 2", got)
		}
	})
}

func TestATaskThatRanAndThenFindsNoNodeSaysSo(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, awaitPausing := startHeard(t, 2, nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i == 0 }))
		r := attempt.With(task.RetryOn(), task.Backoff(time.Second, time.Second)).Go(c.Context(0), try{Fails: 1})
		awaitPausing(1)
		closeNode(t, c, 1)
		err := getError(t, c.Context(0), r)
		if !errors.Is(err, task.ErrNotRegistered) || errors.Is(err, task.ErrWorkerLost) || !strings.Contains(err.Error(), "attempt 2, ran before and failed") {
			t.Errorf("got %v", err)
		}
	})
}

func init() {
	task.Define("persist", func(ctx context.Context, fails int) (int, error) {
		if now := task.Current(ctx).Attempt; now > fails {
			return now, nil
		}
		return 0, errSoldOut
	}, task.RetryOn(errSoldOut), swift)
}

func TestAPlainClientsRequestIsRetriedAsItsFunctionSays(t *testing.T) {
	_, p := startWithPlainClient(t, 2)
	if reply := p.ask("persist", "3", ""); string(reply.Data) != "4" {
		t.Errorf("fails 3 times: got %s, %v", reply.Data, reply.Header)
	}
	if reply := p.ask("persist", "4", ""); reply.Header.Get("Manta-Error") != "failed" {
		t.Errorf("fails 4 times: got %s, %v", reply.Data, reply.Header)
	}
}

func TestACodeThatIsTakenPanicsAndNamesBothPlaces(t *testing.T) {
	for name, register := range map[string]func(){
		"an error": func() { task.RegisterError("cold", errors.New("taken")) },
		"a type":   func() { task.RegisterErrorType[coldType]("sold_out") },
	} {
		func() {
			defer func() {
				words := fmt.Sprint(recover())
				if strings.Count(words, "_test.go:") != 2 || !strings.Contains(words, "again_test.go:") {
					t.Errorf("%s: the panic says %q", name, words)
				}
			}()
			register()
		}()
	}
}

type coldType struct{}

func (coldType) Error() string { return "" }
