package node_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"manta/actor"
	"manta/node"
	"manta/objstore"
	"manta/task"
)

// deeds are what the workers serve in tests of permissions.
var (
	deeds  = task.NewRegistry()
	square = task.Define("square", func(_ context.Context, x int) (int, error) { squares.Add(1); return x * x, nil }, task.In(deeds))
	secret = task.Define0("secret", func(ctx context.Context) (string, error) {
		task.Logger(ctx).Info("a secret was asked for")
		return "known to workers", nil
	}, task.In(deeds))
	blank  = task.Define("blank", func(_ context.Context, n int) ([]byte, error) { return make([]byte, n), nil }, task.In(deeds))
	ledger = task.Define("ledger", func(_ context.Context, x int) (int, error) { return x + 1, nil }, task.Durable(), task.In(deeds))

	squares atomic.Int64 // how often square has run
)

type tally struct{ N int }

func (c *tally) Add(_ context.Context, d int) (int, error) { c.N += d; return c.N, nil }

var tallies = actor.Define[tally]("tally", actor.Restarts(1), actor.In(deeds))

// worker starts a node as the user "worker", and wants it to hear of nothing that is not permitted.
func (g guarded) worker(t *testing.T, namespace string) (*node.Node, context.Context) {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	n, ctx := start(t, node.Config{
		URL: g.ClientURL(), Namespace: namespace, Storage: jetstream.MemoryStorage, Options: g.as("worker"), Logger: zap.New(core), Registry: deeds, CPUs: 1, SharedDir: "off",
	})
	t.Cleanup(func() {
		for _, entry := range logs.FilterMessage("NATS reports an error").All() {
			t.Errorf("%s: %v", entry.Message, entry.ContextMap())
		}
	})
	return n, ctx
}

func TestWorkersDoAllThatNodesDoWithThePermissionsOfWorkers(t *testing.T) {
	g := serveTemplates(t)
	_, ctx := g.worker(t, "default")
	second, _ := g.worker(t, "default")
	awaitCount(t, ctx, 2)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if v, err := square.With(task.OnNode(second.ID(), task.Hard)).Call(ctx, 7); v != 49 || err != nil {
		t.Errorf("a task elsewhere: %d, %v", v, err)
	}
	if v, err := secret.Call(ctx); v == "" || err != nil {
		t.Errorf("a task: %q, %v", v, err)
	}
	if v, err := blank.With(task.OnNode(second.ID(), task.Hard)).Call(ctx, 1<<20); len(v) != 1<<20 || err != nil {
		t.Errorf("a large result: %d bytes, %v", len(v), err)
	}
	if v, err := ledger.Call(ctx, 1); v != 2 || err != nil {
		t.Errorf("a durable task: %d, %v", v, err)
	}
	if profile, err := node.Profile(ctx, second.ID(), "heap", 0); len(profile) == 0 || err != nil {
		t.Errorf("a profile: %d bytes, %v", len(profile), err)
	}
	if _, err := task.Declare[int, int]("nobody").Call(ctx, 1); !errors.Is(err, task.ErrNotRegistered) { // workers that are no nodes were asked for
		t.Errorf("what nobody serves: %v", err)
	}
	alice, _ := g.connect(t, "alice")
	for range 2 {
		once := nats.NewMsg("manta.default.task.square")
		once.Data = []byte("7")
		once.Header.Set("Manta-Id", "seven")
		if reply, err := alice.RequestMsgWithContext(ctx, once); err != nil || string(reply.Data) != "49" {
			t.Errorf("a request that is made once: %v, %v", reply, err)
		}
	}
	kept := objstore.Put(ctx, make([]byte, 1<<20), objstore.Durable())
	if v, err := kept.Get(ctx); len(v) != 1<<20 || err != nil {
		t.Errorf("a durable object: %d bytes, %v", len(v), err)
	}
	if err := objstore.Free(ctx, kept); err != nil {
		t.Errorf("freeing it: %v", err)
	}
	counter := tallies.New(ctx, tally{N: 40}, actor.Name("visits"))
	if v, err := actor.Method(counter, (*tally).Add).Call(ctx, 2); v != 42 || err != nil {
		t.Errorf("an actor: %d, %v", v, err)
	}
	if err := counter.Stop(ctx); err != nil {
		t.Errorf("stopping it: %v", err)
	}
	for l, err := range node.Logs(ctx, node.LogQuery{Follow: true}) {
		if err != nil || l.Message != "a secret was asked for" {
			t.Errorf("what the tasks logged: %+v, %v", l, err)
		}
		break
	}
	if l, err := node.ListTasks(ctx, node.Query{}); err != nil || len(l.Missing) > 0 {
		t.Errorf("what has become of the tasks: %+v, %v", l.Missing, err)
	}
}

// attempt is something that a role tries. It is permitted if do returns no error and the server says nothing.
type attempt struct {
	name string
	do   func(ctx context.Context, nc *nats.Conn, js jetstream.JetStream) error
	may  bool
}

func subscribe(subject string, may bool) attempt {
	return attempt{"subscribe to " + subject, func(_ context.Context, nc *nats.Conn, _ jetstream.JetStream) error {
		_, err := nc.SubscribeSync(subject)
		return err
	}, may}
}

func publish(subject string, may bool) attempt {
	return attempt{"publish to " + subject, func(_ context.Context, nc *nats.Conn, _ jetstream.JetStream) error {
		return nc.Publish(subject, nil)
	}, may}
}

func request(subject, payload string, may bool) attempt {
	return attempt{"request " + subject, func(ctx context.Context, nc *nats.Conn, _ jetstream.JetStream) error {
		_, err := nc.RequestWithContext(ctx, subject, []byte(payload))
		return err
	}, may}
}

func TestARoleMayDoWhatItsTemplateSaysAndNothingElse(t *testing.T) {
	g := serveTemplates(t)
	n, ctx := g.worker(t, "default")
	counter := tallies.New(ctx, tally{}, actor.Name("visits"), actor.Detached())
	if _, err := actor.Method(counter, (*tally).Add).Call(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := secret.Call(ctx); err != nil { // which is logged
		t.Fatal(err)
	}
	object := objstore.Put(ctx, make([]byte, 1<<20))
	if err := object.Stored(ctx); err != nil {
		t.Fatal(err)
	}
	readObject := attempt{"read an object", func(ctx context.Context, _ *nats.Conn, js jetstream.JetStream) error {
		bucket, err := js.ObjectStore(ctx, "manta_default_objects")
		if err != nil {
			return err
		}
		for err = jetstream.ErrObjectNotFound; errors.Is(err, jetstream.ErrObjectNotFound); { // until any client can read it
			_, err = bucket.GetBytes(ctx, object.ID().String())
		}
		return err
	}, false}
	readDirectory := attempt{"read the directory", func(ctx context.Context, _ *nats.Conn, js jetstream.JetStream) error {
		bucket, err := js.KeyValue(ctx, "manta_default_actors")
		if err != nil {
			return err
		}
		_, err = bucket.Get(ctx, "actor.visits")
		return err
	}, false}
	watchNodes := attempt{"watch the nodes", func(ctx context.Context, _ *nats.Conn, js jetstream.JetStream) error {
		bucket, err := js.KeyValue(ctx, "manta_default_nodes")
		if err != nil {
			return err
		}
		if _, err := bucket.Get(ctx, n.ID()); err != nil {
			return err
		}
		watcher, err := bucket.WatchAll(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = watcher.Stop() }()
		if entry := <-watcher.Updates(); entry == nil || entry.Key() != n.ID() {
			return errors.New("it is not there")
		}
		return nil
	}, false}
	readStream := func(name, prefix string) attempt {
		return attempt{"read " + name, func(ctx context.Context, _ *nats.Conn, js jetstream.JetStream) error {
			for err := error(jetstream.ErrStreamNotFound); errors.Is(err, jetstream.ErrStreamNotFound); { // until the node has told of itself
				if _, err = js.Stream(ctx, name); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
					return err
				}
			}
			consumer, err := js.OrderedConsumer(ctx, name, jetstream.OrderedConsumerConfig{})
			if err != nil {
				return err
			}
			msg, err := consumer.Next()
			if err == nil && !strings.HasPrefix(msg.Subject(), prefix) {
				err = errors.New("it is something else: " + msg.Subject())
			}
			return err
		}, false}
	}
	readEvents, readLogs := readStream("manta_default_events", "manta.default.event."), readStream("manta_default_logs", "manta.default.log.")
	permitted := func(a attempt) attempt { a.may = true; return a }

	mailboxes := []attempt{
		subscribe("manta.default.>", false), subscribe("manta.default.task.square", false), subscribe("manta.default.work.square", false),
		subscribe("manta.default.actor.visits.*", false), subscribe("manta.default.call.tally.*.*", false), subscribe("manta.default.create.tally", false),
		subscribe("manta.default.node."+n.ID()+".>", false), subscribe("manta.default.reply.>", false), subscribe("manta.default.reply.node.>", false),
		subscribe("_INBOX.>", false), subscribe("_INBOX.paul.>", false), subscribe("_R_.>", false), subscribe(">", false), subscribe("$KV.>", false),
	}
	answers := []attempt{
		publish("manta.default.reply.paul.x.y", false), publish("manta.default.reply.node.x.y", false), publish("_INBOX.paul.x", false),
		publish("$SRV.ANSWER", false), publish("manta.default.log."+n.ID(), false),
	}
	writes := []attempt{
		publish("$KV.manta_default_nodes.x", false), publish("$KV.manta_default_leases."+n.ID(), false), publish("$KV.manta_default_actors.actor.visits", false),
		publish("$KV.manta_default_results.a.b", false), publish("$O.manta_default_objects.C.x.y", false), publish("manta.default.durable.ledger.a.b", false),
		publish("$JS.API.STREAM.DELETE.KV_manta_default_nodes", false), publish("$JS.API.STREAM.PURGE.KV_manta_default_actors", false),
		publish("$JS.API.STREAM.CREATE.mine", false), publish("$JS.API.CONSUMER.CREATE.OBJ_manta_default_objects.x", false),
	}
	others := []attempt{
		request("manta.default.task.secret", "", false), request("manta.default.actor.visits.Add", "1", false), request("manta.default.actor.visits.kill", "", false),
		request("manta.default.call.tally.visits.Add", "1", false), request("manta.default.create.tally", "", false),
		publish("manta.default.work.square", false), publish("manta.default.node."+n.ID()+".task.square", false), publish("manta.default.node."+n.ID()+".profile", false),
		publish("manta.default.freed", false), request("manta.default.node."+n.ID()+".drain", "", false),
		publish("manta.other.task.square", false), request("manta.default.object."+object.ID().String(), "", false),
	}
	for role, attempts := range map[string][][]attempt{
		"alice": {mailboxes, answers, writes, others, {
			request("manta.default.task.square", "7", true), subscribe("_INBOX.alice.mine", true), subscribe("manta.default.reply.alice.mine.>", true),
			readObject, readDirectory, watchNodes, readEvents, readLogs, request("$SRV.INFO.manta-default", "", false),
		}},
		"olive": {mailboxes, answers, writes, others, {
			request("manta.default.task.square", "7", false), request("$SRV.INFO.manta-default", "", true), request("$SRV.PING", "", true),
			permitted(watchNodes), readObject, readDirectory, permitted(readEvents), request("manta.default.node."+n.ID()+".state", `{"kind":"task"}`, true),
			permitted(readLogs), subscribe("manta.default.log.*", true),
			publish("manta.default.event.task.x", false), request("manta.default.node."+n.ID()+".why", "", false),
		}},
		"ada": {{
			request("manta.default.task.square", "7", true), request("manta.default.actor.visits.Add", "1", true), request("$SRV.STATS.manta-default", "", true),
			permitted(watchNodes), permitted(readObject), permitted(readDirectory), subscribe("manta.default.>", true),
			request("$JS.API.STREAM.DELETE.manta_default_durable", "", true),
			publish("$JS.API.STREAM.DELETE.KV_manta_default_unused", false), publish("$JS.API.STREAM.DELETE.KV_manta_other_nodes", false),
			subscribe("manta.other.>", false), publish("manta.other.task.square", false), subscribe("_INBOX.>", false), subscribe("_INBOX.paul.>", false),
		}},
		"polly": {writes, others, {
			subscribe("manta.default.worker.w1.square", true), subscribe("$SRV.INFO.manta-default-worker", true),
			{"subscribe in the queue group", func(_ context.Context, nc *nats.Conn, _ jetstream.JetStream) error {
				_, err := nc.QueueSubscribeSync("manta.default.task.square", "workers")
				return err
			}, true},
			publish("manta.default.reply.node.x.y", true), publish("_INBOX.paul.x", true),
			subscribe("manta.default.task.square", false), subscribe("manta.default.task.secret", false), subscribe("manta.default.worker.w1.secret", false),
			subscribe("manta.default.work.square", false), subscribe("manta.default.>", false), subscribe("manta.default.reply.>", false), subscribe("_INBOX.>", false),
			publish("manta.default.task.square", false), publish("$SRV.INFO.manta-default", false), readObject, readDirectory, watchNodes, readEvents, readLogs,
		}},
		"worker": {{
			subscribe("manta.other.>", false), publish("manta.other.task.square", false), publish("$KV.manta_other_nodes.x", false),
			publish("$JS.API.STREAM.DELETE.KV_manta_default_nodes", false), publish("$JS.API.STREAM.CREATE.mine", false),
			subscribe("_INBOX.>", false), subscribe("_INBOX.alice.>", false), subscribe("$KV.>", false), subscribe(">", false),
		}},
	} {
		for _, group := range attempts {
			for _, a := range group {
				t.Run(role+"/"+a.name, func(t *testing.T) { g.try(t, role, a) })
			}
		}
	}
}

// try makes an attempt, and wants the server to say that it is not permitted unless it is.
func (g guarded) try(t *testing.T, role string, a attempt) {
	t.Helper()
	nc, denied := g.connect(t, role)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- a.do(ctx, nc, js) }()
	var refused error
	select {
	case err = <-ended:
		if flushed := nc.FlushTimeout(patience); flushed != nil { // what the server has to say comes before
			t.Fatal(flushed)
		}
		refused = nc.LastError()
	case refused = <-denied:
		cancel()
		err = <-ended
	case <-time.After(patience):
		cancel()
		t.Fatalf("neither permitted nor denied: %v", <-ended)
	}
	switch {
	case a.may && (err != nil || refused != nil):
		t.Errorf("got %v, %v, want it permitted", err, refused)
	case !a.may && !errors.Is(refused, nats.ErrPermissionViolation):
		t.Errorf("got %v, %v, want it denied", err, refused)
	}
}

func TestAWorkerInAnotherLanguageServesWithItsPermissionsAndAnswersNowhereElse(t *testing.T) {
	g := serveTemplates(t)
	n, ctx := start(t, node.Config{
		URL: g.ClientURL(), Storage: jetstream.MemoryStorage, Options: g.as("worker"), Registry: task.NewRegistry(), SharedDir: "off",
	})
	nc, denied := g.connect(t, "polly")
	service, err := micro.AddService(nc, micro.Config{Name: "manta-default-worker", Version: "1.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	answer := micro.HandlerFunc(func(r micro.Request) { _ = r.Respond([]byte("49")) })
	for name, opts := range map[string][]micro.EndpointOpt{
		"square": {micro.WithEndpointSubject("manta.default.task.square"), micro.WithEndpointQueueGroup("workers")},
		"own":    {micro.WithEndpointSubject("manta.default.worker." + service.Info().ID + ".square")},
	} {
		if err := service.AddEndpoint(name, answer, opts...); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if v, err := task.Declare[int, int]("square").Call(ctx, 7); v != 49 || err != nil {
		t.Errorf("a task of a node: %d, %v", v, err)
	}
	alice, _ := g.connect(t, "alice")
	if reply, err := alice.Request("manta.default.task.square", []byte("7"), patience); err != nil || string(reply.Data) != "49" {
		t.Errorf("a caller's request: %+v, %v", reply, err)
	}
	select {
	case err := <-denied:
		t.Errorf("it is refused what it needs: %v", err)
	default:
	}
	if err := alice.PublishRequest("manta.default.task.square", "$KV.manta_default_nodes."+n.ID(), []byte("7")); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-denied:
		if !errors.Is(err, nats.ErrPermissionViolation) || !strings.Contains(err.Error(), "$KV.manta_default_nodes") {
			t.Errorf("an answer to the bucket of nodes: %v", err)
		}
	case <-time.After(patience):
		t.Error("an answer to the bucket of nodes is not refused")
	}
}

func TestNobodyCanHaveAWorkerAnswerWhereHeMayNotPublishHimself(t *testing.T) {
	g := serveTemplates(t)
	n, ctx := g.worker(t, "default")
	counter := tallies.New(ctx, tally{}, actor.Name("visits"), actor.Detached())
	if _, err := actor.Method(counter, (*tally).Add).Call(ctx, 1); err != nil {
		t.Fatal(err)
	}
	alice, denied := g.connect(t, "alice")
	before := squares.Load()
	for _, reply := range []string{
		"$KV.manta_default_nodes." + n.ID(), "$KV.manta_default_actors.actor.visits", "$JS.API.STREAM.DELETE.KV_manta_default_nodes",
		"manta.default.task.secret", "manta.default.durable.ledger.a.b", "manta.default.actor.visits.kill", "manta.other.task.square",
	} {
		if err := alice.PublishRequest("manta.default.task.square", reply, []byte("7")); err != nil {
			t.Fatal(err)
		}
	}
	if reply, err := alice.Request("manta.default.task.square", []byte("7"), patience); err != nil || string(reply.Data) != "49" {
		t.Errorf("an honest request: %+v, %v", reply, err)
	}
	if ran := squares.Load() - before; ran != 1 { // one CPU: those before it would have run before it
		t.Errorf("the function ran %d times, want once", ran)
	}
	if members, err := node.Members(ctx); err != nil || len(members) != 1 || members[0].ID != n.ID() {
		t.Errorf("the nodes are %+v, %v", members, err)
	}
	if v, err := actor.Method(counter, (*tally).Add).Call(ctx, 1); v != 2 || err != nil {
		t.Errorf("the actor: %d, %v", v, err)
	}
	select {
	case err := <-denied:
		t.Errorf("a reply subject is no matter of permissions: %v", err)
	default:
	}
}
