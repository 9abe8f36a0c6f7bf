package shared_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"manta/actor"
	"manta/actor/shared"
	"manta/bus"
	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

func TestAQueueGivesWhatWasPutInItsOrder(t *testing.T) {
	_, ctx := hostAndClients(t, 2)
	q := shared.NewQueue[string](ctx[1], 0)
	for i := range 50 {
		if err := q.Put(ctx[1], fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := q.Len(ctx[2]); err != nil || n != 50 {
		t.Errorf("the queue has %d, %v", n, err)
	}
	for i := range 50 {
		if got, err := q.Get(ctx[2]); err != nil || got != fmt.Sprint(i) {
			t.Fatalf("got %q, %v, want %d", got, err, i)
		}
	}
	if empty, err := q.Empty(ctx[2]); err != nil || !empty {
		t.Errorf("empty: %v, %v", empty, err)
	}
}

func TestPutWaitsForRoomAndGetForAnItem(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		_, ctx := hostAndClients(t, 2)
		q := shared.NewQueue[int](ctx[1], 2)
		var got int
		get := begin(func() (err error) { got, err = q.Get(ctx[2]); return err })
		if !get.waits() {
			t.Error("Get of an empty queue does not wait")
		}
		if err := q.Put(ctx[1], 1); err != nil || get.end() != nil || got != 1 {
			t.Errorf("got %d, %v, %v", got, err, get.err)
		}
		for _, v := range []int{2, 3} {
			if err := q.Put(ctx[1], v); err != nil {
				t.Fatal(err)
			}
		}
		if full, err := q.Full(ctx[1]); err != nil || !full {
			t.Errorf("full: %v, %v", full, err)
		}
		put := begin(func() error { return q.Put(ctx[1], 4) })
		if !put.waits() {
			t.Error("Put into a full queue does not wait")
		}
		if n, err := q.Len(ctx[0]); err != nil || n != 2 { // the actor serves others meanwhile
			t.Errorf("the queue has %d, %v", n, err)
		}
		for _, want := range []int{2, 3, 4} {
			if got, err := q.Get(ctx[2]); err != nil || got != want {
				t.Errorf("got %d, %v, want %d", got, err, want)
			}
		}
		if err := put.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestTryingDoesNotWait(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		_, ctx := hostAndClients(t, 1)
		q := shared.NewQueue[int](ctx[1], 2)
		if _, err := q.TryGet(ctx[1]); !errors.Is(err, shared.ErrEmpty) {
			t.Errorf("an empty queue: %v", err)
		}
		if err := errors.Join(q.TryPut(ctx[1], 1), q.TryPut(ctx[1], 2)); err != nil {
			t.Error(err)
		}
		if err := q.TryPut(ctx[1], 3); !errors.Is(err, shared.ErrFull) {
			t.Errorf("a full queue: %v", err)
		}
		if got, err := q.TryGet(ctx[1]); err != nil || got != 1 {
			t.Errorf("got %d, %v", got, err)
		}
		wide := begin(func() error { return q.PutAll(ctx[1], []int{3, 4}) })
		if err := q.TryPut(ctx[1], 5); !wide.waits() || !errors.Is(err, shared.ErrFull) { // nobody overtakes
			t.Errorf("somebody waits for room: %v", err)
		}
		if _, err := q.GetAll(ctx[1], 1); err != nil || wide.end() != nil {
			t.Errorf("%v, %v", err, wide.err)
		}
	})
}

func TestABatchGoesInAndOutAsAWholeOrNotAtAll(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		_, ctx := hostAndClients(t, 1)
		q := shared.NewQueue[int](ctx[1], 5)
		if err := q.TryPutAll(ctx[1], []int{1, 2, 3}); err != nil {
			t.Fatal(err)
		}
		if err := q.TryPutAll(ctx[1], []int{4, 5, 6}); !errors.Is(err, shared.ErrFull) {
			t.Errorf("got %v, want ErrFull", err)
		}
		if _, err := q.TryGetAll(ctx[1], 4); !errors.Is(err, shared.ErrEmpty) {
			t.Errorf("got %v, want ErrEmpty", err)
		}
		if n, err := q.Len(ctx[1]); err != nil || n != 3 {
			t.Errorf("the queue has %d, %v, want 3 as before", n, err)
		}
		var got []int
		get := begin(func() (err error) { got, err = q.GetAll(ctx[1], 5); return err })
		if !get.waits() {
			t.Error("GetAll does not wait for as many as it wants")
		}
		if err := q.PutAll(ctx[1], []int{4, 5, 6}); err != nil { // more than there is room for, if nobody waited for them
			t.Error(err)
		}
		if err := get.end(); err != nil || !slices.Equal(got, []int{1, 2, 3, 4, 5}) {
			t.Errorf("got %v, %v", got, err)
		}
		if got, err := q.TryGetAll(ctx[1], 1); err != nil || got[0] != 6 {
			t.Errorf("got %v, %v", got, err)
		}
		if err := q.PutAll(ctx[1], nil); err != nil {
			t.Errorf("nothing was put: %v", err)
		}
	})
}

func TestFourProducersAndFourConsumersOnOtherNodesHandOverEveryItemOnce(t *testing.T) {
	const each, producers = 60, 4
	_, ctx := hostAndClients(t, 2*producers)
	q := shared.NewQueue[int](ctx[1], 10)
	var (
		putting, getting sync.WaitGroup
		mu               sync.Mutex
		seen             = make(map[int]int)
	)
	for p := range producers {
		putting.Go(func() {
			for i := range each {
				if err := q.Put(ctx[1+p], p*each+i); err != nil {
					t.Error(err)
					return
				}
			}
		})
		getting.Go(func() {
			last := make(map[int]int) // of each producer, as this consumer sees it
			for v, err := range q.All(ctx[1+producers+p]) {
				if err != nil {
					t.Error(err)
					return
				}
				if before, ok := last[v/each]; ok && before >= v {
					t.Errorf("%d comes after %d", v, before)
				}
				last[v/each] = v
				mu.Lock()
				seen[v]++
				mu.Unlock()
			}
		})
	}
	putting.Wait()
	if err := q.Shutdown(ctx[0]); err != nil {
		t.Error(err)
	}
	getting.Wait()
	for v := range producers * each {
		if seen[v] != 1 {
			t.Errorf("%d came %d times", v, seen[v])
		}
	}
}

func TestGetsThatAreCancelledAsItemsComeLoseNone(t *testing.T) {
	const items = 150
	_, ctx := hostAndClients(t, 3)
	q := shared.NewQueue[int](ctx[1], 0)
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		seen = make(map[int]int)
		cut  int
	)
	for k := range 4 {
		wg.Go(func() {
			at := ctx[2+k%2]
			for attempt := 0; ; attempt++ {
				getting, cancel := context.WithCancel(at)
				if attempt%3 > 0 { // about as long as a Get takes
					time.AfterFunc(time.Duration(attempt%17)*50*time.Microsecond, cancel)
				}
				v, err := q.Get(getting)
				cancel()
				mu.Lock()
				switch {
				case err == nil:
					seen[v]++
				case errors.Is(err, context.Canceled):
					cut++
				}
				mu.Unlock()
				if errors.Is(err, shared.ErrShutdown) {
					return
				}
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range items {
		if err := q.Put(ctx[1], i); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Shutdown(ctx[1]); err != nil {
		t.Error(err)
	}
	wg.Wait()
	for v := range items {
		if seen[v] != 1 {
			t.Errorf("%d came %d times", v, seen[v])
		}
	}
	if cut == 0 {
		t.Error("no Get was cancelled")
	}
}

func TestAPutThatIsCancelledWhileItWaitsPutsNothing(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		_, ctx := hostAndClients(t, 1)
		q := shared.NewQueue[int](ctx[1], 1)
		if err := q.Put(ctx[1], 1); err != nil {
			t.Fatal(err)
		}
		cause := errors.New("never mind")
		ending, cancel := context.WithCancelCause(ctx[1])
		put := begin(func() error { return q.Put(ending, 2) })
		behind := begin(func() error { return q.Put(ctx[1], 3) })
		cancel(cause)
		if err := put.end(); !errors.Is(err, cause) {
			t.Errorf("got %v, want the cause", err)
		}
		if err := q.Put(ending, 4); !errors.Is(err, cause) {
			t.Errorf("with a ctx that has ended: %v", err)
		}
		for _, want := range []int{1, 3} {
			if got, err := q.Get(ctx[1]); err != nil || got != want {
				t.Errorf("got %d, %v, want %d", got, err, want)
			}
		}
		if err := behind.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestAGetOfAProcessThatIsKilledTakesNothing(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, ctx := hostAndClients(t, 2)
		q := shared.NewQueue[int](ctx[1], 0)
		if err := q.PutAll(ctx[1], []int{1, 2, 3}); err != nil {
			t.Fatal(err)
		}
		if got, _, err := shared.TakeInHand(ctx[2], q, 2); err != nil || !slices.Equal(got, []int{1, 2}) {
			t.Fatalf("got %v, %v", got, err)
		}
		wide := begin(func() error { _, err := q.GetAll(ctx[2], 5); return err })
		get := begin(func() error { _, err := q.Get(ctx[1]); return err })
		if !get.waits() {
			t.Error("a Get overtakes one that waits for more")
		}
		c.Kill(2)
		if err := get.end(); err != nil {
			t.Error(err)
		}
		if got, err := q.GetAll(ctx[1], 2); err != nil || !slices.Equal(got, []int{2, 3}) {
			t.Errorf("what is left is %v, %v", got, err)
		}
		if wide.end() == nil {
			t.Error("a Get of a node that was killed has items")
		}
	})
}

func TestAGetWhoseAnswerCannotBeSentTakesNothing(t *testing.T) {
	c := nodetest.Start(t, 2, nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly, cfg.ObjectQuota = i > 0, 1<<10 }))
	ctx := timeout(t, c.Context(1))
	q := shared.NewQueue[string](ctx, 0)
	for _, letter := range []string{"a", "b", "c"} {
		if err := q.Put(ctx, strings.Repeat(letter, 40<<10)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := q.GetAll(ctx, 3); !errors.Is(err, objstore.ErrFull) { // together they are a large object
		t.Fatalf("got %v, want ErrFull", err)
	}
	for _, letter := range []string{"a", "b", "c"} {
		if got, err := q.Get(ctx); err != nil || got[:1] != letter {
			t.Errorf("got %.1q, %v, want %s", got, err, letter)
		}
	}
}

func TestANodeThatWasTakenForLostDoesNotKeepWhatOthersGot(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, ctx := hostAndClients(t, 2)
		q := shared.NewQueue[int](ctx[1], 0)
		if err := q.PutAll(ctx[1], []int{7, 8}); err != nil {
			t.Fatal(err)
		}
		_, confirm, err := shared.TakeInHand(ctx[2], q, 1)
		if err != nil {
			t.Fatal(err)
		}
		c.Pause(2)
		c.AwaitMembers(0, 1)
		if got, err := q.Get(ctx[1]); err != nil || got != 7 {
			t.Errorf("got %d, %v", got, err)
		}
		c.Resume(2)
		c.AwaitMembers(0, 1, 2)
		if confirm() {
			t.Error("the node keeps an item that another got")
		}
		if got, err := q.Get(ctx[2]); err != nil || got != 8 {
			t.Errorf("got %d, %v", got, err)
		}
	})
}

// relay is a task that is given two queues.
var relay = task.Define2("relay", func(ctx context.Context, qs []shared.Queue[letter], n int) (task.None, error) {
	for range n {
		l, err := qs[0].Get(ctx)
		if err != nil {
			return task.None{}, err
		}
		l.Text += "!"
		if err := qs[1].Put(ctx, l); err != nil {
			return task.None{}, err
		}
	}
	return task.None{}, nil
})

// letter is a value with a ref inside.
type letter struct {
	Text  string
	Parts []objstore.Ref[string]
}

//go:noinline
func send(ctx context.Context, q shared.Queue[letter]) error {
	return q.Put(ctx, letter{"hello", []objstore.Ref[string]{objstore.Put(ctx, "enclosed")}})
}

func TestAQueueTravelsAndKeepsTheRefsInItsItems(t *testing.T) {
	ctx := timeout(t, nodetest.Start(t, 3).Context(0))
	a, b := shared.NewQueue[letter](ctx, 0), shared.NewQueue[letter](ctx, 0)
	if err := send(ctx, a); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		runtime.GC() // the queue alone has the ref
	}
	relayed := relay.Go(ctx, []shared.Queue[letter]{a, b}, 1)
	got, err := b.Get(ctx)
	if err != nil || got.Text != "hello!" || len(got.Parts) != 1 {
		t.Fatalf("got %v, %v", got, err)
	}
	if enclosed, err := got.Parts[0].Get(ctx); err != nil || enclosed != "enclosed" {
		t.Errorf("enclosed is %q, %v", enclosed, err)
	}
	if _, err := relayed.Get(ctx); err != nil {
		t.Error(err)
	}
	if err := a.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if _, err := relay.Call(ctx, []shared.Queue[letter]{a, b}, 1); !errors.Is(err, shared.ErrShutdown) { // its error travels too
		t.Errorf("got %v, want ErrShutdown", err)
	}
}

func TestItemsOfEveryKindComeAsTheyWerePut(t *testing.T) {
	_, ctx := hostAndClients(t, 1)
	passes(t, ctx[1], []byte{1, 2, 3})
	passes(t, ctx[1], []float64{1.5, 2.5, 3.5})
	passes(t, ctx[1], map[string][]int(nil))
	passes(t, ctx[1], struct{ A, B any }{int64(1), "b"})
	passes(t, ctx[1], strings.Repeat("large", 1<<18)) // more than a message takes
}

func passes[T any](t *testing.T, ctx context.Context, v T) {
	t.Helper()
	q := shared.NewQueue[T](ctx, 0)
	if err := q.Put(ctx, v); err != nil {
		t.Errorf("%T: %v", v, err)
	}
	got, err := q.Get(ctx)
	if fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", v) || err != nil {
		t.Errorf("%T came as %.100v, %v", v, got, err)
	}
}

func TestAQueueIsFoundByItsName(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		_, ctx := hostAndClients(t, 2)
		if _, err := shared.LookupQueue[int](ctx[1], "jobs"); !errors.Is(err, actor.ErrNotFound) {
			t.Errorf("nobody has the name: %v", err)
		}
		if err := shared.GetOrNewQueue[int](ctx[1], "jobs", 1).Put(ctx[1], 5); err != nil {
			t.Fatal(err)
		}
		found, err := shared.LookupQueue[int](ctx[2], "jobs")
		if err != nil || found != shared.GetOrNewQueue[int](ctx[2], "jobs", 1) && found.String() != "shared.Queue[int](jobs)" {
			t.Errorf("found %v, %v", found, err)
		}
		other, err := shared.LookupQueue[[]string](ctx[2], "jobs")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.Get(ctx[2]); err == nil || !strings.Contains(err.Error(), "queue jobs: an item is no []string, and stays in the queue") {
			t.Errorf("an item of another type: %v", err)
		}
		if got, err := found.Get(ctx[2]); err != nil || got != 5 {
			t.Errorf("got %d, %v", got, err)
		}
		if err := found.Kill(ctx[2]); err != nil {
			t.Error(err)
		}
		if _, err := found.Get(ctx[2]); !errors.Is(err, actor.ErrDead) {
			t.Errorf("a queue that was killed: %v", err)
		}
	})
}

func TestAfterShutdownGetsTakeWhatIsLeftAndPutsFail(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		_, ctx := hostAndClients(t, 2)
		q := shared.NewQueue[int](ctx[1], 2)
		if err := q.PutAll(ctx[1], []int{1, 2}); err != nil {
			t.Fatal(err)
		}
		put := begin(func() error { return q.Put(ctx[1], 3) })
		for range 2 {
			if err := q.Shutdown(ctx[2]); err != nil {
				t.Error(err)
			}
		}
		if err := put.end(); !errors.Is(err, shared.ErrShutdown) {
			t.Errorf("a Put that waits: %v", err)
		}
		if err := q.TryPut(ctx[1], 3); !errors.Is(err, shared.ErrShutdown) {
			t.Errorf("a later Put: %v", err)
		}
		if _, err := q.GetAll(ctx[2], 2); err != nil {
			t.Error(err)
		}
		if _, err := q.TryGet(ctx[2]); !errors.Is(err, shared.ErrShutdown) {
			t.Errorf("a Get of nothing: %v", err)
		}
		for v, err := range q.All(ctx[2]) {
			t.Errorf("a queue that is shut down gives %d, %v", v, err)
		}
	})
}

func TestGetsThatWaitWhenAQueueIsShutDownEnd(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		_, ctx := hostAndClients(t, 1)
		q := shared.NewQueue[int](ctx[1], 0)
		get := begin(func() error { _, err := q.Get(ctx[1]); return err })
		if err := q.Shutdown(ctx[0]); err != nil {
			t.Error(err)
		}
		if err := get.end(); !errors.Is(err, shared.ErrShutdown) {
			t.Errorf("got %v, want ErrShutdown", err)
		}
	})
}

func TestANodeDrainsAlthoughGetsWaitForItsQueue(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, ctx := hostAndClients(t, 1)
		q, s, l := shared.NewQueue[int](ctx[1], 0), shared.NewSignal(ctx[1]), shared.NewSemaphore(ctx[1], 1)
		if _, err := l.Acquire(ctx[1], 1); err != nil {
			t.Fatal(err)
		}
		var waiting []*running
		for _, f := range []func() error{
			func() error { _, err := q.Get(ctx[1]); return err },
			func() error { _, err := l.Acquire(ctx[1], 1); return err },
			func() error { return s.Wait(ctx[1]) },
		} {
			waiting = append(waiting, begin(f))
		}
		begun := time.Now()
		if err := c.Node(0).Drain(ctx[0]); err != nil || time.Since(begun) > time.Second {
			t.Errorf("the drain took %v: %v", time.Since(begun), err)
		}
		for i, r := range waiting {
			if err := r.end(); !errors.Is(err, actor.ErrDead) || !strings.Contains(err.Error(), "drains") {
				t.Errorf("call %d: %v, want that the node drains", i, err)
			}
		}
	})
}

func TestWrongInputIsAnErrorThatSaysWhatIsWanted(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		_, ctxs := hostAndClients(t, 1)
		ctx := ctxs[1]
		q, l := shared.NewQueue[int](ctx, 2), shared.NewSemaphore(ctx, 2)
		_, getNone := q.GetAll(ctx, 0)
		_, getMore := q.GetAll(ctx, 3)
		_, acquireNone := l.Acquire(ctx, 0)
		_, acquireMore := l.TryAcquire(ctx, 3)
		_, ofZero := shared.Queue[int]{}.Get(ctx)
		_, ofZeroToo := shared.Semaphore{}.Acquire(ctx, 1)
		_, noNode := q.Get(t.Context())
		_, negative := shared.NewQueue[int](ctx, -1).Get(ctx)
		_, none := shared.NewSemaphore(ctx, 0).Acquire(ctx, 1)
		for _, test := range []struct {
			err  error
			says string
		}{
			{getNone, "get 0 values: want a number from 1"},
			{getMore, "3 values are more than its capacity: get fewer at once"},
			{q.PutAll(ctx, []int{1, 2, 3}), "3 values are more than its capacity: put fewer at once"},
			{acquireNone, "acquire 0 permits: want a number from 1"},
			{acquireMore, "3 permits are more than it has: acquire fewer at once"},
			{ofZero, "zero Ref"},
			{ofZeroToo, "zero Ref"},
			{shared.Signal{}.Wait(ctx), "zero Ref"},
			{noNode, bus.ErrNoNode.Error()},
			{negative, "a queue with a capacity of -1: want 0 for any number of items"},
			{none, "a semaphore of 0 permits: want a number from 1"},
			{shared.NewQueue[chan int](ctx, 0).Put(ctx, nil), "chan int"},
			{shared.NewSignal(ctx, actor.Name("a.b")).Set(ctx), `"a.b"`},
		} {
			if test.err == nil || !strings.Contains(test.err.Error(), test.says) {
				t.Errorf("got %v, want an error that says %q", test.err, test.says)
			}
		}
	})
}

func TestANodeWithARegistryOfItsOwnHostsThemOnceTheyAreRegistered(t *testing.T) {
	r := task.NewRegistry()
	shared.Register(r)
	ctx := timeout(t, nodetest.Start(t, 1, nodetest.Configure(func(_ int, cfg *node.Config) { cfg.Registry = r })).Context(0))
	q := shared.NewQueue[int](ctx, 0)
	if err := q.Put(ctx, 1); err != nil {
		t.Error(err)
	}
}
