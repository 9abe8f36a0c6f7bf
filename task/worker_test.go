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
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
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
	shared, there := sharedGates.Load(gate)
	if !there {
		return "node", nil
	}
	select {
	case <-shared.(chan struct{}):
	case <-ctx.Done():
	}
	return "node", ctx.Err()
}, task.In(sharedRegistry))

var sharedGates sync.Map // name → chan struct{}, closed when the function need not wait

func TestANodeAndAWorkerShareAFunction(t *testing.T) {
	c, p := startWithPlainClient(t, 1, nodetest.Configure(func(_ int, cfg *node.Config) { cfg.Registry, cfg.CPUs = sharedRegistry, 2 }))
	gate := make(chan struct{})
	sharedGates.Store("gate", gate)
	open := sync.OnceFunc(func() { close(gate) })
	p.startWorker().serve("w_shared", "2", func(r micro.Request) {
		open() // the node's slots are taken until then
		answer(t, r, "worker")
	})
	ctx := c.Context(0)
	ran := make(map[string]int)
	for _, ref := range whoRan.Map(ctx, slices.Repeat([]string{"gate"}, 40)) {
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

// signs shows a request's sender signs of life, if it asks for them, until the returned function is called.
func signs(t *testing.T, r micro.Request) (stop func()) {
	if r.Headers().Get("Manta-Alive") != "1" {
		t.Error("no signs of life are asked for")
	}
	over := make(chan struct{})
	var shown sync.WaitGroup
	shown.Go(func() {
		for {
			_ = r.Respond(nil, micro.WithHeaders(micro.Headers{"Status": {"100"}})) // the last one may come when all is over
			select {
			case <-time.After(time.Second):
			case <-over:
				return
			}
		}
	})
	return func() { close(over); shown.Wait() }
}

// interrupt breaks a node's connection, with the loss of what is sent to it meanwhile, and waits until answers come again.
func interrupt(t *testing.T, c *nodetest.Cluster, i int, meanwhile func()) {
	t.Helper()
	c.Pause(i)
	meanwhile()
	before := c.Node(i).Stats().NATS.Reconnects
	c.Disconnect(i)
	c.Resume(i)
	c.Await("the connection", func() bool { return c.Node(i).Stats().NATS.Reconnects > before })
	if _, err := task.Declare[int, bool]("w_here").Call(c.Context(i), 1); err != nil {
		t.Fatal(err)
	}
}

func TestAWorkersTaskGoesOnWhenTheOwnersConnectionIsInterrupted(t *testing.T) {
	for name, of := range map[string]struct{ shown, silent time.Duration }{
		"without signs of life, answered soon": {0, time.Second},
		"with signs of life, of an hour":       {time.Hour, 0},
		"with signs of life until it is busy":  {time.Minute, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			nodetest.Virtual(t, func(t *testing.T) {
				c := nodetest.Start(t, 1)
				w := plain{t, c.Connect()}.startWorker()
				w.serve("w_here", "1", func(r micro.Request) { answer(t, r, true) })
				var ran atomic.Int32
				has := make(chan struct{}, 2)
				w.serve("w_long", "1", func(r micro.Request) {
					ran.Add(1)
					has <- struct{}{}
					if of.shown > 0 {
						stop := signs(t, r)
						time.Sleep(of.shown)
						stop()
					}
					time.Sleep(of.silent)
					answer(t, r, true)
				})
				begun := time.Now()
				ref := task.Declare[int, bool]("w_long", task.Retries(1)).Go(c.Context(0), 1)
				<-has
				interrupt(t, c, 0, func() {})
				if done, err := ref.Get(c.Context(0)); err != nil || !done {
					t.Fatalf("got %v, %v", done, err)
				}
				if took := time.Since(begun); ran.Load() != 1 || took > of.shown+of.silent+time.Second {
					t.Errorf("it ran %d times, and took %v", ran.Load(), took)
				}
			})
		})
	}
}

func TestAWorkersAnswerThatIsLostWithTheConnectionCountsAsALoss(t *testing.T) {
	for name, alive := range map[string]bool{"with signs of life": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			nodetest.Virtual(t, func(t *testing.T) {
				c := nodetest.Start(t, 1)
				nc := c.Connect()
				w := plain{t, nc}.startWorker()
				w.serve("w_here", "1", func(r micro.Request) { answer(t, r, true) })
				has, may, answered := make(chan struct{}, 3), make(chan struct{}), make(chan struct{}, 3)
				w.serve("w_unheard", "2", func(r micro.Request) {
					if has <- struct{}{}; alive {
						defer signs(t, r)()
					}
					<-may
					answer(t, r, true)
					_ = nc.Flush() // the last one may come when all is over
					answered <- struct{}{}
				})
				ctx := c.Context(0)
				unheard := task.Declare[int, bool]("w_unheard")
				again, alone := unheard.With(task.Retries(1)).Go(ctx, 1), unheard.With(task.Retries(0)).Go(ctx, 2)
				<-has
				<-has
				interrupt(t, c, 0, func() {
					close(may)
					<-answered
					<-answered
				})
				begun := time.Now()
				if done, err := again.Get(ctx); err != nil || !done || len(has) != 1 {
					t.Errorf("with a retry: %v, %v", done, err)
				}
				if _, err := alone.Get(ctx); !errors.Is(err, task.ErrWorkerLost) || time.Since(begun) > 5*time.Second {
					t.Errorf("without: %v after %v", err, time.Since(begun))
				}
			})
		})
	}
}

// serveAs serves a function under an id that stays the same when the connection is another.
func serveAs(t *testing.T, nc *nats.Conn, id, function string, handle func(*nats.Msg)) {
	t.Helper()
	own := "manta.default.worker." + id + "." + function
	info := fmt.Sprintf(`{"id": %q, "endpoints": [{"subject": %q}]}`, id, own)
	say := func(m *nats.Msg) {
		if err := m.Respond([]byte(info)); err != nil {
			t.Error(err)
		}
	}
	for subject, handle := range map[string]nats.MsgHandler{
		own: handle, "$SRV.INFO.manta-default-worker": say, "$SRV.PING.manta-default-worker." + id: say,
	} {
		if _, err := nc.Subscribe(subject, handle); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
}

func TestAWorkerMayReconnectLaterThanTheOwner(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := nodetest.Start(t, 1)
		plain{t, c.Connect()}.startWorker().serve("w_here", "1", func(r micro.Request) { answer(t, r, true) })
		has := make(chan string, 9)
		take := func(m *nats.Msg) { has <- m.Reply }
		first := c.Connect()
		serveAs(t, first, "w7", "w_later", take)
		time.Sleep(time.Minute) // nothing is young any more
		ctx := c.Context(0)
		later := task.Declare[int, bool]("w_later", task.Retries(0))
		running := later.Go(ctx, 1)
		reply := <-has
		interrupt(t, c, 0, first.Close) // as a server that starts again breaks all connections
		time.Sleep(3 * time.Second)
		second := c.Connect()
		serveAs(t, second, "w7", "w_later", take)
		if err := second.Publish(reply, []byte("true")); err != nil {
			t.Fatal(err)
		}
		if done, err := running.Get(ctx); err != nil || !done {
			t.Fatalf("what it had: %v, %v", done, err)
		}

		time.Sleep(time.Minute)
		second.Close()
		synctest.Wait() // until the server knows
		waiting := later.Go(ctx, 2)
		time.Sleep(2 * time.Second) // as NATS clients wait before they connect again
		third := c.Connect()
		serveAs(t, third, "w7", "w_later", func(m *nats.Msg) { _ = m.Respond([]byte("true")) })
		if done, err := waiting.Get(ctx); err != nil || !done {
			t.Fatalf("what was submitted meanwhile: %v, %v", done, err)
		}

		third.Close()
		synctest.Wait()
		begun := time.Now()
		if _, err := later.Call(ctx, 3); !errors.Is(err, task.ErrNotRegistered) || time.Since(begun) > 7*time.Second {
			t.Errorf("when it stays away: %v after %v", err, time.Since(begun))
		}
	})
}
