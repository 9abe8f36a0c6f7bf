package task_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/micro"

	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

var errCold = errors.New("too cold")

func init() { task.RegisterError("worker_test_cold", errCold) }

// A worker is a program that is no node: here a NATS service of nats.go, which knows nothing of Manta.
type worker struct {
	plain
	service micro.Service
}

func (p plain) startWorker() *worker {
	p.t.Helper()
	service, err := micro.AddService(p.nc, micro.Config{Name: "manta-default-worker", Version: "1.0.0"})
	if err != nil {
		p.t.Fatal(err)
	}
	return &worker{p, service}
}

// serve serves a function at its door and at the worker's own subject.
func (w *worker) serve(function, window string, handle func(micro.Request)) {
	w.t.Helper()
	metadata := micro.WithEndpointMetadata(map[string]string{"window": window})
	asked := micro.HandlerFunc(func(r micro.Request) { go handle(r) })
	for name, opts := range map[string][]micro.EndpointOpt{
		function:          {micro.WithEndpointSubject("manta.default.task." + function), micro.WithEndpointQueueGroup("workers"), metadata},
		function + "-own": {micro.WithEndpointSubject("manta.default.worker." + w.service.Info().ID + "." + function), metadata},
	} {
		if err := w.service.AddEndpoint(name, asked, opts...); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := w.nc.Flush(); err != nil {
		w.t.Fatal(err)
	}
}

func answer(t *testing.T, r micro.Request, v any) {
	t.Helper()
	if err := r.RespondJSON(v); err != nil {
		t.Error(err)
	}
}

func argument[A any](t *testing.T, r micro.Request) (a A) {
	t.Helper()
	if err := json.Unmarshal(r.Data(), &a); err != nil {
		t.Errorf("%s: %v", r.Data(), err)
	}
	return a
}

func TestAFunctionThatOnlyAWorkerServesIsCalledAsAnyOther(t *testing.T) {
	c, p := startWithPlainClient(t, 1)
	w := p.startWorker()
	w.serve("w_double", "4", func(r micro.Request) { answer(t, r, 2*argument[int](t, r)) })
	w.serve("w_now", "1", func(r micro.Request) {
		if len(r.Data()) > 0 {
			t.Errorf("payload %q for no argument", r.Data())
		}
		answer(t, r, "now")
	})
	w.serve("w_join", "1", func(r micro.Request) { answer(t, r, strings.Join(argument[[]string](t, r), "+")) })
	w.serve("w_trip", "1", func(r micro.Request) {
		tr := argument[trip](t, r)
		slices.Reverse(tr.Stops)
		answer(t, r, tr)
	})
	w.serve("w_nothing", "1", func(r micro.Request) { _ = r.Respond(nil) })
	ctx := c.Context(0)

	double := task.Declare[int, int]("w_double")
	if got, err := double.Call(ctx, 21); err != nil || got != 42 {
		t.Fatalf("got %d, %v", got, err)
	}
	if got, err := double.On(ctx, double.Go(ctx, 4)).Get(ctx); err != nil || got != 16 {
		t.Fatalf("On: got %d, %v", got, err)
	}
	inputs := make([]int, 500)
	for i := range inputs {
		inputs[i] = i
	}
	for i, ref := range double.Map(ctx, inputs) {
		if got, err := ref.Get(ctx); err != nil || got != 2*i {
			t.Fatalf("Map: got %d, %v", got, err)
		}
	}
	if got, err := task.Declare0[string]("w_now").Call(ctx); err != nil || got != "now" {
		t.Fatalf("got %q, %v", got, err)
	}
	if got, err := task.Declare2[string, string, string]("w_join").Call(ctx, "a", "b"); err != nil || got != "a+b" {
		t.Fatalf("got %q, %v", got, err)
	}
	tr, err := task.Declare[trip, trip]("w_trip").Call(ctx, trip{From: "here", Stops: []stop{{Name: "a"}, {Name: "b"}}})
	if err != nil || tr.From != "here" || len(tr.Stops) != 2 || tr.Stops[0].Name != "b" {
		t.Fatalf("got %+v, %v", tr, err)
	}
	if _, err := task.Declare[int, task.None]("w_nothing").Call(ctx, 1); err != nil {
		t.Fatal(err)
	}
}

func TestAWorkersErrorIsTheCallers(t *testing.T) {
	c, p := startWithPlainClient(t, 1)
	w := p.startWorker()
	var asked atomic.Int32
	w.serve("w_heat", "1", func(r micro.Request) {
		switch n := argument[int](t, r); {
		case n < 0:
			_ = r.Error("500", "it is too cold", nil, micro.WithHeaders(micro.Headers{"Manta-Failure": {"worker_test_cold"}}))
		case n > 100 && asked.Add(1) < 3:
			_ = r.Error("500", "not yet", nil)
		case n == 50:
			_ = r.Error("400", "no fifties", nil)
		default:
			answer(t, r, n)
		}
	})
	ctx := c.Context(0)
	heat := task.Declare[int, int]("w_heat")
	_, err := heat.Call(ctx, -1)
	failed, ok := errors.AsType[*task.Error](err)
	if !ok || !errors.Is(err, errCold) || failed.Message != "it is too cold" || failed.Node != w.service.Info().ID {
		t.Fatalf("got %v", err)
	}
	if _, err := heat.Call(ctx, 50); !errors.Is(err, task.ErrArgument) || !strings.Contains(err.Error(), "no fifties") {
		t.Fatalf("got %v", err)
	}
	if got, err := heat.With(task.Retries(5), task.RetryOn()).Call(ctx, 101); err != nil || got != 101 || asked.Load() != 3 {
		t.Fatalf("got %d, %v after %d attempts", got, err, asked.Load())
	}
	if _, err := task.Declare[int, []string]("w_heat").Call(ctx, 7); err == nil || !strings.Contains(err.Error(), "[]string") {
		t.Fatalf("a number as []string: %v", err)
	}
	if _, err := task.Declare[chan int, int]("w_heat").Call(ctx, nil); err == nil {
		t.Fatal("a channel was sent")
	}
}

func TestWhatNobodyServesFailsThoughThereAreWorkers(t *testing.T) {
	c, p := startWithPlainClient(t, 1)
	p.startWorker().serve("w_other", "1", func(r micro.Request) {})
	if _, err := task.Declare[int, int]("w_nobody").Call(c.Context(0), 1); !errors.Is(err, task.ErrNotRegistered) {
		t.Fatalf("got %v", err)
	}
}

func TestAWorkerHasNoMoreThanItsWindow(t *testing.T) {
	c, p := startWithPlainClient(t, 1)
	var busy, most atomic.Int32
	open := make(chan struct{}) // once three are here, and whatever was sent with them
	var opened sync.Once
	p.startWorker().serve("w_slow", "3", func(r micro.Request) {
		n := busy.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		if n == 3 {
			opened.Do(func() {
				if err := p.nc.Flush(); err != nil {
					t.Error(err)
				}
				close(open)
			})
		}
		<-open
		busy.Add(-1)
		answer(t, r, true)
	})
	ctx := c.Context(0)
	for _, ref := range task.Declare[int, bool]("w_slow").Map(ctx, make([]int, 60)) {
		if _, err := ref.Get(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if most.Load() != 3 {
		t.Errorf("it had %d tasks at a time, want 3", most.Load())
	}
}

var sharedRegistry = task.NewRegistry()

// whoRan waits until somebody else has one of its tasks too, at most.
var whoRan = task.Define("w_shared", func(ctx context.Context, gate string) (string, error) {
	select {
	case <-sharedGate:
	case <-ctx.Done():
	}
	return "node", ctx.Err()
}, task.In(sharedRegistry))

var sharedGate = make(chan struct{})

func TestANodeAndAWorkerShareAFunction(t *testing.T) {
	c, p := startWithPlainClient(t, 1, nodetest.Configure(func(_ int, cfg *node.Config) { cfg.Registry, cfg.CPUs = sharedRegistry, 2 }))
	open := make(chan struct{})
	var once atomic.Bool
	p.startWorker().serve("w_shared", "2", func(r micro.Request) {
		if once.CompareAndSwap(false, true) {
			close(open)
			close(sharedGate) // the node's slots are taken until then
		}
		answer(t, r, "worker")
	})
	ctx := c.Context(0)
	ran := make(map[string]int)
	for _, ref := range whoRan.Map(ctx, make([]string, 40)) {
		who, err := ref.Get(ctx)
		if err != nil {
			t.Fatal(err)
		}
		ran[who]++
	}
	if ran["node"] == 0 || ran["worker"] == 0 {
		t.Errorf("ran: %v", ran)
	}
	ran = make(map[string]int)
	for range 200 { // plain clients ask the queue group
		ran[string(p.ask("w_shared", `""`, "").Data)]++
	}
	if ran[`"node"`] == 0 || ran[`"worker"`] == 0 {
		t.Errorf("plain clients were answered by %v", ran)
	}
}

func TestTasksOfAWorkerThatIsGoneRunElsewhere(t *testing.T) {
	c, p := startWithPlainClient(t, 1)
	has := make(chan struct{}, 100)
	first := plain{t, c.Connect()}
	first.startWorker().serve("w_lost", "2", func(r micro.Request) { has <- struct{}{} }) // and never answers
	ctx := c.Context(0)
	lost := task.Declare[int, int]("w_lost")
	refs := lost.With(task.Retries(3)).Map(ctx, []int{0, 1, 2, 3, 4, 5, 6, 7})
	alone := lost.With(task.Retries(0))
	<-has
	<-has
	p.startWorker().serve("w_lost", "2", func(r micro.Request) { answer(t, r, argument[int](t, r)) })
	first.nc.Close()
	for i, ref := range refs {
		if got, err := ref.Get(ctx); err != nil || got != i {
			t.Fatalf("task %d: %d, %v", i, got, err)
		}
	}
	if got, err := alone.Call(ctx, 9); err != nil || got != 9 {
		t.Fatalf("got %d, %v", got, err)
	}
}

func TestATaskWithoutRetriesOfAWorkerThatIsGoneIsLost(t *testing.T) {
	c := nodetest.Start(t, 1)
	has := make(chan struct{}, 1)
	first := plain{t, c.Connect()}
	w := first.startWorker()
	w.serve("w_gone", "1", func(r micro.Request) { has <- struct{}{} })
	ref := task.Declare[int, int]("w_gone", task.Retries(0)).Go(c.Context(0), 1)
	<-has
	first.nc.Close()
	if _, err := ref.Get(c.Context(0)); !errors.Is(err, task.ErrWorkerLost) || !strings.Contains(err.Error(), "worker "+w.service.Info().ID) {
		t.Fatalf("got %v", err)
	}
}

func TestAWorkerThatIsBusyGetsTheTaskAgain(t *testing.T) {
	c, p := startWithPlainClient(t, 1)
	var asked atomic.Int32
	p.startWorker().serve("w_busy", "1", func(r micro.Request) {
		if asked.Add(1) == 1 {
			_ = r.Error("429", "full", nil)
			return
		}
		answer(t, r, "at last")
	})
	if got, err := task.Declare[int, string]("w_busy").Call(c.Context(0), 1); err != nil || got != "at last" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestRefsAndLargeValuesGoToAWorkerAndBack(t *testing.T) {
	c, p := startWithPlainClient(t, 2)
	w := p.startWorker()
	w.serve("w_twice", "1", func(r micro.Request) { text := argument[string](t, r); answer(t, r, text+text) })
	w.serve("w_pass", "1", func(r micro.Request) { // {"of": {"$ref": id}}
		answer(t, r, argument[map[string]json.RawMessage](t, r)["of"])
	})
	ctx := c.Context(0)
	large := strings.Repeat("x", 200_000)
	got, err := task.Declare[string, string]("w_twice").On(ctx, objstore.Put(ctx, large)).Get(ctx)
	if err != nil || got != large+large {
		t.Fatalf("got %d bytes, %v", len(got), err)
	}
	ref := task.Declare[string, string]("w_twice").Go(ctx, large)
	if got, err := ref.Get(c.Context(1)); err != nil || got != large+large {
		t.Fatalf("on another node: got %d bytes, %v", len(got), err)
	}
	back, err := task.Declare[struct {
		Of objstore.Ref[string] `json:"of"`
	}, objstore.Ref[string]]("w_pass").Call(ctx, struct {
		Of objstore.Ref[string] `json:"of"`
	}{ref})
	if err != nil || back != ref {
		t.Fatalf("the ref came back as %v, %v", back, err)
	}
	if _, err := task.Declare[string, string]("w_twice").Go(ctx, strings.Repeat("x", 2<<20)).Get(ctx); !errors.Is(err, task.ErrArgument) {
		t.Fatalf("more than a message takes: %v", err)
	}
}

func TestAWorkerIsToldTheDeadline(t *testing.T) {
	c, p := startWithPlainClient(t, 1)
	p.startWorker().serve("w_late", "1", func(r micro.Request) {
		until, err := time.Parse(time.RFC3339Nano, r.Headers().Get("Manta-Deadline"))
		if err != nil || time.Until(until) > time.Minute || time.Until(until) < 0 {
			t.Errorf("deadline %v, %v", until, err)
		}
		answer(t, r, true)
	})
	ctx, cancel := context.WithTimeout(c.Context(0), time.Minute)
	defer cancel()
	if _, err := task.Declare[int, bool]("w_late").Call(ctx, 1); err != nil {
		t.Fatal(err)
	}
	never := task.Declare[int, bool]("w_never", task.Timeout(50*time.Millisecond))
	p.startWorker().serve("w_never", "1", func(r micro.Request) {})
	if _, err := never.Call(c.Context(0), 1); !errors.Is(err, task.ErrDeadline) {
		t.Fatalf("got %v", err)
	}
}

func TestStreamsStayWithNodes(t *testing.T) {
	c, p := startWithPlainClient(t, 1)
	p.startWorker().serve("w_stream", "1", func(r micro.Request) { t.Errorf("a worker got a streaming task: %s", r.Data()) })
	for _, err := range task.DeclareStream[int, int]("w_stream").Stream(c.Context(0), 1) {
		if !errors.Is(err, task.ErrNotRegistered) {
			t.Fatal(fmt.Errorf("got %w", err))
		}
	}
}
