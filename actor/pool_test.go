package actor_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"manta/actor"
	"manta/bus"
	"manta/node/nodetest"
	"manta/task"
)

// soloistPool makes a pool of so many soloists, whose calls hold at gates.
func soloistPool(t *testing.T, ctx context.Context, s *stage, n int) (*actor.Pool[soloist, string, string], []actor.Ref[soloist]) {
	t.Helper()
	var all []actor.Ref[soloist]
	for range n {
		all = append(all, soloists.New(ctx, s.soloist()))
	}
	pool, err := actor.NewPool((*soloist).Hold, all)
	if err != nil {
		t.Fatal(err)
	}
	return pool, all
}

func TestAPoolGivesResultsInTheOrderOfSubmission(t *testing.T) {
	ctx, s := setup(t), newStage(t)
	pool, _ := soloistPool(t, ctx, s, 4)
	gates := []string{"a", "b", "c", "d", "e", "f"}
	for _, gate := range gates {
		pool.Submit(ctx, gate)
	}
	s.await("a begins", "b begins", "c begins", "d begins")
	if begun(s.read()) != 4 {
		t.Errorf("4 actors run %q", s.read())
	}
	for _, gate := range slices.Backward(gates) {
		s.open(gate)
	}
	for _, want := range gates {
		if got, err := pool.Next(ctx); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	if _, err := pool.Next(ctx); pool.HasNext() || !errors.Is(err, actor.ErrNoResult) {
		t.Errorf("after the last result: %v, %v", pool.HasNext(), err)
	}
}

func TestAPoolGivesResultsAsTheyCome(t *testing.T) {
	ctx, s := setup(t), newStage(t)
	pool, _ := soloistPool(t, ctx, s, 2)
	for _, gate := range []string{"a", "b", "c", "d"} {
		pool.Submit(ctx, gate)
	}
	for _, gate := range []string{"b", "c", "a"} { // the actor that is free goes on with the next
		s.open(gate)
		if got, err := pool.NextUnordered(ctx); err != nil || got != gate {
			t.Errorf("got %q, %v, want %q", got, err, gate)
		}
	}
	s.open("d")
	if got, err := pool.Next(ctx); err != nil || got != "d" { // both may be used
		t.Errorf("got %q, %v, want d", got, err)
	}
	if pool.HasNext() {
		t.Error("there is another result")
	}
}

func TestATimeoutOfNextLosesNoResult(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		ctx, s := setup(t), newStage(t)
		pool, _ := soloistPool(t, ctx, s, 2)
		pool.Submit(ctx, "a")
		pool.Submit(ctx, "b")
		for _, next := range []func(context.Context) (string, error){pool.Next, pool.NextUnordered, pool.Next} {
			short, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			if _, err := next(short); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want a timeout", err)
			}
			if pool.HasFree() || !pool.HasNext() {
				t.Error("a timeout has ended a call")
			}
		}
		s.open("a")
		s.open("b")
		for _, want := range []string{"a", "b"} {
			if got, err := pool.Next(ctx); err != nil || got != want {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		}
	})
}

func TestAPoolMapsInOrderAndAsResultsCome(t *testing.T) {
	c := clientAndHosts(t, 2)
	ctx := timeout(t, c.Context(0))
	var all []actor.Ref[counter]
	for range 4 {
		all = append(all, counters.New(ctx, counter{}))
	}
	pool, err := actor.NewPool((*counter).Double, all)
	if err != nil {
		t.Fatal(err)
	}
	pool.Submit(ctx, 1000) // its result is Next's alone
	var xs, want []int
	for i := range 200 {
		xs, want = append(xs, i), append(want, 2*i)
	}
	for name, results := range map[string]func(context.Context, []int) iter.Seq2[int, error]{"in order": pool.Map, "unordered": pool.MapUnordered} {
		var got []int
		for y, err := range results(ctx, xs) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, y)
		}
		if name == "unordered" {
			slices.Sort(got)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v", name, got)
		}
	}
	if got, err := pool.Next(ctx); err != nil || got != 2000 {
		t.Errorf("Next: got %d, %v", got, err)
	}
}

func TestLeavingTheLoopOverAPoolCancelsTheRest(t *testing.T) {
	ctx, s := setup(t), newStage(t)
	pool, _ := soloistPool(t, ctx, s, 2)
	s.open("a")
	for got, err := range pool.Map(ctx, []string{"a", "b", "c", "d"}) {
		if got != "a" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		s.await("b begins", "c begins")
		break
	}
	s.await("b stops", "c stops")
	s.open("e")
	pool.Submit(ctx, "e")
	if got, err := pool.Next(ctx); err != nil || got != "e" {
		t.Errorf("got %q, %v", got, err)
	}
	if slices.Contains(s.read(), "d begins") {
		t.Error("a call that waited for an actor ran")
	}
}

func TestACallWhoseCtxEndsBeforeAnActorIsFreeFailsAtOnceAndDoesNotRun(t *testing.T) {
	ctx, s := setup(t), newStage(t)
	pool, _ := soloistPool(t, ctx, s, 1)
	pool.Submit(ctx, "a")
	ending, cancel := context.WithCancel(ctx)
	pool.Submit(ending, "b")
	pool.Submit(ctx, "c")
	cancel()
	if _, err := pool.NextUnordered(ctx); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "no actor of the pool was free") {
		t.Errorf("got %v", err)
	}
	s.open("a")
	s.open("c")
	for _, want := range []string{"a", "c"} {
		if got, err := pool.Next(ctx); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	if slices.Contains(s.read(), "b begins") {
		t.Error("b ran")
	}
}

// cue names a gate. A stagehand hears when it is encoded, as its call begins.
type cue struct {
	gate    string
	encoded func()
}

func (c cue) EncodeMsgpack(enc *msgpack.Encoder) error {
	if c.encoded != nil {
		c.encoded()
	}
	return enc.EncodeString(c.gate)
}

func (c *cue) DecodeMsgpack(dec *msgpack.Decoder) (err error) {
	c.gate, err = dec.DecodeString()
	return err
}

// prompter waits at the gates of its cues.
type prompter struct{ player }

func (p *prompter) Await(ctx context.Context, c cue) (string, error) { return p.Hold(ctx, c.gate) }

var prompters = actor.Define[prompter]("prompter")

func TestACallThatIsSubmittedWhileOthersBeginFailsAtOnceWhenItsCtxEnds(t *testing.T) {
	ctx, s := setup(t), newStage(t)
	pool, err := actor.NewPool((*prompter).Await, []actor.Ref[prompter]{
		prompters.New(ctx, prompter{player{Stage: s.name}}), prompters.New(ctx, prompter{player{Stage: s.name}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	ending, cancel := context.WithCancel(ctx)
	var others sync.Once
	pool.Submit(ctx, cue{"a", func() {
		others.Do(func() { // one actor is free still, and there are two calls for it
			pool.Submit(ctx, cue{gate: "b"})
			pool.Submit(ending, cue{gate: "c"})
		})
	}})
	s.await("a begins", "b begins")
	cancel()
	if _, err := pool.NextUnordered(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that c's ctx has ended", err)
	}
	s.open("a")
	s.open("b")
}

func TestActorsJoinAndLeaveAPool(t *testing.T) {
	ctx, s := setup(t), newStage(t)
	pool, all := soloistPool(t, ctx, s, 1)
	if err := pool.Push(all[0]); err == nil || !strings.Contains(err.Error(), all[0].ID()) {
		t.Errorf("an actor that is there is pushed: %v", err)
	}
	if err := pool.Push(actor.Ref[soloist]{}); err == nil || !strings.Contains(err.Error(), "zero Ref") {
		t.Errorf("the zero Ref is pushed: %v", err)
	}
	if _, err := actor.NewPool((*soloist).Hold, append(all, all...)); err == nil {
		t.Error("a pool has an actor twice")
	}
	pool.Submit(ctx, "a")
	pool.Submit(ctx, "b")
	if _, popped := pool.PopIdle(); popped || pool.HasFree() {
		t.Error("a busy actor was popped, or is free")
	}
	if err := pool.Push(soloists.New(ctx, s.soloist())); err != nil { // it begins with what waits
		t.Fatal(err)
	}
	s.await("a begins", "b begins")
	s.open("a")
	s.open("b")
	for range 2 {
		if _, err := pool.Next(ctx); err != nil {
			t.Fatal(err)
		}
	}
	first, popped := pool.PopIdle()
	second, poppedToo := pool.PopIdle()
	if _, more := pool.PopIdle(); !popped || !poppedToo || more || first == second {
		t.Errorf("popped %v and %v", first, second)
	}
	pool.Submit(ctx, "a")
	if _, err := pool.Next(ctx); !errors.Is(err, actor.ErrDead) || !strings.Contains(err.Error(), "Push one first") {
		t.Errorf("a pool without actors: %v", err)
	}
	if err := pool.Push(first); err != nil || !pool.HasFree() {
		t.Errorf("what was popped is not taken back: %v", err)
	}
}

func TestAnActorThatDiesLeavesItsPoolAndIsReported(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, c *nodetest.Cluster, ctx context.Context, victim actor.Ref[soloist]){
		"killed": func(t *testing.T, _ *nodetest.Cluster, ctx context.Context, victim actor.Ref[soloist]) {
			if err := victim.Kill(ctx); err != nil {
				t.Error(err)
			}
		},
		"with its node": func(_ *testing.T, c *nodetest.Cluster, _ context.Context, _ actor.Ref[soloist]) { c.Kill(1) },
	} {
		t.Run(name, func(t *testing.T) {
			nodetest.Virtual(t, func(t *testing.T) {
				c, s := clientAndHosts(t, 1), newStage(t)
				ctx := timeout(t, c.Context(0))
				pool, all := soloistPool(t, ctx, s, 1)
				pool.Submit(ctx, "a")
				s.await("a begins") // at node 1
				second := c.Add()
				c.AwaitMembers(0, 1, second)
				pool.Submit(ctx, "b")
				end(t, c, ctx, all[0])
				_, err := pool.Next(ctx)
				if !errors.Is(err, actor.ErrDead) && !errors.Is(err, actor.ErrUnavailable) || !strings.Contains(err.Error(), all[0].ID()) {
					t.Errorf("got %v, want that the actor is dead, and its id", err)
				}
				if _, err := pool.Next(ctx); !errors.Is(err, actor.ErrDead) { // nobody is there to run it
					t.Errorf("got %v, want ErrDead", err)
				}
				if err := pool.Push(soloists.New(ctx, s.soloist())); err != nil {
					t.Fatal(err)
				}
				s.open("c")
				pool.Submit(ctx, "c")
				if got, err := pool.Next(ctx); err != nil || got != "c" {
					t.Errorf("got %q, %v", got, err)
				}
				if slices.Contains(s.read(), "b begins") {
					t.Error("what failed for want of an actor ran")
				}
			})
		})
	}
}

func TestAPoolGoesOnWithTheActorsThatAreLeftWhenANodeDies(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 2, nodetest.CPUs(2)), newStage(t)
		ctx := timeout(t, c.Context(0))
		pool, err := actor.NewPool((*resident).Hold, fill(ctx, t, s, 4)) // two a node
		if err != nil {
			t.Fatal(err)
		}
		gates := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
		for _, gate := range gates {
			pool.Submit(ctx, gate)
		}
		s.await("a begins", "b begins", "c begins", "d begins")
		c.Kill(1)
		c.AwaitMembers(0, 2)
		for _, gate := range gates {
			s.open(gate)
		}
		failed := 0
		for pool.HasNext() {
			got, err := pool.NextUnordered(ctx)
			switch {
			case errors.Is(err, actor.ErrUnavailable):
				failed++
			case err != nil || !slices.Contains(gates, got):
				t.Errorf("got %q, %v", got, err)
			}
		}
		if failed != 2 {
			t.Errorf("%d calls failed, want the two that the dead node had", failed)
		}
	})
}

// Complain fails with another actor's death.
func (p *performer) Complain(_ context.Context, of string) (int, error) {
	return 0, fmt.Errorf("%s: %w", of, actor.ErrDead)
}

func TestAnActorWhoseMethodFailsStaysInItsPool(t *testing.T) {
	ctx, s := setup(t), newStage(t)
	one := []actor.Ref[performer]{performers.New(ctx, s.performer())}
	for _, method := range []func(*performer, context.Context, string) (int, error){(*performer).Fail, (*performer).Panic, (*performer).Complain} {
		pool, err := actor.NewPool(method, one)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			pool.Submit(ctx, "again")
			if _, err := pool.Next(ctx); err == nil {
				t.Error("no error")
			}
		}
		if !pool.HasFree() {
			t.Error("the actor has left the pool")
		}
	}
}

func TestSubmissionsThatCannotBeMadeAreErrorsOfNext(t *testing.T) {
	ctx, s := setup(t), newStage(t)
	one := []actor.Ref[soloist]{soloists.New(ctx, s.soloist())}
	pool, err := actor.NewPool(func(*soloist, context.Context, chan int) (int, error) { return 0, nil }, one)
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		pool.Submit(ctx, nil)
	}
	pool.Submit(t.Context(), nil)
	if _, err := pool.Next(t.Context()); !errors.Is(err, bus.ErrNoNode) {
		t.Errorf("a ctx without a node: %v", err)
	}
	for pool.HasNext() {
		if _, err := pool.Next(ctx); err == nil {
			t.Fatal("a function that is no method was called")
		}
	}
	if !pool.HasFree() {
		t.Error("the actor has left the pool")
	}
}

func TestSeveralGoroutinesTakeEachResultOnce(t *testing.T) {
	ctx := setup(t)
	var all []actor.Ref[counter]
	for range 3 {
		all = append(all, counters.New(ctx, counter{}))
	}
	pool, err := actor.NewPool((*counter).Double, all)
	if err != nil {
		t.Fatal(err)
	}
	const each, takers = 100, 4
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		seen = make(map[int]int)
	)
	for k := range takers {
		wg.Go(func() {
			for i := range each {
				pool.Submit(ctx, each*k+i)
			}
			next := pool.Next
			if k%2 == 0 {
				next = pool.NextUnordered
			}
			for range each {
				got, err := next(ctx)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				seen[got]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(seen) != each*takers || pool.HasNext() {
		t.Errorf("%d results of %d, more to come: %v", len(seen), each*takers, pool.HasNext())
	}
}

var (
	waitForPool = task.Define("wait_for_pool", func(ctx context.Context, stage string) (string, error) {
		one := []actor.Ref[soloist]{soloists.New(ctx, soloist{player{Stage: stage}})}
		pool, err := actor.NewPool((*soloist).Hold, one)
		if err != nil {
			return "", err
		}
		pool.Submit(ctx, "a")
		return pool.Next(ctx)
	})
	openGate = task.Define("open_gate", func(_ context.Context, stage string) (task.None, error) {
		stageNamed(stage).open("a")
		return task.None{}, nil
	})
)

func TestATaskThatWaitsForAPoolLendsItsCPU(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		ctx, s := timeout(t, nodetest.Start(t, 1, nodetest.CPUs(1)).Context(0)), newStage(t)
		waits := waitForPool.Go(ctx, s.name)
		s.await("a begins")
		if _, err := openGate.Call(ctx, s.name); err != nil { // it needs the CPU
			t.Fatal(err)
		}
		if got, err := waits.Get(ctx); err != nil || got != "a" {
			t.Errorf("got %q, %v", got, err)
		}
	})
}
