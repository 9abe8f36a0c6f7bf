package task_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"manta/node"
	"manta/node/embedded"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

// spans is what the nodes of a test tell OpenTelemetry.
type spans struct {
	t        *testing.T
	recorder *tracetest.SpanRecorder
	provider *sdk.TracerProvider
}

func recordSpans(t *testing.T) (*spans, nodetest.Option) {
	recorder := tracetest.NewSpanRecorder()
	s := &spans{t, recorder, sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder))}
	return s, nodetest.Configure(func(_ int, cfg *node.Config) { cfg.TracerProvider = s.provider })
}

// all are the spans of that name that have ended.
func (s *spans) all(name string) (found []sdk.ReadOnlySpan) {
	for _, span := range s.recorder.Ended() {
		if span.Name() == name {
			found = append(found, span)
		}
	}
	return found
}

// one is the only span of that name.
func (s *spans) one(name string) sdk.ReadOnlySpan {
	s.t.Helper()
	found := s.all(name)
	if len(found) != 1 {
		s.t.Fatalf("%d spans are named %q, want 1 among %v", len(found), name, s.names())
	}
	return found[0]
}

func (s *spans) names() (names []string) {
	for _, span := range s.recorder.Ended() {
		names = append(names, span.Name())
	}
	return names
}

func (s *spans) wantChild(child, parent sdk.ReadOnlySpan) {
	s.t.Helper()
	if child.Parent().SpanID() != parent.SpanContext().SpanID() || child.SpanContext().TraceID() != parent.SpanContext().TraceID() {
		s.t.Errorf("%q is no child of %q", child.Name(), parent.Name())
	}
}

// wantAttributes checks some of a span's attributes, as text.
func (s *spans) wantAttributes(span sdk.ReadOnlySpan, want map[string]string) {
	s.t.Helper()
	got := attribute.NewSet(span.Attributes()...)
	for key, value := range want {
		if v, ok := got.Value(attribute.Key(key)); !ok || v.String() != value {
			s.t.Errorf("%q: %s is %q, want %q", span.Name(), key, v.String(), value)
		}
	}
}

func (s *spans) wantError(span sdk.ReadOnlySpan, kind string) {
	s.t.Helper()
	if span.Status().Code != codes.Error || span.Status().Description == "" {
		s.t.Errorf("%q has the status %v, want an error", span.Name(), span.Status())
	}
	s.wantAttributes(span, map[string]string{"error.type": kind})
}

var (
	spanChild = task.Define("span_child", func(ctx context.Context, what string) (string, error) {
		_, own := trace.SpanFromContext(ctx).TracerProvider().Tracer("test").Start(ctx, "own "+what)
		own.End()
		if what == "fail" {
			return "", errUnlucky
		}
		return what, nil
	})
	spanParent = task.Define("span_parent", func(ctx context.Context, what string) (string, error) {
		return spanChild.Call(ctx, what)
	})
	spanSize = task.Define("span_size", func(_ context.Context, data []byte) (int, error) { return len(data), nil })
	spanLuck = task.Define("span_luck", func(ctx context.Context, until int) (int, error) {
		if n := task.Current(ctx).Attempt; n < until {
			return 0, errUnlucky
		}
		return until, nil
	}, task.RetryOn(errUnlucky), task.Backoff(0, 0))

	errUnlucky = errors.New("unlucky")
)

func init() { task.RegisterError("test_unlucky", errUnlucky) }

func TestATaskAndItsRunAreSpansOfOneTrace(t *testing.T) {
	s, traced := recordSpans(t)
	c := nodetest.Start(t, 2, traced)
	there := task.OnNode(c.Node(1).ID(), task.Hard)
	ref := spanParent.With(there).Go(c.Context(0), "go")
	if _, err := ref.Get(c.Context(0)); err != nil {
		t.Fatal(err)
	}
	submitted, ran := s.one("task span_parent"), s.one("run span_parent")
	s.wantChild(ran, submitted)
	s.wantChild(s.one("task span_child"), ran)
	s.wantChild(s.one("run span_child"), s.one("task span_child"))
	s.wantChild(s.one("own go"), s.one("run span_child"))
	if submitted.SpanKind() != trace.SpanKindProducer || ran.SpanKind() != trace.SpanKindConsumer || submitted.Parent().IsValid() {
		t.Errorf("they are a %v and a %v, and the first has the parent %v", submitted.SpanKind(), ran.SpanKind(), submitted.Parent())
	}
	s.wantAttributes(submitted, map[string]string{
		"messaging.system": "nats", "messaging.operation.type": "send", "messaging.destination.name": "span_parent",
		"manta.task.id": ref.ID().String(), "manta.node": c.Node(0).ID(),
	})
	s.wantAttributes(ran, map[string]string{
		"messaging.system": "nats", "messaging.operation.type": "process", "messaging.destination.name": "span_parent",
		"manta.task.id": ref.ID().String(), "manta.node": c.Node(1).ID(), "manta.attempt": "1",
	})
	if ran.Status().Code == codes.Error || len(s.all("attempt span_parent")) > 0 {
		t.Errorf("the run has the status %v, and the task %d attempts", ran.Status(), len(s.all("attempt span_parent")))
	}
}

func TestASpanOfAProgramIsTheParentOfItsTasks(t *testing.T) {
	s, traced := recordSpans(t)
	c := nodetest.Start(t, 1, traced)
	ctx, own := s.provider.Tracer("test").Start(c.Context(0), "request")
	_, err := spanChild.On(ctx, spanChild.Go(ctx, "x")).Get(ctx)
	own.End()
	if err != nil || len(s.all("task span_child")) != 2 {
		t.Fatalf("%v, %v", err, s.names())
	}
	for _, span := range s.all("task span_child") {
		s.wantChild(span, s.one("request"))
	}
}

func TestAPlainClientsTraceIsTheParentOfItsTask(t *testing.T) {
	s, traced := recordSpans(t)
	c := nodetest.Start(t, 1, traced)
	msg := nats.NewMsg("manta.default.task.span_child")
	msg.Data = []byte(`"plain"`)
	msg.Header.Set("traceparent", traceparent)
	if _, err := c.Connect().RequestMsg(msg, patience); err != nil {
		t.Fatal(err)
	}
	span := s.one("task span_child")
	if got := span.Parent(); got.TraceID().String() != "4bf92f3577b34da6a3ce929d0e0e4736" || got.SpanID().String() != "00f067aa0ba902b7" {
		t.Errorf("its parent is %v", got)
	}
	s.wantChild(s.one("run span_child"), span)
}

func TestAnErrorIsTheStatusOfBothSpans(t *testing.T) {
	s, traced := recordSpans(t)
	c := nodetest.Start(t, 1, traced)
	if _, err := spanChild.Call(c.Context(0), "fail"); !errors.Is(err, errUnlucky) {
		t.Fatal(err)
	}
	s.wantError(s.one("task span_child"), "test_unlucky")
	s.wantError(s.one("run span_child"), "test_unlucky")

	ctx, cancel := context.WithCancel(c.Context(0))
	cancel()
	if _, err := spanSize.Go(ctx, nil).Get(c.Context(0)); !errors.Is(err, task.ErrCancelled) {
		t.Fatal(err)
	}
	s.wantError(s.one("task span_size"), "cancelled")
}

func TestEachFurtherAttemptIsASpanWithALinkToTheOneBefore(t *testing.T) {
	s, traced := recordSpans(t)
	c := nodetest.Start(t, 1, traced)
	if _, err := spanLuck.Call(c.Context(0), 3); err != nil {
		t.Fatal(err)
	}
	whole, attempts, runs := s.one("task span_luck"), s.all("attempt span_luck"), s.all("run span_luck")
	if len(attempts) != 3 || len(runs) != 3 {
		t.Fatalf("%v", s.names())
	}
	for i, a := range attempts {
		s.wantChild(a, whole)
		s.wantAttributes(a, map[string]string{"manta.attempt": []string{"1", "2", "3"}[i]})
		if i < 2 {
			s.wantError(a, "test_unlucky")
			s.wantError(runs[i], "test_unlucky")
		}
		if i > 0 {
			s.wantChild(runs[i], a)
			wantLink(t, a, attempts[i-1])
			if a.StartTime().Before(attempts[i-1].EndTime()) {
				t.Errorf("attempt %d began before the one before had ended", i+1)
			}
		}
	}
	s.wantChild(runs[0], whole)
	if attempts[2].Status().Code == codes.Error || whole.Status().Code == codes.Error || !attempts[0].StartTime().Equal(whole.StartTime()) {
		t.Errorf("the last attempt has the status %v, the task %v", attempts[2].Status(), whole.Status())
	}
}

func wantLink(t *testing.T, from, to sdk.ReadOnlySpan) {
	t.Helper()
	if links := from.Links(); len(links) != 1 || links[0].SpanContext.SpanID() != to.SpanContext().SpanID() {
		t.Errorf("%q has the links %v", from.Name(), links)
	}
}

func TestTheAttemptAfterALostNodeIsLinkedToTheOneThatWasLost(t *testing.T) {
	s, traced := recordSpans(t)
	c, g := nodetest.Start(t, 2, traced), newGate(t)
	ref := pass.With(task.OnNode(c.Node(1).ID(), task.Soft)).Go(c.Context(0), g.name)
	<-g.came
	c.Kill(1)
	<-g.came
	g.open()
	if _, err := ref.Get(c.Context(0)); err != nil {
		t.Fatal(err)
	}
	attempts := s.all("attempt pass")
	if len(attempts) != 2 {
		t.Fatalf("%v", s.names())
	}
	s.wantError(attempts[0], "worker_lost")
	wantLink(t, attempts[1], attempts[0])
	i := slices.IndexFunc(s.all("run pass"), func(run sdk.ReadOnlySpan) bool {
		return run.Parent().SpanID() == attempts[1].SpanContext().SpanID()
	})
	if i < 0 {
		t.Error("the second run is no child of the second attempt")
	}
}

func TestFetchingALargeArgumentIsASpanOfTheRun(t *testing.T) {
	s, traced := recordSpans(t)
	c := nodetest.Start(t, 2, traced, nodetest.Configure(func(_ int, cfg *node.Config) { cfg.SharedDir = "off" }))
	data := objstore.Put(c.Context(0), make([]byte, 1<<20))
	there := spanSize.With(task.OnNode(c.Node(1).ID(), task.Hard))
	for range 2 { // the second time it is there
		if _, err := there.On(c.Context(0), data).Get(c.Context(0)); err != nil {
			t.Fatal(err)
		}
	}
	fetched := s.one("fetch object")
	s.wantChild(fetched, s.all("run span_size")[0])
	s.wantAttributes(fetched, map[string]string{"manta.object.size": "1048576", "manta.node": c.Node(1).ID(), "manta.object.id": data.ID().String()})
	if _, err := there.Call(c.Context(0), []byte("small")); err != nil {
		t.Fatal(err)
	}
	s.one("fetch object")
}

func TestADurableTasksSpanEndsWhenItIsStored(t *testing.T) {
	s, traced := recordSpans(t)
	c := nodetest.Start(t, 1, traced)
	ref := spanChild.With(task.Durable()).Go(c.Context(0), "durable")
	if err := task.Submitted(c.Context(0), ref); err != nil {
		t.Fatal(err)
	}
	stored := s.one("task span_child")
	s.wantAttributes(stored, map[string]string{"manta.durable": "true", "manta.task.id": ref.ID().String()})
	if _, err := ref.Get(c.Context(0)); err != nil {
		t.Fatal(err)
	}
	s.wantChild(s.one("run span_child"), stored)
	s.wantAttributes(s.one("run span_child"), map[string]string{"manta.task.id": ref.ID().String()})
}

func TestACallersTasksAreSpansToo(t *testing.T) {
	s, traced := recordSpans(t)
	server, err := embedded.RunServer(embedded.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	nodetest.Start(t, 1, traced, nodetest.At(server.URL()))
	n, ctx, err := node.Start(t.Context(), node.Config{URL: server.URL(), Caller: "alice", TracerProvider: s.provider})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if _, err := spanChild.Call(ctx, "caller"); err != nil {
		t.Fatal(err)
	}
	all := s.all("task span_child") // that of the node that took the request, and the caller's
	if len(all) != 2 {
		t.Fatalf("%v", s.names())
	}
	s.wantChild(all[0], all[1])
	s.wantChild(s.one("run span_child"), all[0])
}

func TestNobodyPaysForSpansThatNobodyWants(t *testing.T) {
	for name, provider := range map[string]trace.TracerProvider{"none": nil, "one without effect": noop.NewTracerProvider()} {
		c := nodetest.Start(t, 1, nodetest.Configure(func(_ int, cfg *node.Config) { cfg.TracerProvider = provider }))
		if got, err := tracedParent.Call(c.Context(0), ""); err != nil || got != "none, none, none" {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}
