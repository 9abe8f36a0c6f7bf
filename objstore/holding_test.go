package objstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"manta/bus"
	"manta/internal/member"
	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

// awaitNothing waits until no node keeps anything of refs. Nobody is told of that, so it asks again and again.
func awaitNothing(t *testing.T, c *nodetest.Cluster, nodes ...int) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		runtime.GC()
		clean := true
		for _, i := range nodes {
			clean = clean && storeOf(t, c.Context(i)).Bookkeeping() == objstore.Bookkeeping{}
		}
		switch {
		case clean:
			return
		case time.Now().After(deadline):
			for _, i := range nodes {
				t.Errorf("node %d still keeps %+v", i, storeOf(t, c.Context(i)).Bookkeeping())
			}
			t.FailNow()
		}
	}
}

// collect lets go of what nobody holds: three rounds, since what a value names goes after the value.
func collect() {
	for range 3 {
		runtime.GC()
	}
}

// box carries a ref, and enough beside it to be large if its Padding is.
type box struct {
	Ref     objstore.Ref[[]float64]
	Padding []byte
}

var (
	boxes = task.Define("box", func(ctx context.Context, n int) (box, error) {
		return box{objstore.Put(ctx, floats(mebibyte)), make([]byte, n)}, nil
	})
	openBox  = task.Define("open_box", func(ctx context.Context, b box) (int, error) { return length(b.Ref.Get(ctx)) })
	echoRefs = task.Define("echo_refs", func(_ context.Context, refs []objstore.Ref[int]) ([]objstore.Ref[int], error) { return refs, nil })
	failBox  = task.Define("fail_box", func(ctx context.Context, b box) (int, error) { return 0, errors.New("no") })
	sameBox  = task.Define("same_box", func(_ context.Context, b box) (box, error) { return b, nil })
	chain    task.Func[link, int]
)

func length(v []float64, err error) (int, error) { return len(v), err }

// link is a step of a chain of tasks, each of which passes on a ref that it got.
type link struct {
	Box  box
	Left int
}

func init() {
	chain = task.Define("chain", func(ctx context.Context, l link) (int, error) {
		if l.Left == 0 {
			return length(l.Box.Ref.Get(ctx))
		}
		return chain.Call(ctx, link{l.Box, l.Left - 1})
	})
}

//go:noinline
func copyAndDrop(t *testing.T, ctx context.Context) {
	r := objstore.Put(ctx, floats(mebibyte))
	copies := map[objstore.Ref[[]float64]]int{r: 1}
	again := r
	get(t, ctx, again)
	if copies[again] != 1 {
		t.Error("a copy of a ref is another ref")
	}
}

func TestARefThatIsCopiedInAProcessCountsOnce(t *testing.T) {
	c, bucket := start(t, 1)
	copyAndDrop(t, c.Context(0))
	bucket.awaitEmpty()
	awaitNothing(t, c, 0)
}

//go:noinline
func sendAndDrop(t *testing.T, ctx context.Context, padding int) {
	b := box{objstore.Put(ctx, floats(mebibyte)), make([]byte, padding)}
	if n := get(t, ctx, openBox.Go(ctx, b)); n != mebibyte {
		t.Errorf("the task read %d numbers", n)
	}
	if err := getError(t, ctx, failBox.Go(ctx, b)); err == nil {
		t.Error("the task did not fail")
	}
}

func TestWhatTravelledInsideAnArgumentGoesWhenNobodyHasItAnyMore(t *testing.T) {
	for name, padding := range map[string]int{"small": 1, "large": objstore.InlineLimit} {
		t.Run(name, func(t *testing.T) {
			c, bucket := start(t, 2, nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i == 0 }))
			sendAndDrop(t, c.Context(0), padding)
			bucket.awaitEmpty()
			awaitNothing(t, c, 0, 1)
		})
	}
}

//go:noinline
func receiveAndDrop(t *testing.T, ctx context.Context, padding int) {
	b := get(t, ctx, boxes.Go(ctx, padding))
	collect()
	if got := get(t, ctx, b.Ref); len(got) != mebibyte {
		t.Errorf("got %d numbers", len(got))
	}
	back := get(t, ctx, sameBox.Go(ctx, b))
	if back.Ref != b.Ref {
		t.Errorf("%v came back as %v", b.Ref, back.Ref)
	}
}

func TestWhatCameInsideAResultLivesUntilItIsDropped(t *testing.T) {
	for name, padding := range map[string]int{"small": 1, "large": objstore.InlineLimit} {
		t.Run(name, func(t *testing.T) {
			c, bucket := start(t, 2, nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i == 0 }))
			receiveAndDrop(t, c.Context(0), padding)
			bucket.awaitEmpty()
			awaitNothing(t, c, 0, 1)
		})
	}
}

//go:noinline
func receiveManyAndKeepOne(t *testing.T, ctx context.Context) objstore.Ref[box] {
	refs := boxes.Map(ctx, []int{1, 1, 1, 1, 1, 1, 1, 1})
	if _, err := objstore.GetAll(ctx, refs); err != nil {
		t.Error(err)
	}
	return refs[3]
}

func TestAResultKeepsNothingOfThoseThatCameWithIt(t *testing.T) {
	c, bucket := start(t, 2, nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i == 0 }))
	kept := receiveManyAndKeepOne(t, c.Context(0))
	bucket.awaitUsage(3 << 19) // bytes of one and a half
	if b := get(t, c.Context(0), kept); len(get(t, c.Context(0), b.Ref)) != mebibyte {
		t.Error("what the one that is kept holds is gone")
	}
}

//go:noinline
func putNested(ctx context.Context, padding int) objstore.Ref[box] {
	return objstore.Put(ctx, box{objstore.Put(ctx, floats(mebibyte)), make([]byte, padding)})
}

//go:noinline
func readNested(t *testing.T, ctx context.Context, outer objstore.Ref[box]) {
	if got := get(t, ctx, get(t, ctx, outer).Ref); len(got) != mebibyte {
		t.Errorf("got %d numbers", len(got))
	}
}

//go:noinline
func nestAndDrop(t *testing.T, c *nodetest.Cluster, padding int) {
	outer := putNested(c.Context(0), padding)
	collect()
	if err := outer.Stored(c.Context(0)); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		readNested(t, c.Context(i), outer)
		collect()
	}
	readNested(t, c.Context(1), outer)
}

func TestARefThatIsOnlyInsideAnotherObjectStaysReadable(t *testing.T) {
	for name, padding := range map[string]int{"small": 1, "large": objstore.InlineLimit} {
		t.Run(name, func(t *testing.T) {
			c, bucket := start(t, 3)
			nestAndDrop(t, c, padding)
			bucket.awaitEmpty()
			awaitNothing(t, c, 0, 1, 2)
		})
	}
}

//go:noinline
func chainAndDrop(t *testing.T, ctx context.Context) {
	ref := chain.Go(ctx, link{box{Ref: objstore.Put(ctx, floats(mebibyte))}, 10})
	collect()
	if n := get(t, ctx, ref); n != mebibyte {
		t.Errorf("the tail read %d numbers", n)
	}
}

func TestANestedRefLivesToTheTailOfAChainOfTasksAndNoLonger(t *testing.T) {
	c, bucket := start(t, 3)
	chainAndDrop(t, c.Context(0))
	bucket.awaitEmpty()
	awaitNothing(t, c, 0, 1, 2)
}

// startWithClient starts a cluster whose node 0 only submits, and connects a plain client with it.
func startWithClient(t *testing.T, n int) (*nodetest.Cluster, *nats.Conn) {
	t.Helper()
	var inside []nats.Option
	c := nodetest.Start(t, n, nodetest.Configure(func(i int, cfg *node.Config) {
		if cfg.ClientOnly = i == 0; i == 0 {
			inside = cfg.Options
		}
	}))
	nc, err := nats.Connect(nats.DefaultURL, inside...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return c, nc
}

// stranger is an owner that is no node: it hears what is said to it, and answers when the test says so.
type stranger struct {
	id    objstore.ID // of an object of its own
	heard chan *nats.Msg
}

// meetStranger has a stranger listen at a cluster's server.
func meetStranger(t *testing.T, nc *nats.Conn) stranger {
	t.Helper()
	s := stranger{objstore.NewID(member.NewID(), 1), make(chan *nats.Msg, 100)}
	sub, err := nc.ChanSubscribe("manta.default.node."+s.id.Owner().String()+".object", s.heard)
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sub.Unsubscribe() })
	return s
}

// ref is a ref to the stranger's object.
func (s stranger) ref(t *testing.T) (r objstore.Ref[int]) {
	t.Helper()
	if err := json.Unmarshal(fmt.Appendf(nil, `{"$ref":%q}`, s.id), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// hear waits for what is said to the stranger.
func (s stranger) hear(t *testing.T) *nats.Msg {
	t.Helper()
	select {
	case msg := <-s.heard:
		return msg
	case <-time.After(patience):
		t.Fatal("nothing is said to the owner")
	}
	return nil
}

// nod answers what was said: it is taken note of.
func nod(t *testing.T, msg *nats.Msg) {
	t.Helper()
	if err := msg.Respond([]byte{0xc1, 1, 'o', 'd'}); err != nil {
		t.Fatal(err)
	}
}

var glances = task.Define("glance", func(_ context.Context, refs []objstore.Ref[int]) (int, error) { return len(refs), nil })

func TestATaskIsNotAnsweredBeforeTheRefsInItsArgumentsAreRegistered(t *testing.T) {
	c, nc := startWithClient(t, 2)
	ctx := c.Context(0)
	s := meetStranger(t, nc)
	registered := glances.Go(ctx, []objstore.Ref[int]{s.ref(t)})
	said := s.hear(t)
	for range 10 { // they come after it, and are answered
		if n := get(t, ctx, glances.Go(ctx, nil)); n != 0 {
			t.Errorf("got %d", n)
		}
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := registered.Get(over); !errors.Is(err, context.Canceled) {
		t.Errorf("it was answered before the owner knew of the refs: %v", err)
	}
	nod(t, said)
	if n := get(t, ctx, registered); n != 1 {
		t.Errorf("the task saw %d refs", n)
	}
}

func TestNothingWaitsForAnOwnerToHearOfAHandleThatIsGone(t *testing.T) {
	c, nc := startWithClient(t, 1)
	store, s := storeOf(t, c.Context(0)), meetStranger(t, nc)
	arrive := func() *objstore.Arrival { return store.Arrive(&bus.Refs{IDs: []bus.RefID{bus.RefID(s.ref(t).ID())}}) }
	first := arrive()
	s.hear(t) // and says nothing
	collect()
	second := arrive() // whether the node has noticed or not
	c.Await("nothing waits", func() bool {
		runtime.GC()
		return !first.Pending() && !second.Pending()
	})
}

func TestALoanLastsUntilTheRefsInAResultAreRegistered(t *testing.T) {
	c, nc := startWithClient(t, 2)
	ctx := c.Context(0)
	s := meetStranger(t, nc)
	var r []objstore.Ref[int]
	result := echoRefs.Go(ctx, []objstore.Ref[int]{s.ref(t)})
	nod(t, s.hear(t)) // the node that runs the task
	r = get(t, ctx, result)
	said := s.hear(t) // the node that gets the result
	if lent := storeOf(t, c.Context(1)).Bookkeeping().Lent; lent != 1 {
		t.Errorf("%d values are lent while its owner does not know that one is kept, want 1", lent)
	}
	nod(t, said)
	c.Await("the loan is over", func() bool { return storeOf(t, c.Context(1)).Bookkeeping().Lent == 0 })
	runtime.KeepAlive(r)
}
