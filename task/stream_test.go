package task_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

// flow is a run of a streaming function that a test watches. Functions find it by its name.
type flow struct {
	more    chan struct{} // holds one token when items were yielded
	name    string
	yielded atomic.Int64 // items that yield has taken, in all attempts
	stops   chan stopped // how each run ended
	hold    chan int     // not nil: the next items may be yielded, so many
}

type stopped struct {
	info  task.Info
	yield error // the last error of yield
	cause error // of the ctx
}

var (
	flows     sync.Map // name → *flow
	flowCount atomic.Int64

	errDry = errors.New("the well is dry")

	upTo = task.DefineStream("up_to", func(_ context.Context, n int, yield func(int) error) error {
		for i := range n {
			if err := yield(i); err != nil {
				return err
			}
		}
		return nil
	})
	failing = task.DefineStream("failing", func(_ context.Context, n int, yield func(int) error) error {
		for i := range n {
			if err := yield(i); err != nil {
				return err
			}
		}
		if n == 3 {
			panic(errDry)
		}
		return errDry
	})
	sized = task.DefineStream("sized", func(_ context.Context, sizes []int, yield func([]byte) error) error {
		room := make([]byte, 10<<20)
		for i, n := range sizes {
			item := room[:n] // the same memory for each
			for k := range item {
				item[k] = byte(i)
			}
			if err := yield(item); err != nil {
				return err
			}
		}
		return nil
	})
	flowing = task.DefineStream("flowing", func(ctx context.Context, r flowRequest, yield func(flowItem) error) (err error) {
		found, ok := flows.Load(r.Flow)
		if !ok {
			return errors.New("the test is over")
		}
		f := found.(*flow)
		defer func() { f.stops <- stopped{task.Current(ctx), err, context.Cause(ctx)} }()
		for i, allowed := 0, 0; i < r.N; i++ {
			for ; f.hold != nil && allowed == 0; allowed-- {
				select {
				case n := <-f.hold:
					allowed += n + 1
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			allowed--
			if err := yield(flowItem{i, task.Current(ctx).Attempt, make([]byte, r.Size)}); err != nil {
				return err
			}
			f.yielded.Add(1)
			select {
			case f.more <- struct{}{}:
			default:
			}
		}
		return nil
	})
	relayed = task.Define("relayed", func(ctx context.Context, n int) (sum int, err error) {
		for v, err := range upTo.Stream(ctx, n) {
			if err != nil {
				return 0, err
			}
			sum += v
		}
		return sum, nil
	})
)

type flowRequest struct {
	Flow    string
	N, Size int
}

type flowItem struct {
	N, Attempt int
	Filler     []byte
}

func init() { task.RegisterError("dry", errDry) }

func newFlow(t *testing.T, hold chan int) *flow {
	f := &flow{name: fmt.Sprintf("%s %d", t.Name(), flowCount.Add(1)), hold: hold, more: make(chan struct{}, 1), stops: make(chan stopped, 1000)}
	flows.Store(f.name, f)
	t.Cleanup(func() { flows.Delete(f.name) })
	return f
}

func (f *flow) awaitStop(t *testing.T) stopped {
	t.Helper()
	select {
	case s := <-f.stops:
		return s
	case <-time.After(patience):
		t.Fatal("the producer is stuck")
		return stopped{}
	}
}

// awaitYielded waits until so many items are yielded, and returns how many are.
func (f *flow) awaitYielded(n int64) int64 {
	for late := time.After(patience); f.yielded.Load() < n; {
		select {
		case <-f.more:
		case <-late:
			return f.yielded.Load()
		}
	}
	return f.yielded.Load()
}

// read reads a stream to its end.
func read[R any](seq func(func(R, error) bool)) (items []R, err error) {
	for r, failed := range seq {
		if err != nil {
			return items, fmt.Errorf("an item after the error %w", err)
		}
		if err = failed; err == nil {
			items = append(items, r)
		}
	}
	return items, err
}

// wantUpTo checks that the items are 0 to n-1.
func wantUpTo(t *testing.T, items []int, n int) {
	t.Helper()
	if len(items) != n {
		t.Errorf("%d items came, want %d", len(items), n)
	}
	for i, v := range items {
		if v != i {
			t.Fatalf("item %d is %d: %v", i, v, items)
		}
	}
}

func TestItemsComeInOrderAndThenTheEnd(t *testing.T) {
	everywhere(t, func(t *testing.T, where ...nodetest.Option) {
		c := nodetest.Start(t, 2, where...)
		for _, n := range []int{5, 0, 1, 16, 17, 1000} {
			items, err := read(upTo.Stream(c.Context(0), n))
			if err != nil {
				t.Errorf("the stream of %d ends with %v", n, err)
			}
			wantUpTo(t, items, n)
		}
		drainAll(t, c, 2)
	})
}

func TestEachRangeIsARunOfItsOwn(t *testing.T) {
	c := nodetest.Start(t, 1)
	stream := upTo.Stream(c.Context(0), 3)
	for range 2 {
		items, err := read(stream)
		if err != nil {
			t.Error(err)
		}
		wantUpTo(t, items, 3)
	}
}

func TestTheErrorIsTheItemAfterTheLastGoodOne(t *testing.T) {
	c := nodetest.Start(t, 2)
	for _, n := range []int{2, 0, 3, 16, 40} {
		items, err := read(failing.Stream(c.Context(0), n))
		wantUpTo(t, items, n)
		failed, ok := errors.AsType[*task.Error](err)
		if !ok || !errors.Is(err, errDry) || failed.Func != "failing" {
			t.Errorf("after %d items: got %v, want the function's own error", n, err)
		} else if (failed.Stack != "") != (n == 3) {
			t.Errorf("the stack of a panic: %q", failed.Stack)
		}
	}
	drainAll(t, c, 2)
}

func TestAnItemThatCannotBeEncodedIsAnErrorOfYield(t *testing.T) {
	c := nodetest.Start(t, 1)
	items, err := read(unsendable.Stream(c.Context(0), 0))
	if len(items) != 1 || err == nil || !strings.Contains(err.Error(), "cannot encode") {
		t.Errorf("got %v, %v", items, err)
	}
}

var unsendable = task.DefineStream("unsendable", func(_ context.Context, _ int, yield func(any) error) error {
	if err := yield("good"); err != nil {
		return err
	}
	return yield(func() {})
})

func TestItemsOfANodeThatDiesComeOnceFromTheNext(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, where ...nodetest.Option) {
		t.Parallel()
		const count = 60
		c := nodetest.Start(t, 3, append(where, nodetest.CPUs(1), nodetest.Configure(clientsOfNode2))...)
		killed := false
		seen := 0
		f := newFlow(t, make(chan int, count))
		f.hold <- 20
		for v, err := range flowing.Stream(c.Context(0), flowRequest{Flow: f.name, N: count}) {
			if err != nil {
				t.Fatalf("after %d items: %v", seen, err)
			}
			if v.N != seen {
				t.Fatalf("item %d came, want %d", v.N, seen)
			}
			if seen++; seen == 3 && !killed {
				killed = true
				c.Add(nodetest.CPUs(1))
				c.Kill(2)
				f.hold <- 2 * count
			}
			if seen > 20 && v.Attempt < 2 {
				t.Errorf("item %d is of attempt %d", v.N, v.Attempt)
			}
		}
		if seen != count {
			t.Errorf("%d items came, want %d", seen, count)
		}
	})
}

// stumble yields so many items and fails, at its first two attempts; the third goes on.
var (
	errStumbled = errors.New("stumbled")
	stumble     = task.DefineStream("stumble", func(ctx context.Context, after int, yield func(int) error) error {
		for n := range 10 {
			if n == after && task.Current(ctx).Attempt < 3 {
				return errStumbled
			}
			if err := yield(n); err != nil {
				return err
			}
		}
		return nil
	}, task.RetryOn(errStumbled), task.Backoff(0, 0))
)

func init() { task.RegisterError("stumbled", errStumbled) }

func TestAStreamThatIsTriedAgainRepeatsNoItem(t *testing.T) {
	c := nodetest.Start(t, 2)
	var got []int
	for n, err := range stumble.Stream(c.Context(0), 3) {
		if err != nil {
			t.Fatalf("after %v: %v", got, err)
		}
		got = append(got, n)
	}
	if !slices.Equal(got, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) {
		t.Errorf("got %v", got)
	}
	got = nil
	for n, err := range stumble.With(task.Retries(1)).Stream(c.Context(0), 3) {
		if err != nil && (!errors.Is(err, errStumbled) || len(got) != 3) {
			t.Errorf("after %v: %v", got, err)
		} else if err == nil {
			got = append(got, n)
		}
	}
}

func TestAStreamWithoutRetriesFailsAsLostAfterTheItemsThatCame(t *testing.T) {
	t.Parallel()
	c := nodetest.Start(t, 3, nodetest.CPUs(1), nodetest.Configure(clientsOfNode2))
	f := newFlow(t, make(chan int, 1))
	f.hold <- 5
	var items []flowItem
	var last error
	for v, err := range flowing.With(task.Retries(0)).Stream(c.Context(0), flowRequest{Flow: f.name, N: 10}) {
		if last = err; err == nil {
			items = append(items, v)
		}
		if len(items) == 5 && err == nil {
			c.Kill(2)
		}
	}
	if len(items) != 5 || !errors.Is(last, task.ErrWorkerLost) {
		t.Errorf("got %d items and %v, want 5 and ErrWorkerLost", len(items), last)
	}
}

func TestACtxThatEndsEndsItsStream(t *testing.T) {
	c := nodetest.Start(t, 2)
	for name, test := range map[string]struct {
		end  func(ctx context.Context) (context.Context, func())
		want error
	}{
		"cancelled": {func(ctx context.Context) (context.Context, func()) { return wrap(context.WithCancel(ctx)) }, task.ErrCancelled},
		"too late": {func(ctx context.Context) (context.Context, func()) {
			return wrap(context.WithTimeout(ctx, 100*time.Millisecond))
		}, task.ErrDeadline},
	} {
		f := newFlow(t, make(chan int, 1))
		f.hold <- 3
		ctx, stop := test.end(c.Context(0))
		got := 0
		var last error
		for _, err := range flowing.Stream(ctx, flowRequest{Flow: f.name, N: 1000}) {
			if last != nil {
				t.Errorf("%s: an item after the error", name)
			}
			if last = err; err == nil {
				got++
			}
			if got == 3 && test.want == task.ErrCancelled {
				stop()
			}
		}
		stop()
		if got != 3 || !errors.Is(last, test.want) {
			t.Errorf("%s: got %d items and %v, want 3 and %v", name, got, last, test.want)
		}
		f.awaitStop(t)
	}
	drainAll(t, c, 2)
}

func wrap(ctx context.Context, stop context.CancelFunc) (context.Context, func()) { return ctx, stop }

func TestAStreamMayTakeNoLongerThanItsTimeout(t *testing.T) {
	c := nodetest.Start(t, 1)
	f := newFlow(t, make(chan int))
	items, err := read(flowing.With(task.Timeout(50*time.Millisecond)).Stream(c.Context(0), flowRequest{Flow: f.name, N: 1}))
	if len(items) > 0 || !errors.Is(err, task.ErrDeadline) {
		t.Errorf("got %v, %v, want ErrDeadline", items, err)
	}
	f.awaitStop(t)
}

func TestLeavingTheLoopEndsTheProducersCtx(t *testing.T) {
	everywhere(t, func(t *testing.T, where ...nodetest.Option) {
		c := nodetest.Start(t, 2, where...)
		for name, hold := range map[string]chan int{"blocked by yield": nil, "not yielding": make(chan int, 1)} {
			f := newFlow(t, hold)
			if hold != nil {
				f.hold <- 3
			}
			got := 0
			for _, err := range flowing.Stream(c.Context(0), flowRequest{Flow: f.name, N: 1000}) {
				if err != nil {
					t.Fatal(err)
				}
				if got++; got == 3 {
					break
				}
			}
			if s := f.awaitStop(t); !errors.Is(s.cause, task.ErrCancelled) || !errors.Is(s.yield, task.ErrCancelled) {
				t.Errorf("%s: yield returned %v, the ctx has ended with %v", name, s.yield, s.cause)
			}
		}
		drainAll(t, c, 2)
	})
}

func TestAProducerIsNoFurtherAheadThanItsCredit(t *testing.T) {
	c := nodetest.Start(t, 2, nodetest.CPUs(1))
	for name, test := range map[string]struct {
		opts  []task.Option
		size  int
		ahead int64 // items
	}{
		"as a rule":          {nil, 0, 16},
		"one":                {[]task.Option{task.Ahead(1)}, 0, 1},
		"five":               {[]task.Option{task.Ahead(5)}, 0, 5},
		"in bytes":           {[]task.Option{task.AheadBytes(10_500)}, 1000, 10}, // an item is a few bytes more
		"less than one item": {[]task.Option{task.AheadBytes(10)}, 1000, 1},
		"a MiB":              {[]task.Option{task.Ahead(100)}, 60_000, 17},
		"of large items":     {nil, 300_000, 3},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFlow(t, nil)
			const count = 40
			taken := int64(0)
			for v, err := range flowing.With(test.opts...).Stream(c.Context(0), flowRequest{Flow: f.name, N: count, Size: test.size}) {
				if err != nil {
					t.Fatal(err)
				}
				if v.N != int(taken) || len(v.Filler) != test.size {
					t.Fatalf("item %d of %d bytes came, want %d of %d", v.N, len(v.Filler), taken, test.size)
				}
				taken++
				if taken%10 == 0 { // time to run ahead: it comes to where it has to stop
					want := min(count, taken+test.ahead/2)
					if got := f.awaitYielded(want); got < want {
						t.Errorf("after %d items %d are yielded, want at least %d", taken, got, want)
					}
				}
				if got := f.yielded.Load(); got > taken+test.ahead {
					t.Errorf("%d items were yielded and %d taken, want at most %d more", got, taken, test.ahead)
				}
			}
			if taken != count {
				t.Errorf("%d items came, want %d", taken, count)
			}
			f.awaitStop(t)
		})
	}
}

func TestLargeItemsTravelThroughTheObjectStore(t *testing.T) {
	c := nodetest.Start(t, 2, nodetest.Configure(clientsOfNode1))
	sizes := []int{10, objstore.InlineLimit, objstore.InlineLimit + 1, 0, 3 << 20, 100_000, 1 << 20}
	n := 0
	for v, err := range sized.Stream(c.Context(0), sizes) {
		if err != nil {
			t.Fatal(err)
		}
		if len(v) != sizes[n] || slices.ContainsFunc(v, func(b byte) bool { return b != byte(n) }) {
			t.Errorf("item %d has %d bytes, want %d, each %d", n, len(v), sizes[n], n)
		}
		n++
	}
	if n != len(sizes) {
		t.Errorf("%d items came, want %d", n, len(sizes))
	}
	for _, err := range sized.Stream(c.Context(0), sizes[2:]) { // what is left is deleted with the node
		if err != nil {
			t.Error(err)
		}
		break
	}
}

func TestAConsumerAndItsProducerShareOneCPU(t *testing.T) {
	c := nodetest.Start(t, 1, nodetest.CPUs(1))
	if got := get(t, c.Context(0), relayed.Go(c.Context(0), 1000)); got != 499_500 {
		t.Errorf("got %d", got)
	}
	wantAllFree(t, c.Node(0))
}

func TestAHundredStreamsAtOnce(t *testing.T) {
	c := nodetest.Start(t, 3, nodetest.CPUs(4))
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			items, err := read(upTo.Stream(c.Context(i%3), i))
			if err != nil {
				t.Error(err)
			}
			wantUpTo(t, items, i)
		})
	}
	all.Wait()
	drainAll(t, c, 3)
}

func TestLostItemsComeOnceAllTheSame(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, where ...nodetest.Option) {
		t.Parallel()
		c := nodetest.Start(t, 2, append(where, nodetest.Configure(clientsOfNode1))...)
		for _, rate := range []float64{0.02, 0.1} {
			c.Drop(rate)
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					items, err := read(upTo.With(task.Retries(0)).Stream(c.Context(0), 400))
					if err != nil {
						t.Error(err)
					}
					wantUpTo(t, items, 400)
				})
			}
			all.Wait()
		}
		if c.Dropped() == 0 {
			t.Error("nothing was lost")
		}
		c.Drop(0)
		drainAll(t, c, 2)
	})
}

func TestItemsSurviveBrokenConnections(t *testing.T) {
	t.Parallel()
	c := nodetest.Start(t, 2, nodetest.Configure(clientsOfNode1))
	var items []int
	for v, err := range upTo.Stream(c.Context(0), 3000) {
		if err != nil {
			t.Fatal(err)
		}
		if items = append(items, v); len(items)%1000 == 500 {
			c.Disconnect(len(items) / 1000 % 2)
		}
	}
	wantUpTo(t, items, 3000)
}

// The producer waits for credit that never comes.
func TestAProducerDoesNotOutliveItsConsumersNode(t *testing.T) {
	for name, lose := range map[string]func(*testing.T, *nodetest.Cluster, int){
		"killed": func(_ *testing.T, c *nodetest.Cluster, i int) { c.Kill(i) },
		"closed": closeNode,
		"silent": func(_ *testing.T, c *nodetest.Cluster, i int) { c.Pause(i) },
	} {
		t.Run(name, func(t *testing.T) {
			nodetest.Virtual(t, func(t *testing.T) {
				c := nodetest.Start(t, 2, nodetest.Configure(clientsOfNode1))
				f := newFlow(t, nil)
				for _, err := range flowing.Stream(c.Context(0), flowRequest{Flow: f.name, N: 1000}) {
					if err != nil {
						t.Fatal(err)
					}
					f.awaitYielded(16)
					lose(t, c, 0)
					if s := f.awaitStop(t); s.cause == nil || s.yield == nil {
						t.Errorf("its ctx has ended with %v, and yield returned %v", s.cause, s.yield)
					}
					break
				}
				c.AwaitMembers(1)
				c.Await("its CPU is free again", func() bool { // a moment after the function has said that it stops
					total, free := c.Node(1).Resources()
					return total.String() == free.String()
				})
			})
		})
	}
}

func TestANodeThatClosesEndsTheStreamsThatItReads(t *testing.T) {
	c := nodetest.Start(t, 2, nodetest.Configure(clientsOfNode1))
	f := newFlow(t, make(chan int, 1))
	f.hold <- 2
	got := 0
	var last error
	for _, err := range flowing.Stream(c.Context(0), flowRequest{Flow: f.name, N: 10}) {
		if last = err; err == nil {
			if got++; got == 2 {
				closeNode(t, c, 0)
			}
		}
	}
	if got != 2 || last == nil {
		t.Errorf("got %d items and %v", got, last)
	}
}

func TestAFunctionIsCalledAsWhatItIs(t *testing.T) {
	c := nodetest.Start(t, 1)
	ctx := c.Context(0)
	_, err := task.Declare[int, int]("up_to").Call(ctx, 3)
	if !errors.Is(err, task.ErrArgument) || !strings.Contains(err.Error(), "it is a streaming function") {
		t.Errorf("a streaming function that is called: %v", err)
	}
	for _, err := range []error{
		last(task.DeclareStream[int, int]("double").Stream(ctx, 3)),
		last(task.DeclareStream[string, int]("two_args").Stream(ctx, "x")),
		last(task.DeclareStream[int, int]("zero_args").Stream(ctx, 3)),
	} {
		if !errors.Is(err, task.ErrArgument) || !strings.Contains(err.Error(), "it is no streaming function") {
			t.Errorf("a function that is streamed: %v", err)
		}
	}
	for name, test := range map[string]struct {
		seq  func(func(int, error) bool)
		says string
	}{
		"a zero value":     {task.StreamFunc[int, int]{}.Stream(ctx, 1), "zero function value"},
		"nobody serves it": {task.DeclareStream[int, int]("nowhere").Stream(ctx, 1), "no node serves"},
		"no node":          {upTo.Stream(context.Background(), 1), "no node in ctx"},
		"a wrong option":   {upTo.With(task.Ahead(0)).Stream(ctx, 1), "0 items ahead"},
		"wrong bytes":      {upTo.With(task.AheadBytes(-1)).Stream(ctx, 1), "-1 bytes ahead"},
		"another item":     {task.DeclareStream[int, int]("sized").Stream(ctx, 1), "argument"},
	} {
		if err := last(test.seq); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func last[R any](seq func(func(R, error) bool)) error {
	_, err := read(seq)
	return err
}

func clientsOfNode1(i int, cfg *node.Config) { cfg.ClientOnly = i < 1 }
