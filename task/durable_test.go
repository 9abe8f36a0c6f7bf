package task_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"manta/bus"
	"manta/internal/member"
	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

var (
	twice   = task.Define("twice", func(_ context.Context, n int) (int, error) { return 2 * n, nil })
	doubled = task.Define("doubled", func(_ context.Context, b []byte) ([]byte, error) { return append(b, b...), nil })
)

// result waits for the result of a durable task by its id alone.
func result[T any](t *testing.T, ctx context.Context, id objstore.ID) (T, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return task.Result[T](ctx, id)
}

func TestADurableTaskHasItsResultInItsRefAndUnderItsIDInEveryProcess(t *testing.T) {
	for name, opts := range map[string][]nodetest.Option{"one server": nil, "routed servers": {nodetest.Routed()}} {
		t.Run(name, func(t *testing.T) {
			c := nodetest.Start(t, 3, opts...)
			durable := twice.With(task.Durable())
			refs := durable.Map(c.Context(0), []int{1, 2, 3})
			if got := getAll(t, c.Context(0), refs); !slices.Equal(got, []int{2, 4, 6}) {
				t.Errorf("the refs have %v", got)
			}
			for i := range 3 {
				if got, err := result[int](t, c.Context(i), refs[2].ID()); err != nil || got != 6 {
					t.Errorf("node %d: the id has %d, %v", i, got, err)
				}
			}
			if got := get(t, c.Context(2), twice.On(c.Context(1), refs[2])); got != 12 {
				t.Errorf("an ordinary task that has the ref as its argument returned %d", got)
			}
			drainAll(t, c, 3)
		})
	}
}

func TestADurableTaskOutlivesItsOwner(t *testing.T) {
	c := nodetest.Start(t, 2, nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i == 0 }))
	g := newGate(t)
	ref := pass.With(task.Durable()).Go(c.Context(0), g.name)
	if err := task.Submitted(c.Context(0), ref); err != nil {
		t.Error(err)
	}
	g.await(1)
	if err := c.Node(0).Drain(t.Context()); err != nil {
		t.Errorf("the drain of the owner waits for more than the submission: %v", err)
	}
	if err := c.Node(0).Close(); err != nil {
		t.Error(err)
	}
	g.open()
	if got, err := result[string](t, c.Context(1), ref.ID()); err != nil || got != c.Node(1).ID() {
		t.Errorf("got %q, %v", got, err)
	}
	if got := get(t, c.Context(1), ref); got != c.Node(1).ID() {
		t.Errorf("the ref has %q", got)
	}
}

func TestADurableTaskThatMayBeRetriedRunsAgainWithTheNextAttempt(t *testing.T) {
	c := nodetest.Start(t, 2)
	durable := attempt.With(task.Durable(), task.RetryOn(errSoldOut), task.Retries(3), swift)
	j := newJourney(t)
	if got := get(t, c.Context(0), durable.Go(c.Context(0), try{Name: j.name, Fails: 3})); got != 4 || fmt.Sprint(j.more) != "[1 2 3 4]" {
		t.Errorf("attempt %d has the result, those that ran were %v", got, j.more)
	}
	j = newJourney(t)
	err := getError(t, c.Context(0), durable.Go(c.Context(0), try{Name: j.name, Fails: 9}))
	if failed, ok := errors.AsType[*task.Error](err); !ok || failed.Attempt != 4 || j.ran() != 4 || !errors.Is(err, errSoldOut) {
		t.Errorf("fails for ever: it ran %d times, got %v", j.ran(), err)
	}
	for how, want := range map[string]int{"permanent": 1, "other": 1, "later": 2} {
		j := newJourney(t)
		durable.Go(c.Context(0), try{Name: j.name, Fails: 1, How: how}).Get(c.Context(0))
		if j.ran() != want {
			t.Errorf("%s: it ran %d times, want %d", how, j.ran(), want)
		}
	}
	drainAll(t, c, 2)
}

func TestADurableTaskWhosePolicyCannotBeStoredSaysHowItCouldBe(t *testing.T) {
	c := nodetest.Start(t, 1)
	err := getError(t, c.Context(0), twice.With(task.Durable(), task.RetryOn(errors.New("mine"))).Go(c.Context(0), 1))
	if !strings.Contains(err.Error(), "task.RegisterError") {
		t.Errorf("an error that nobody registered: %v", err)
	}
	if err := task.Submitted(c.Context(0), twice.Go(c.Context(0), 1)); err == nil || !strings.Contains(err.Error(), "task.Durable()") {
		t.Errorf("the submission of an ordinary task: %v", err)
	}
	if err := getError(t, c.Context(0), twice.With(task.Durable(task.KeepResult(time.Millisecond))).Go(c.Context(0), 1)); !strings.Contains(err.Error(), "at least a second") {
		t.Errorf("kept for a millisecond: %v", err)
	}
	if _, err := task.Result[int](c.Context(0), twice.Go(c.Context(0), 1).ID()); err == nil || !strings.Contains(err.Error(), "task.Durable()") {
		t.Errorf("the id of an ordinary task: %v", err)
	}
}

type holdsRef struct{ Inner []objstore.Ref[int] }

var countRefs = task.Define("count_refs", func(_ context.Context, h holdsRef) (int, error) { return len(h.Inner), nil })

func TestARefInsideAnArgumentOfADurableTaskMustBeDurableToo(t *testing.T) {
	c := nodetest.Start(t, 1)
	durable := countRefs.With(task.Durable())
	mortal := objstore.Put(c.Context(0), 7)
	for name, ref := range map[string]objstore.Ref[int]{
		"Go": durable.Go(c.Context(0), holdsRef{[]objstore.Ref[int]{mortal}}),
		"On": durable.On(c.Context(0), objstore.Put(c.Context(0), holdsRef{[]objstore.Ref[int]{mortal}})),
	} {
		if err := getError(t, c.Context(0), ref); !strings.Contains(err.Error(), mortal.ID().String()) || !strings.Contains(err.Error(), "give the ref to On") {
			t.Errorf("%s: %v", name, err)
		}
	}
	lasting := twice.With(task.Durable()).Go(c.Context(0), 1)
	if got := get(t, c.Context(0), durable.Go(c.Context(0), holdsRef{[]objstore.Ref[int]{lasting, lasting}})); got != 2 {
		t.Errorf("got %d", got)
	}
}

// stored waits until the stream of durable tasks has n of them.
func stored(t *testing.T, c *nodetest.Cluster, n int) {
	t.Helper()
	js, err := jetstream.New(c.Connect())
	if err != nil {
		t.Fatal(err)
	}
	c.Await(fmt.Sprint(n, " durable tasks in the stream"), func() bool {
		s, err := js.Stream(t.Context(), bus.NewSubjects("default").DurableQueue())
		return err == nil && int(s.CachedInfo().State.Msgs) == n
	})
}

// noDurableBlobs waits until no bytes of durable tasks are in the object bucket.
func noDurableBlobs(t *testing.T, c *nodetest.Cluster) {
	t.Helper()
	js, err := jetstream.New(c.Connect())
	if err != nil {
		t.Fatal(err)
	}
	bucket := bus.NewSubjects("default").ObjectsBucket()
	c.Await("no blob of a durable task", func() bool {
		s, err := js.Stream(t.Context(), "OBJ_"+bucket)
		if err != nil {
			return false
		}
		info, err := s.Info(t.Context(), jetstream.WithSubjectFilter("$O."+bucket+".C.durable.>"))
		return err == nil && len(info.State.Subjects) == 0
	})
}

func TestADurableTaskThatNobodyServesWaitsAndWhySaysSo(t *testing.T) {
	c := nodetest.Start(t, 1)
	reg := task.NewRegistry()
	served := task.Define("served_later", func(_ context.Context, n int) (int, error) { return n + 1, nil }, task.In(reg), task.Durable())
	ref := served.Go(c.Context(0), 1)
	stored(t, c, 1)
	why := func(want string) {
		t.Helper()
		words, err := c.Node(0).Why(t.Context(), ref.ID())
		if err != nil || !strings.Contains(words, want) {
			t.Errorf("why: %q, %v; want words about %q", words, err, want)
		}
	}
	why(`no node serves "served_later"`)
	c.Add(nodetest.Configure(func(_ int, cfg *node.Config) { cfg.Registry = reg }))
	if got := get(t, c.Context(0), ref); got != 2 {
		t.Errorf("got %d", got)
	}
	why("has its result")
	stored(t, c, 0)
}

func TestCancelledDurableTasksNeverRunOrAreStopped(t *testing.T) {
	c := nodetest.Start(t, 2, nodetest.CPUs(1))
	g := newGate(t)
	durable := pass.With(task.Durable())
	running := []objstore.Ref[string]{durable.Go(c.Context(0), g.name), durable.Go(c.Context(0), g.name)}
	g.await(2)
	words, err := c.Node(1).Why(t.Context(), running[0].ID())
	if err != nil || !strings.Contains(words, "attempt 1: at node") {
		t.Errorf("why of one that runs: %q, %v", words, err)
	}
	waiting := durable.Go(c.Context(0), g.name)
	stored(t, c, 3)
	for i, r := range append([]objstore.Ref[string]{waiting}, running...) { // else it gets the slot of one that is stopped
		ctx, cancel := context.WithTimeout(c.Context(i%2), patience)
		if err := task.Cancel(ctx, r); err != nil {
			t.Errorf("task %d: %v", i, err)
		}
		cancel()
		wantCancelled(t, c.Context(1-i%2), r)
	}
	for range running {
		if cause := g.awaitTurned(); !errors.Is(cause, task.ErrCancelled) {
			t.Errorf("one that ran was stopped by %v", cause)
		}
	}
	stored(t, c, 0)
	drainAll(t, c, 2)
	if n := g.count.Load(); n != 2 {
		t.Errorf("%d ran, want the 2 that had begun", n)
	}
}

func TestAnEndedContextEndsTheSubmissionAndNotTheTask(t *testing.T) {
	c := nodetest.Start(t, 1, nodetest.CPUs(2))
	g, before := newGate(t), newGate(t)
	ctx, cancel := context.WithCancel(c.Context(0))
	durable := pass.With(task.Durable())
	ref := durable.Go(ctx, g.name)
	awaits := durable.On(ctx, pass.Go(c.Context(0), before.name)) // which has no value yet
	g.await(1)
	before.await(1)
	cancel()
	wantCancelled(t, c.Context(0), awaits)
	g.open()
	if got := get(t, c.Context(0), ref); got != c.Node(0).ID() {
		t.Errorf("what was stored already returned %q", got)
	}
	wantCancelled(t, c.Context(0), durable.Go(ctx, g.name))
}

func TestLargeArgumentsAndResultsAreDurableAndGoWithTheTask(t *testing.T) {
	c := nodetest.Start(t, 3, nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i == 0 }))
	durable := doubled.With(task.Durable())
	large := make([]byte, 300<<10)
	put := objstore.Put(c.Context(0), large)
	refs := []objstore.Ref[[]byte]{durable.Go(c.Context(0), large), durable.On(c.Context(0), put)}
	if err := c.Node(0).Drain(t.Context()); err != nil {
		t.Error(err)
	}
	if err := c.Node(0).Close(); err != nil { // with what it owns
		t.Error(err)
	}
	for i, r := range refs {
		if got, err := result[[]byte](t, c.Context(1+i), r.ID()); err != nil || len(got) != 2*len(large) {
			t.Errorf("task %d: %d bytes, %v", i, len(got), err)
		}
	}
	if err := objstore.Free(c.Context(1), refs...); err != nil {
		t.Error(err)
	}
	noDurableBlobs(t, c)
	for i, r := range refs {
		if _, err := result[[]byte](t, c.Context(2-i), r.ID()); err != nil && !errors.Is(err, objstore.ErrFreed) { // a node that read it keeps it
			t.Errorf("task %d after it was freed: %v", i, err)
		}
	}
}

func TestAFreedDurableTaskDoesNotRunAndIsGone(t *testing.T) {
	c := nodetest.Start(t, 1)
	ref := task.Declare[int, int]("nobody_serves_it", task.Durable()).Go(c.Context(0), 1)
	stored(t, c, 1)
	if err := objstore.Free(c.Context(0), ref); err != nil {
		t.Error(err)
	}
	stored(t, c, 0)
	if err := getError(t, c.Context(0), ref); !errors.Is(err, objstore.ErrFreed) {
		t.Errorf("got %v", err)
	}
}

func TestAnIDThatNoDurableTaskHasIsExpired(t *testing.T) {
	c := nodetest.Start(t, 1)
	unknown := objstore.NewID(member.NewID(), 1<<63|7)
	if _, err := result[int](t, c.Context(0), unknown); !errors.Is(err, objstore.ErrExpired) {
		t.Errorf("before there was a durable task: %v", err)
	}
	get(t, c.Context(0), twice.With(task.Durable()).Go(c.Context(0), 1))
	other := objstore.NewID(member.NewID(), 1<<63|7)
	if _, err := result[int](t, c.Context(0), other); !errors.Is(err, objstore.ErrExpired) {
		t.Errorf("got %v", err)
	}
	if err := task.Cancel(c.Context(0), objstore.RefTo[int](objstore.Named(other))); !errors.Is(err, objstore.ErrExpired) {
		t.Errorf("cancelling: %v", err)
	}
}

func TestDurableTasksTakeNoMoreThanANodeHasAndShareItWithOthers(t *testing.T) {
	c := nodetest.Start(t, 2, nodetest.CPUs(2))
	g := newGate(t)
	durable := pass.With(task.Durable())
	var refs []objstore.Ref[string]
	for range 20 {
		refs = append(refs, durable.Go(c.Context(0), g.name), pass.Go(c.Context(1), g.name))
	}
	g.await(4)
	g.open()
	getAll(t, c.Context(0), refs)
	if most := g.most.Load(); most > 4 {
		t.Errorf("%d ran at a time on 4 CPUs", most)
	}
	drainAll(t, c, 2)
}

func TestAPlainClientStoresADurableTaskAndReadsItsResult(t *testing.T) {
	c := nodetest.Start(t, 2)
	get(t, c.Context(0), twice.With(task.Durable()).Go(c.Context(0), 1)) // or Define says Durable: then workers make the stream
	js, err := jetstream.New(c.Connect())
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ subject, payload, result, code string }{
		{"manta.default.durable.twice.orders.42", "21", "42", ""},
		{"manta.default.durable.twice.orders.43", `"x"`, "", "failed"},
		{"manta.default.durable.twice.orders.44", "", "", "argument"},
	}
	results, err := js.KeyValue(t.Context(), "manta_default_results")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		key := strings.TrimPrefix(test.subject, "manta.default.durable.twice.")
		if _, err := js.Publish(t.Context(), test.subject, []byte(test.payload)); err != nil {
			t.Fatal(err)
		}
		c.Await("result "+key, func() bool {
			_, err := results.Get(t.Context(), key)
			return err == nil
		})
		stream, err := js.Stream(t.Context(), "KV_manta_default_results")
		if err != nil {
			t.Fatal(err)
		}
		msg, err := stream.GetLastMsgForSubject(t.Context(), "$KV.manta_default_results."+key)
		if err != nil {
			t.Fatal(err)
		}
		if code := msg.Header.Get("Manta-Error"); code != test.code || code == "" && string(msg.Data) != test.result {
			t.Errorf("%s: got %q with code %q", key, msg.Data, code)
		}
	}
}

func TestAFullStreamRefusesDurableTasksInWords(t *testing.T) {
	c := nodetest.Start(t, 1)
	durable := task.Declare[int, int]("nobody_serves_it", task.Durable())
	if err := task.Submitted(c.Context(0), durable.Go(c.Context(0), 1)); err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(c.Connect())
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), bus.NewSubjects("default").DurableQueue())
	if err != nil {
		t.Fatal(err)
	}
	limited := stream.CachedInfo().Config
	limited.MaxMsgs = 2
	if _, err := js.UpdateStream(t.Context(), limited); err != nil {
		t.Fatal(err)
	}
	if err := task.Submitted(c.Context(0), durable.Go(c.Context(0), 2)); err != nil {
		t.Errorf("the second of two: %v", err)
	}
	ref := durable.Go(c.Context(0), 3)
	err = task.Submitted(c.Context(0), ref)
	if !errors.Is(err, bus.ErrFull) || !strings.Contains(err.Error(), "manta_default_durable") || !strings.Contains(err.Error(), "will not run") {
		t.Errorf("the third of two: %v", err)
	}
	if got := getError(t, c.Context(0), ref); !errors.Is(got, bus.ErrFull) {
		t.Errorf("its ref: %v", got)
	}
}
