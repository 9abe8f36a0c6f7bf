package node_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"manta/actor"
	"manta/bus"
	"manta/node"
	"manta/node/embedded"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

var errEmpty = errors.New("the shelf is empty")

var (
	fetchJar = task.Define("fetch_jar", func(_ context.Context, shelf string) (string, error) {
		return "", fmt.Errorf("%s: %w", shelf, errEmpty)
	})
	describe = task.Define2("describe", func(_ context.Context, name string, parts []float64) (string, error) {
		return fmt.Sprint(name, parts), nil
	})
	measure = task.Define("measure", func(_ context.Context, data []byte) (int, error) { return len(data), nil })
	count   = task.DefineStream("count_up", func(_ context.Context, n int, yield func(int) error) error {
		for i := range n {
			if err := yield(i); err != nil {
				return err
			}
		}
		return nil
	})
	blob = task.Define("blob_of", func(_ context.Context, n int) ([]byte, error) { return make([]byte, n), nil })
	lend = task.Define0("lend", func(ctx context.Context) (objstore.Ref[int], error) { return objstore.Put(ctx, 7), nil })
)

func init() { task.RegisterError("shelf_empty", errEmpty) }

func TestACallerOfGoCallsTheFunctionsThatItMayAndIsToldOfOthersAtOnce(t *testing.T) {
	g := serveTemplates(t)
	g.worker(t, "default")
	n, ctx := start(t, node.Config{URL: g.ClientURL(), Caller: "alice", Options: g.as("alice")})
	begun := time.Now()
	if v, err := square.Call(ctx, 7); v != 49 || err != nil {
		t.Errorf("what it may call: %d, %v", v, err)
	}
	if v, err := secret.Call(ctx); !errors.Is(err, bus.ErrDenied) || !strings.Contains(err.Error(), "manta.default.task.secret") {
		t.Errorf("what it may not: %q, %v, want ErrDenied", v, err)
	}
	if v, err := square.On(ctx, square.Go(ctx, 2)).Get(ctx); v != 16 || err != nil {
		t.Errorf("a task that waits for another: %d, %v", v, err)
	}
	confined := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, bus.ErrConfined) {
			t.Errorf("%s: got %v, want ErrConfined", what, err)
		}
	}
	_, err := objstore.Put(ctx, make([]byte, 1<<20)).Get(ctx)
	confined("a large object", err)
	_, err = measure.Call(ctx, make([]byte, 1<<20))
	confined("a large argument", err)
	_, err = objstore.Put(ctx, 1, objstore.Durable()).Get(ctx)
	confined("a durable object", err)
	_, err = ledger.Call(ctx, 1)
	confined("a durable task", err)
	_, err = actor.Method(tallies.New(ctx, tally{}), (*tally).Add).Call(ctx, 1)
	confined("an actor", err)
	_, err = tallies.Lookup(ctx, "visits")
	confined("an actor's name", err)
	for _, err = range count.Stream(ctx, 3) {
		confined("a stream", err)
	}
	_, err = node.Members(ctx)
	confined("the members", err)
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("all that took %v", took)
	}
	if v, err := objstore.Put(ctx, 5).Get(ctx); v != 5 || err != nil {
		t.Errorf("a small object: %d, %v", v, err)
	}
	if err := n.Drain(ctx); err != nil {
		t.Error(err)
	}
}

func TestACallerWithoutItsPermissionsIsRefusedWhenItStarts(t *testing.T) {
	g := serveTemplates(t)
	n, _, err := node.Start(t.Context(), node.Config{URL: g.ClientURL(), Caller: "bob", Options: g.as("alice")})
	if n != nil || !errors.Is(err, bus.ErrDenied) || !strings.Contains(err.Error(), "manta.default.reply.bob.") {
		t.Errorf("got %v, %v, want ErrDenied and the subject", n, err)
	}
	begun := time.Now()
	n, _, err = node.Start(t.Context(), node.Config{URL: g.ClientURL(), Options: g.as("alice")})
	if n != nil || !errors.Is(err, bus.ErrDenied) || time.Since(begun) > 10*time.Second {
		t.Errorf("a worker with a caller's permissions: %v, %v after %v, want ErrDenied at once", n, err, time.Since(begun))
	}
	if _, _, err := node.Start(t.Context(), node.Config{Caller: "a.b"}); err == nil || !strings.Contains(err.Error(), "Config.Caller") {
		t.Errorf("a caller that is no token: %v", err)
	}
}

// callers starts workers on a server and a caller beside them.
func callers(t *testing.T, workers int, opts ...nodetest.Option) (c *nodetest.Cluster, n *node.Node, ctx context.Context) {
	t.Helper()
	srv, err := embedded.RunServer(embedded.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	c = nodetest.Start(t, workers, append([]nodetest.Option{nodetest.At(srv.URL())}, opts...)...)
	n, ctx = start(t, node.Config{URL: srv.URL(), Caller: "bob"})
	return c, n, ctx
}

func TestACallersTasksAreAsAnyonesWithWhatItMay(t *testing.T) {
	_, _, ctx := callers(t, 2, nodetest.Configure(func(_ int, cfg *node.Config) { cfg.MaxPending = 20 }))
	if v, err := describe.Call(ctx, "parts", []float64{1, 2.5}); v != "parts[1 2.5]" || err != nil {
		t.Errorf("two arguments: %q, %v", v, err)
	}
	if id, err := where.Call(ctx); len(id) != 13 || err != nil {
		t.Errorf("no argument: %q, %v", id, err)
	}
	if n, err := measure.Call(ctx, make([]byte, 60<<10)); n != 60<<10 || err != nil {
		t.Errorf("60 KiB: %d, %v", n, err)
	}
	_, err := fetchJar.Call(ctx, "jam")
	if failure, ok := errors.AsType[*task.Error](err); !ok || !errors.Is(err, errEmpty) || failure.Func != "fetch_jar" || failure.Code != "shelf_empty" {
		t.Errorf("an error: %v, want it with its identity", err)
	}
	if v, err := task.Declare0[int]("nobody_serves").Call(ctx); !errors.Is(err, task.ErrNotRegistered) {
		t.Errorf("what nobody serves: %d, %v", v, err)
	}
	refs := measure.Map(ctx, make([][]byte, 1000)) // more than the nodes take at a time
	if all, err := objstore.GetAll(ctx, refs); len(all) != 1000 || err != nil {
		t.Errorf("a thousand: %d, %v", len(all), err)
	}
	if v, err := blob.Call(ctx, 2<<20); !errors.Is(err, bus.ErrConfined) {
		t.Errorf("a result of 2 MiB: %d bytes, %v, want ErrConfined", len(v), err)
	}
	ref, err := lend.Call(ctx)
	if err != nil {
		t.Errorf("a ref in a result: %v", err)
	}
	if v, err := ref.Get(ctx); !errors.Is(err, bus.ErrConfined) {
		t.Errorf("its value: %d, %v, want ErrConfined", v, err)
	}
}

func TestACallersTaskThatIsCancelledOrTooLateEndsWhereItRuns(t *testing.T) {
	_, n, ctx := callers(t, 1)
	for name, end := range map[string]func(g *gate) (objstore.Ref[string], error){
		"its ctx": func(g *gate) (objstore.Ref[string], error) {
			cancelled, cancel := context.WithCancel(ctx)
			ref := hold.Go(cancelled, g.name)
			await(t, g.came, "the task")
			cancel()
			return ref, task.ErrCancelled
		},
		"task.Cancel": func(g *gate) (objstore.Ref[string], error) {
			ref := hold.Go(ctx, g.name)
			await(t, g.came, "the task")
			if err := task.Cancel(ctx, ref); err != nil {
				t.Error(err)
			}
			return ref, task.ErrCancelled
		},
		"its timeout": func(g *gate) (objstore.Ref[string], error) {
			ref := hold.With(task.Timeout(200*time.Millisecond)).Go(ctx, g.name)
			await(t, g.came, "the task")
			return ref, task.ErrDeadline
		},
		"the caller's Close": func(g *gate) (objstore.Ref[string], error) {
			ref := hold.Go(ctx, g.name)
			await(t, g.came, "the task")
			closeNode(t, n)
			return ref, bus.ErrClosed
		},
	} {
		if name == "the caller's Close" {
			defer func() { checkCut(t, ctx, name, end) }() // the last one
			continue
		}
		checkCut(t, ctx, name, end)
	}
}

func checkCut(t *testing.T, ctx context.Context, name string, end func(*gate) (objstore.Ref[string], error)) {
	t.Helper()
	g := newGate(t)
	ref, want := end(g)
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if _, err := ref.Get(bounded); !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", name, err, want)
	}
	if cause := await(t, g.cut, "the function's ctx to end"); !errors.Is(cause, task.ErrCancelled) {
		t.Errorf("%s: the function's ctx ended with %v", name, cause)
	}
}

func TestATaskWhoseNodeIsLostIsAskedForAgainIfTheCallerSaysSo(t *testing.T) {
	for _, retries := range []int{0, 1} {
		t.Run(fmt.Sprint(retries, " retries"), func(t *testing.T) {
			c, _, ctx := callers(t, 1)
			g := newGate(t)
			ref := hold.With(task.Retries(retries)).Go(ctx, g.name)
			await(t, g.came, "the task")
			c.Kill(0)
			c.Add()
			if retries > 0 {
				await(t, g.came, "the task, again")
			}
			g.open()
			bounded, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			id, err := ref.Get(bounded)
			if retries == 0 && !errors.Is(err, task.ErrWorkerLost) || retries == 1 && (err != nil || id != c.Node(1).ID()) {
				t.Errorf("got %q, %v", id, err)
			}
		})
	}
}

func TestACallerNeedsNoJetStream(t *testing.T) {
	srv := serveConfig(t, "accounts { A { users: [{ user: a, password: a }] } }") // without JetStream for A
	n, ctx := start(t, node.Config{URL: srv.ClientURL(), Caller: "a", Options: []nats.Option{nats.UserInfo("a", "a")}, Storage: jetstream.MemoryStorage})
	if v, err := square.Call(ctx, 7); !errors.Is(err, task.ErrNotRegistered) {
		t.Errorf("got %d, %v, want that nobody serves it", v, err)
	}
	if why, err := n.Why(ctx, objstore.ID{}); why == "" || err != nil {
		t.Errorf("why: %q, %v", why, err)
	}
	if total, free := n.Resources(); total.String() != "nothing" || free.String() != "nothing" {
		t.Errorf("it offers %v, %v", total, free)
	}
}

func TestACallerCallsWorkersThatAreNoNodes(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		var inside []nats.Option
		c := nodetest.Start(t, 1, nodetest.Configure(func(_ int, cfg *node.Config) { inside = cfg.Options }))
		_, ctx := start(t, node.Config{Caller: "bob", Options: inside})
		nc := c.Connect()
		full := true
		replyTo(t, nc, "half", func(m *nats.Msg) *nats.Msg {
			reply := nats.NewMsg(m.Reply)
			switch argument := string(m.Data); {
			case m.Header.Get("Content-Type") != "":
				reply.Header = nats.Header{"Nats-Service-Error": {"this worker reads JSON"}, "Nats-Service-Error-Code": {"400"}}
			case argument == "98" && full: // 98 is "b" in MessagePack
				full = false
				reply.Header = nats.Header{"Nats-Service-Error": {"come again"}, "Nats-Service-Error-Code": {"429"}}
			case argument == "98":
				for range 60 {
					sign := nats.NewMsg(m.Reply)
					sign.Header.Set("Status", "100")
					sign.Reply = "$JS.API.STREAM.DELETE.KV_manta_default_nodes" // it is not to be believed
					if err := nc.PublishMsg(sign); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Second)
				}
				reply.Data = []byte("49")
			case argument == "3":
				reply.Header = nats.Header{"Nats-Service-Error": {"it is odd"}, "Manta-Failure": {"shelf_empty"}}
			case argument == "5":
				reply.Header = nats.Header{"Nats-Service-Error": {"no fives"}, "Nats-Service-Error-Code": {"400"}}
			default:
				reply.Data = []byte("7")
			}
			return reply
		})
		half := task.Declare[int, int]("half")
		if v, err := half.Call(ctx, 14); v != 7 || err != nil { // in MessagePack, the JSON of 7 is 55
			t.Errorf("got %d, %v", v, err)
		}
		if v, err := half.Call(ctx, 98); v != 49 || err != nil {
			t.Errorf("one of a minute, by a worker that is full at first: %d, %v", v, err)
		}
		_, err := half.Call(ctx, 3)
		if failure, ok := errors.AsType[*task.Error](err); !ok || !errors.Is(err, errEmpty) || failure.Error() != "half failed: it is odd" {
			t.Errorf("an error: %v", err)
		}
		if _, err := half.Call(ctx, 5); !errors.Is(err, task.ErrArgument) {
			t.Errorf("an argument that does not fit: %v", err)
		}
	})
}

// replyTo serves a function as a worker does that knows nothing of Manta.
func replyTo(t *testing.T, nc *nats.Conn, function string, answer func(*nats.Msg) *nats.Msg) {
	t.Helper()
	if _, err := nc.QueueSubscribe("manta.default.task."+function, "workers", func(m *nats.Msg) {
		if err := nc.PublishMsg(answer(m)); err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
}
