package actor_test

import (
	"context"
	"errors"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"manta/actor"
	"manta/node"
	"manta/node/nodetest"
	"manta/task"
)

func recordSpans() (*tracetest.SpanRecorder, nodetest.Option) {
	recorder := tracetest.NewSpanRecorder()
	provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder))
	return recorder, nodetest.Configure(func(_ int, cfg *node.Config) { cfg.TracerProvider = provider })
}

// spansOf are those that have ended with a name, by kind.
func spansOf(r *tracetest.SpanRecorder, name string) map[trace.SpanKind][]sdk.ReadOnlySpan {
	found := make(map[trace.SpanKind][]sdk.ReadOnlySpan)
	for _, s := range r.Ended() {
		if s.Name() == name {
			found[s.SpanKind()] = append(found[s.SpanKind()], s)
		}
	}
	return found
}

func textOf(s sdk.ReadOnlySpan, key attribute.Key) string {
	set := attribute.NewSet(s.Attributes()...)
	v, _ := set.Value(key)
	return v.String()
}

func TestAnActorsCallIsASpanAtItsCallerAndOneWhereItRuns(t *testing.T) {
	for name, nodes := range map[string]int{"on the caller's node": 1, "elsewhere": 2} {
		t.Run(name, func(t *testing.T) {
			recorder, traced := recordSpans()
			c := nodetest.Start(t, nodes, traced, nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = nodes > 1 && i == 0 }))
			ref := counters.New(c.Context(0), counter{}, actor.Name("spanned"))
			if _, err := actor.Method(ref, (*counter).Add).Call(c.Context(0), 2); err != nil {
				t.Fatal(err)
			}
			found := spansOf(recorder, "counter.Add")
			if len(found[trace.SpanKindClient]) != 1 || len(found[trace.SpanKindServer]) != 1 {
				t.Fatalf("got %v", found)
			}
			called, ran := found[trace.SpanKindClient][0], found[trace.SpanKindServer][0]
			if ran.Parent().SpanID() != called.SpanContext().SpanID() || called.Parent().IsValid() {
				t.Errorf("they have the parents %v and %v", called.Parent().SpanID(), ran.Parent().SpanID())
			}
			for key, want := range map[attribute.Key]string{
				"rpc.system.name": "manta", "rpc.method": "counter.Add", "manta.class": "counter", "manta.actor.id": "spanned",
			} {
				if textOf(called, key) != want || textOf(ran, key) != want {
					t.Errorf("%s is %q and %q, want %q", key, textOf(called, key), textOf(ran, key), want)
				}
			}
			if id := textOf(called, "manta.task.id"); id == "" || id != textOf(ran, "manta.task.id") {
				t.Errorf("the call is %q and %q", id, textOf(ran, "manta.task.id"))
			}
			if textOf(called, "manta.node") != c.Node(0).ID() || textOf(ran, "manta.node") != c.Node(nodes-1).ID() {
				t.Errorf("they are at %s and %s", textOf(called, "manta.node"), textOf(ran, "manta.node"))
			}
		})
	}
}

// errander has others do what it is asked.
type errander struct{}

func (*errander) Send(ctx context.Context, what string) (string, error) {
	return errand.Call(ctx, what)
}

var (
	erranders = actor.Define[errander]("errander")
	errand    = task.Define("errand", func(context.Context, string) (string, error) { return "", task.ErrArgument })
)

func TestWhatAnActorsMethodCallsIsAChildOfItsSpan(t *testing.T) {
	recorder, traced := recordSpans()
	c := nodetest.Start(t, 1, traced)
	if _, err := actor.Method(erranders.New(c.Context(0), errander{}), (*errander).Send).Call(c.Context(0), ""); !errors.Is(err, task.ErrArgument) {
		t.Fatal(err)
	}
	ran, inner := spansOf(recorder, "errander.Send")[trace.SpanKindServer], spansOf(recorder, "task errand")[trace.SpanKindProducer]
	if len(ran) != 1 || len(inner) != 1 || inner[0].Parent().SpanID() != ran[0].SpanContext().SpanID() {
		t.Fatalf("got %v and %v", ran, inner)
	}
	if ran[0].Status().Code != codes.Error || textOf(ran[0], "error.type") != "argument" {
		t.Errorf("the call has the status %v, %q", ran[0].Status(), textOf(ran[0], "error.type"))
	}
}

func TestACallThatIsMadeAgainHasASpanAnAttempt(t *testing.T) {
	recorder, traced := recordSpans()
	c, s := clientAndHosts(t, 1, traced), newStage(t)
	ctx := timeout(t, c.Context(0))
	ref := phoenixes.New(ctx, s.phoenix())
	done := actor.Method(ref, (*phoenix).Hold).With(task.Retries(1)).Go(ctx, "call")
	s.await("call begins")
	c.Add(traced)
	c.Kill(1)
	s.awaits(2, "call begins")
	s.open("call")
	if _, err := done.Get(ctx); err != nil {
		t.Fatal(err)
	}
	attempts := spansOf(recorder, "attempt phoenix.Hold")[trace.SpanKindClient]
	if len(attempts) != 2 || textOf(attempts[0], "error.type") != "actor_unavailable" {
		t.Fatalf("got %v", attempts)
	}
	if links := attempts[1].Links(); len(links) != 1 || links[0].SpanContext.SpanID() != attempts[0].SpanContext().SpanID() {
		t.Errorf("the second attempt has the links %v", links)
	}
}
