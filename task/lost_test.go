package task_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"manta/actor"
	"manta/bus"
	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

// bulky is how many numbers a result has that goes to the bucket.
const bulky = objstore.InlineLimit/8 + 1_000

// Tasks whose results are large: the first number is of the loss that they belong to, the second their place in it. Each counts its
// runs.
var (
	source = task.Define("source", func(ctx context.Context, id [2]float64) ([]float64, error) {
		v := make([]float64, bulky)
		v[0], v[1] = id[0], id[1]
		return v, ran(ctx, v)
	})
	follow = task.Define("follow", func(ctx context.Context, before []float64) ([]float64, error) {
		v := slices.Clone(before)
		v[1]++
		return v, ran(ctx, v)
	})
	meet = task.Define2("meet", func(ctx context.Context, a, b []float64) ([]float64, error) {
		v := slices.Clone(a)
		v[1] = 100 * (a[1] + b[1])
		return v, ran(ctx, v)
	})
	// first is of a small result, which depends on a large one.
	first = task.Define("first", func(_ context.Context, v []float64) (float64, error) { return v[1], nil })

	losses    sync.Map // id → *loss
	lossCount atomic.Int64
)

// loss is a cluster that loses objects. Node 0 only submits, and no node keeps bytes that the bucket has.
type loss struct {
	*nodetest.Cluster
	t      *testing.T
	id     float64
	js     jetstream.JetStream
	ctx    context.Context // of node 0
	again  *gate           // that each task passes which runs again, if not nil
	broken error           // what each task fails with that runs again

	mu   sync.Mutex
	runs map[float64]int
	of   []task.Info
}

const objects = "OBJ_manta_default_objects"

func newLoss(t *testing.T, n int, opts ...nodetest.Option) *loss {
	t.Helper()
	c := nodetest.Start(t, n, append([]nodetest.Option{nodetest.Configure(func(i int, cfg *node.Config) {
		cfg.ClientOnly, cfg.CacheBytes = i == 0, 1
	})}, opts...)...)
	js, err := jetstream.New(c.Connect())
	if err != nil {
		t.Fatal(err)
	}
	l := &loss{Cluster: c, t: t, id: float64(lossCount.Add(1)), js: js, ctx: c.Context(0), runs: make(map[float64]int)}
	losses.Store(l.id, l)
	t.Cleanup(func() { losses.Delete(l.id) })
	return l
}

// ran counts a run.
func ran(ctx context.Context, v []float64) error {
	found, ok := losses.Load(v[0])
	if !ok {
		return errors.New("the test is over")
	}
	l, info := found.(*loss), task.Current(ctx)
	l.mu.Lock()
	l.runs[v[1]]++
	l.of = append(l.of, info)
	g, broken := l.again, l.broken
	l.mu.Unlock()
	switch {
	case info.Attempt == 1:
		return nil
	case g != nil:
		if err := enter(ctx, g.name); err != nil {
			return err
		}
	}
	return broken
}

// hold makes every task that runs again wait at a gate.
func (l *loss) hold() {
	g := newGate(l.t)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.again = g
}

// run returns what run number i was, of all.
func (l *loss) run(i int) task.Info {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if i >= len(l.of) {
		l.t.Fatalf("there were %d runs, want %d", len(l.of), i+1)
	}
	return l.of[i]
}

// make submits a source that is at this place, and waits for it.
func (l *loss) make(place float64, opts ...task.Option) objstore.Ref[[]float64] {
	l.t.Helper()
	r := source.With(opts...).Go(l.ctx, [2]float64{l.id, place})
	l.want(r, 0, place)
	return r
}

// want reads a ref on a node and wants the result of the task at this place.
func (l *loss) want(r objstore.Ref[[]float64], i int, place float64) {
	l.t.Helper()
	if v := get(l.t, l.Context(i), r); len(v) != bulky || v[0] != l.id || v[1] != place {
		l.t.Errorf("node %d reads %d numbers that begin with %v, want %d and %v, %v", i, len(v), v[:2], bulky, l.id, place)
	}
}

// wantRuns wants the task at this place to have run so often.
func (l *loss) wantRuns(place float64, n int) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.runs[place] != n {
		l.t.Errorf("task %v ran %d times, want %d", place, l.runs[place], n)
	}
}

// wantLost reads a ref on a node and wants it lost, with these words.
func (l *loss) wantLost(r objstore.Ref[[]float64], i int, words ...string) {
	l.t.Helper()
	err := getError(l.t, l.Context(i), r)
	if !errors.Is(err, objstore.ErrLost) {
		l.t.Errorf("node %d: got %v, want ErrLost", i, err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			l.t.Errorf("node %d: got %q, want it to say %q", i, err, w)
		}
	}
}

// stream is the bucket as JetStream sees it.
func (l *loss) stream() jetstream.Stream {
	l.t.Helper()
	stream, err := l.js.Stream(l.t.Context(), objects)
	if err != nil {
		l.t.Fatal(err)
	}
	return stream
}

// purge empties the bucket behind Manta's back.
func (l *loss) purge() {
	l.t.Helper()
	if err := l.stream().Purge(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
}

// blobs are the ids of the blobs in the bucket.
func (l *loss) blobs() (ids []string) {
	l.t.Helper()
	info, err := l.stream().Info(l.t.Context(), jetstream.WithSubjectFilter("$O.manta_default_objects.C.>"))
	if err != nil {
		l.t.Fatal(err)
	}
	for subject := range info.State.Subjects {
		ids = append(ids, strings.TrimPrefix(subject, "$O.manta_default_objects.C."))
	}
	return ids
}

// awaitBlobs waits until so many blobs are left. Nobody is told of that, so it asks again and again.
func (l *loss) awaitBlobs(n int) {
	l.t.Helper()
	l.Await(fmt.Sprintf("%d blobs in the bucket", n), func() bool {
		runtime.GC()
		return len(l.blobs()) == n
	})
}

// flip changes one byte of every chunk in the bucket.
func (l *loss) flip() {
	l.t.Helper()
	stream := l.stream()
	var chunks []*nats.Msg
	for _, id := range l.blobs() {
		subject := "$O.manta_default_objects.C." + id
		raw, err := stream.GetLastMsgForSubject(l.t.Context(), subject)
		if err != nil {
			l.t.Fatal(err)
		}
		raw.Data[len(raw.Data)/2] ^= 1
		chunks = append(chunks, &nats.Msg{Subject: subject, Header: raw.Header, Data: raw.Data})
	}
	l.purge()
	for _, chunk := range chunks {
		if _, err := l.js.PublishMsg(l.t.Context(), chunk); err != nil {
			l.t.Fatal(err)
		}
	}
}

func TestALostResultIsComputedOnceMore(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*loss){"purged": (*loss).purge, "damaged": (*loss).flip} {
		for where, reader := range map[string]int{"read by its owner": 0, "read by another node": 1} {
			t.Run(name+", "+where, func(t *testing.T) {
				t.Parallel()
				l := newLoss(t, 3)
				r := l.make(1)
				old := l.blobs()
				lose(l)
				l.want(r, reader, 1)
				l.wantRuns(1, 2)
				if fresh := l.blobs(); len(fresh) != 1 || fresh[0] == old[0] {
					t.Errorf("the blobs are %v, want one that is not %v", fresh, old)
				}
				for i := range 3 {
					l.want(r, i, 1)
				}
				if got := get(t, l.ctx, first.On(l.ctx, r)); got != 1 {
					t.Errorf("a task that depends on it got %v", got)
				}
				l.wantRuns(1, 2)
				if info := l.run(1); info.Attempt != 2 || info.ID != l.run(0).ID {
					t.Errorf("it ran as %+v, want the second attempt of %v", info, l.run(0).ID)
				}
			})
		}
	}
}

func TestAResultIsComputedAgainOnceHoweverManyMissIt(t *testing.T) {
	t.Parallel()
	l := newLoss(t, 3)
	r := l.make(1)
	l.hold()
	l.purge()
	var readers sync.WaitGroup
	for i := range 20 {
		readers.Go(func() {
			if v := get(t, l.Context(i%3), r); v[1] != 1 {
				t.Errorf("reader %d got %v", i, v[:2])
			}
		})
	}
	l.again.await(1)
	if ready, rest, err := objstore.Wait(l.ctx, []objstore.Ref[[]float64]{r}, 0); len(ready) != 0 || len(rest) != 1 || err != nil {
		t.Errorf("while it is computed: %d ready, %d not, %v", len(ready), len(rest), err)
	}
	wantWhy(t, l.Cluster, 1, r.ID(), "its result was lost and is computed again, attempt 2")
	late := first.On(l.ctx, r)
	l.again.open()
	readers.Wait()
	if got := get(t, l.ctx, late); got != 1 {
		t.Errorf("a task that was submitted meanwhile got %v", got)
	}
	l.wantRuns(1, 2)
}

func TestAResultThatIsLostWithItsNodeAndTheBucketIsComputedElsewhere(t *testing.T) {
	t.Parallel()
	l := newLoss(t, 3)
	r := l.make(1)
	ranAt := 1
	if l.run(0).Node == l.Node(2).ID() {
		ranAt = 2
	}
	l.Kill(ranAt)
	if err := l.js.DeleteStream(t.Context(), objects); err != nil { // as a server does that had it in memory
		t.Fatal(err)
	}
	l.want(r, 3-ranAt, 1)
	l.want(r, 0, 1)
	l.wantRuns(1, 2)
	if info := l.run(1); info.Node != l.Node(3-ranAt).ID() {
		t.Errorf("it ran again on %s, want the node that is left", info.Node)
	}
}

func TestWhatALostResultWasMadeOfIsComputedFirst(t *testing.T) {
	t.Parallel()
	l := newLoss(t, 2)
	a := l.make(1)
	b := follow.On(l.ctx, a)
	l.want(b, 0, 2)
	l.purge()
	l.want(b, 1, 2)
	l.wantRuns(1, 2)
	l.wantRuns(2, 2)
	l.want(a, 1, 1)
	l.wantRuns(1, 2)
}

func TestADamagedArgumentIsComputedWhenItIsRead(t *testing.T) {
	t.Parallel()
	l := newLoss(t, 2, nodetest.CPUs(1))
	a := l.make(1)
	b := follow.On(l.ctx, a)
	l.want(b, 0, 2)
	l.flip()
	l.want(b, 1, 2)
	l.wantRuns(1, 2)
	l.wantRuns(2, 2)
}

func TestAChainOfWhichOnlyTheLastRefIsHeldKeepsRecordsAndOneBlob(t *testing.T) {
	t.Parallel()
	const length = 100
	l := newLoss(t, 3)
	r := chain(l, length)
	l.awaitBlobs(1)
	if n := task.LineageRecords(l.ctx); n != length {
		t.Errorf("%d lineage records are kept, want %d", n, length)
	}
	l.purge()
	l.want(r, 0, length)
	for i := range length {
		l.wantRuns(float64(i+1), 2)
	}
	l.awaitBlobs(1)
	runtime.KeepAlive(r)
	r = objstore.Ref[[]float64]{}
	l.awaitBlobs(0)
	l.Await("no records", func() bool { runtime.GC(); return task.LineageRecords(l.ctx) == 0 })
}

// chain makes tasks in a row, and returns the ref of the last.
func chain(l *loss, length int) objstore.Ref[[]float64] {
	l.t.Helper()
	r := l.make(1)
	for range length - 1 {
		r = follow.On(l.ctx, r)
	}
	get(l.t, l.ctx, r)
	return r
}

func TestASharedInputIsComputedAgainOnce(t *testing.T) {
	t.Parallel()
	for name, hold := range map[string]bool{"held": true, "collected": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLoss(t, 3)
			a := l.make(1)
			b, c := follow.On(l.ctx, a), follow.On(l.ctx, follow.On(l.ctx, a))
			d := meet.On(l.ctx, b, c)
			l.want(d, 0, 500)
			held := []objstore.Ref[[]float64]{a, b, c}
			a, b, c = d, d, d
			if !hold {
				clear(held)
				l.awaitBlobs(1)
			}
			l.purge()
			l.want(d, 1, 500)
			l.wantRuns(1, 2)
			l.wantRuns(2, 4) // two tasks are there
			l.wantRuns(3, 2)
			l.wantRuns(500, 2)
			runtime.KeepAlive(held)
		})
	}
}

func TestALargeArgumentIsRemembered(t *testing.T) {
	t.Parallel()
	l := newLoss(t, 2)
	v := make([]float64, bulky)
	v[0] = l.id
	r := follow.Go(l.ctx, v)
	l.want(r, 0, 1)
	l.awaitBlobs(1)
	l.purge()
	l.want(r, 1, 1)
	l.wantRuns(1, 2)
}

func TestAResultWhoseLineageIsEvictedIsLost(t *testing.T) {
	t.Parallel()
	budget := func(bytes int64) nodetest.Option {
		return nodetest.Configure(func(_ int, cfg *node.Config) { cfg.LineageBudget = bytes })
	}
	t.Run("no room", func(t *testing.T) {
		t.Parallel()
		l := newLoss(t, 2, budget(1500)) // two records
		a := l.make(1)
		b, c := follow.On(l.ctx, a), l.make(10)
		l.want(b, 0, 2)
		l.purge()
		for i := range 2 {
			l.wantLost(a, i, "lineage evicted")
		}
		l.wantLost(b, 1, "lineage evicted") // without its input
		l.want(c, 1, 10)
		l.wantRuns(1, 1)
	})
	t.Run("none at all", func(t *testing.T) {
		t.Parallel()
		l := newLoss(t, 2, budget(-1))
		r := l.make(1)
		l.purge()
		l.wantLost(r, 1, "LineageBudget")
		l.wantRuns(1, 1)
	})
}

func TestAResultIsComputedAgainAsOftenAsItsRetriesAllow(t *testing.T) {
	t.Parallel()
	for _, retries := range []int{0, 2} {
		t.Run(fmt.Sprint(retries), func(t *testing.T) {
			t.Parallel()
			l := newLoss(t, 2)
			r := l.make(1, task.Retries(retries))
			for range retries {
				l.purge()
				l.want(r, 1, 1)
			}
			l.purge()
			for i := range 2 {
				l.wantLost(r, i, "no retries left")
			}
			l.wantRuns(1, 1+retries)
		})
	}
}

// keeper is an actor whose results are large.
type keeper struct{ Place float64 }

func (k *keeper) Give(context.Context) ([]float64, error) {
	v := make([]float64, bulky)
	v[1] = k.Place
	return v, nil
}

var keepers = actor.Define[keeper]("lineage_keeper")

func TestWhatIsNoTasksResultIsNotComputedAgain(t *testing.T) {
	t.Parallel()
	l := newLoss(t, 2)
	put := objstore.Put(l.ctx, make([]float64, bulky))
	if err := put.Stored(l.ctx); err != nil {
		t.Fatal(err)
	}
	given := actor.Method0(keepers.New(l.ctx, keeper{}), (*keeper).Give).With(task.Retries(3)).Go(l.ctx)
	get(t, l.ctx, given)
	l.purge()
	l.wantLost(given, 1, "only results of tasks are computed again")
	for i := range 2 { // its owner has it still, and gives it
		if _, err := put.Get(l.Context(i)); err != nil {
			t.Errorf("node %d reads %v of what was put", i, err)
		}
	}
}

func TestAnInputThatIsGoneForGoodMakesAResultLost(t *testing.T) {
	t.Parallel()
	l := newLoss(t, 2)
	v := make([]float64, bulky)
	v[0] = l.id
	r := follow.On(l.ctx, objstore.Put(l.ctx, v))
	l.want(r, 0, 1)
	l.awaitBlobs(1)
	l.purge()
	l.wantLost(r, 1, "argument 1", "collected")
	l.wantRuns(1, 1)

	a := l.make(10)
	b := follow.On(l.ctx, a)
	l.want(b, 0, 11)
	collected := make(chan struct{})
	runtime.AddCleanup(a.Object(), func(c chan struct{}) { close(c) }, collected)
	if err := objstore.Free(l.ctx, a); err != nil {
		t.Fatal(err)
	}
	a = b
	l.Await("the freed object to be collected", func() bool {
		runtime.GC()
		select {
		case <-collected:
			return true
		default:
			return false
		}
	})
	l.purge()
	l.wantLost(b, 1, "freed")
	l.wantRuns(10, 1)
}

func TestAResultIsFreedOrCancelledWhileItIsComputedAgain(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end  func(context.Context, objstore.Ref[[]float64]) error
		want error
	}{
		"freed":     {func(ctx context.Context, r objstore.Ref[[]float64]) error { return objstore.Free(ctx, r) }, objstore.ErrFreed},
		"cancelled": {task.Cancel[[]float64], task.ErrCancelled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, r, read := losing(t)
			if err := test.end(l.Context(2), r); err != nil {
				t.Fatal(err)
			}
			wantFrom(t, read, test.want)
			if cause := l.again.awaitTurned(); !errors.Is(cause, context.Canceled) {
				t.Errorf("the task's ctx ended with %v", cause)
			}
			for i := range 3 {
				wantError(t, l.Context(i), r, test.want)
			}
			l.again.open()
			l.awaitBlobs(0)
			l.wantRuns(1, 2)
		})
	}
}

func TestAnOwnerClosesWhileAResultIsComputedAgain(t *testing.T) {
	t.Parallel()
	l, r, read := losing(t)
	inside := make(chan error, 1)
	ctx := l.Node(0).Context(t.Context())
	go func() {
		_, err := r.Get(ctx)
		inside <- err
	}()
	if err := l.Node(0).Close(); err != nil {
		t.Error(err)
	}
	wantFrom(t, inside, bus.ErrClosed)
	select {
	case err := <-read:
		if !errors.Is(err, objstore.ErrOwnerDead) && !errors.Is(err, bus.ErrClosed) {
			t.Errorf("got %v, want that the owner is gone", err)
		}
	case <-time.After(patience):
		t.Fatal("the reader hangs")
	}
	l.again.open()
}

// losing returns a result that is lost, and computed again until the gate opens, and what a reader on node 1 ends with.
func losing(t *testing.T) (*loss, objstore.Ref[[]float64], <-chan error) {
	t.Helper()
	l := newLoss(t, 3)
	r := l.make(1)
	l.hold()
	l.purge()
	read := make(chan error, 1)
	go func() {
		_, err := r.Get(l.Node(1).Context(t.Context()))
		read <- err
	}()
	l.again.await(1)
	return l, r, read
}

func wantFrom(t *testing.T, errs <-chan error, want error) {
	t.Helper()
	select {
	case err := <-errs:
		if !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	case <-time.After(patience):
		t.Fatalf("the reader hangs, want %v", want)
	}
}

var errBroken = errors.New("broken")

func init() { task.RegisterError("lineage_broken", errBroken) }

func TestAResultThatFailsTheSecondTimeHasThatError(t *testing.T) {
	t.Parallel()
	l := newLoss(t, 2)
	r := l.make(1)
	l.mu.Lock()
	l.broken = errBroken
	l.mu.Unlock()
	l.purge()
	for i := range 2 {
		wantError(t, l.Context(i), r, errBroken)
	}
	l.wantRuns(1, 2)
}

func TestAResultIsLostIfNoNodeIsLeftToComputeIt(t *testing.T) {
	t.Parallel()
	l := newLoss(t, 2)
	r := l.make(1, task.OnNode(l.Node(1).ID(), task.Hard))
	closeNode(t, l.Cluster, 1)
	l.purge()
	l.wantLost(r, 0, "attempt 2")
	l.wantRuns(1, 1)
}

func TestALostResultWaitsForTheSameCPUs(t *testing.T) {
	t.Parallel()
	l := newLoss(t, 2, nodetest.CPUs(1))
	a := l.make(1)
	b := follow.On(l.ctx, a)
	l.want(b, 0, 2)
	g := newGate(t)
	blocker := pass.Go(l.ctx, g.name)
	g.await(1)
	l.purge()
	read := make(chan []float64, 1)
	go func() { read <- get(t, l.Context(1), b) }()
	wantWhy(t, l.Cluster, 0, a.ID(), "computed again, attempt 2", "full")
	wantWhy(t, l.Cluster, 0, b.ID(), "computed again, attempt 2", "waiting for argument 1")
	l.wantRuns(1, 1)
	g.open()
	get(t, l.ctx, blocker)
	if v := <-read; v[1] != 2 {
		t.Errorf("got %v", v[:2])
	}
	wantAllFree(t, l.Node(1))
}

func TestTheNodeThatComputesALostResultAgainDies(t *testing.T) {
	t.Parallel()
	l, r, read := losing(t)
	at := 1
	if l.run(1).Node == l.Node(2).ID() {
		at = 2
	}
	l.Kill(at)
	l.again.await(1)
	l.again.open()
	l.want(r, 3-at, 1)
	if at == 2 {
		wantFrom(t, read, nil)
	}
	if info := l.run(2); info.Attempt != 3 || info.Node != l.Node(3-at).ID() {
		t.Errorf("it ran as %+v, want the third attempt on the node that is left", info)
	}
	l.wantRuns(1, 3)
}

// Blobs are lost all the time while a graph of tasks is computed and read on all nodes: nothing fails, and nothing is wrong.
func TestWhateverIsLostMeanwhileAllResultsAreRight(t *testing.T) {
	const width, depth, losses = 4, 5, 40
	l := newLoss(t, 3)
	often := task.Retries(10_000)
	var refs [depth][width]objstore.Ref[[]float64]
	for i := range width {
		refs[0][i] = source.With(often).Go(l.ctx, [2]float64{l.id, 1})
	}
	for d := 1; d < depth; d++ {
		for i := range width {
			if refs[d][i] = follow.With(often).On(l.ctx, refs[d-1][i]); d == 2 && i > 0 {
				refs[d][i] = meet.With(often).On(l.ctx, refs[d-1][i], refs[d-1][i-1])
			}
		}
	}
	var reading, losing sync.WaitGroup
	done := make(chan struct{})
	lost := 0
	losing.Go(func() {
		for lost < losses {
			select {
			case <-done:
				return
			default:
			}
			if ids := l.blobs(); len(ids) > 0 {
				id := ids[rand.IntN(len(ids))]
				if err := l.stream().Purge(t.Context(), jetstream.WithPurgeSubject("$O.manta_default_objects.C."+id)); err == nil {
					lost++
				}
			}
		}
	})
	for n := range 3 {
		reading.Go(func() {
			for d := depth - 1; d >= 0; d-- {
				for i := range width {
					want := float64(d + 1)
					if d >= 2 && i > 0 {
						want = float64(100*(2+2) + d - 2)
					}
					if v := get(t, l.Context(n), refs[d][i]); len(v) != bulky || v[0] != l.id || v[1] != want {
						t.Errorf("node %d reads %v of task %d, %d, want %v", n, v[:2], d, i, want)
					}
				}
			}
		})
	}
	reading.Wait()
	close(done)
	losing.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	t.Logf("%d blobs were lost, %d runs of %d tasks", lost, len(l.of), width*depth)
}

func TestAnOldCopyThatIsComplainedOfCostsNothing(t *testing.T) {
	t.Parallel()
	l := newLoss(t, 3)
	r := l.make(1)
	get(t, l.Context(2), r) // it knows the first copy
	l.purge()
	l.want(r, 1, 1)
	l.want(r, 2, 1)
	l.wantRuns(1, 2)
}
