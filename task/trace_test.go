package task_test

import (
	"context"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"go.opentelemetry.io/otel/trace"

	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

const (
	traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	tracestate  = "vendor=1,other=2"
)

// traceOf is what OpenTelemetry has of a task's ctx.
func traceOf(ctx context.Context) string {
	s := trace.SpanContextFromContext(ctx)
	if !s.IsValid() {
		return "none"
	}
	return s.TraceID().String() + " " + s.SpanID().String() + " " + s.TraceState().String()
}

var (
	tracedChild  = task.Define("trace_child", func(ctx context.Context, _ string) (string, error) { return traceOf(ctx), nil })
	tracedParent = task.Define("trace_parent", func(ctx context.Context, _ string) (string, error) {
		direct, err := tracedChild.Call(ctx, "")
		if err != nil {
			return "", err
		}
		derived, cancel := context.WithCancel(ctx)
		defer cancel()
		awaited, err := tracedChild.On(derived, objstore.Put(ctx, "")).Get(ctx)
		return traceOf(ctx) + ", " + direct + ", " + awaited, err
	})
)

func TestATraceGoesWithATaskToItsChildren(t *testing.T) {
	c := nodetest.Start(t, 2)
	const want = "4bf92f3577b34da6a3ce929d0e0e4736 00f067aa0ba902b7 vendor=1,other=2"
	state, err := trace.ParseTraceState(tracestate)
	if err != nil {
		t.Fatal(err)
	}
	id, _ := trace.TraceIDFromHex("4bf92f3577b34da6a3ce929d0e0e4736")
	span, _ := trace.SpanIDFromHex("00f067aa0ba902b7")
	ctx := trace.ContextWithSpanContext(c.Context(0), trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: span, TraceFlags: trace.FlagsSampled, TraceState: state}))

	nc := c.Connect()
	worker := (&plain{t, nc}).startWorker()
	heard := make(chan string, 1)
	worker.serve("trace_worker", "1", func(r micro.Request) {
		heard <- r.Headers().Get("traceparent") + " " + r.Headers().Get("tracestate")
		answer(t, r, true)
	})

	for name, call := range map[string]func() (string, error){
		"a task":                  func() (string, error) { return tracedParent.Call(ctx, "") },
		"another node":            func() (string, error) { return tracedParent.With(task.OnNode(c.Node(1).ID(), task.Hard)).Call(ctx, "") },
		"a durable task":          func() (string, error) { return tracedParent.With(task.Durable()).Call(ctx, "") },
		"an argument to wait for": func() (string, error) { return tracedParent.On(ctx, tracedChild.Go(c.Context(1), "")).Get(ctx) },
		"a plain client": func() (string, error) {
			msg := nats.NewMsg("manta.default.task.trace_parent")
			msg.Data = []byte(`""`)
			msg.Header.Set("traceparent", traceparent)
			msg.Header.Set("tracestate", tracestate)
			reply, err := nc.RequestMsg(msg, patience)
			if err != nil {
				return "", err
			}
			return string(reply.Data[1 : len(reply.Data)-1]), nil
		},
	} {
		if got, err := call(); err != nil || got != want+", "+want+", "+want {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	if _, err := task.Declare[string, bool]("trace_worker").Call(ctx, ""); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; got != traceparent+" "+tracestate {
		t.Errorf("the worker heard %q", got)
	}
	if got, err := tracedParent.Call(c.Context(0), ""); err != nil || got != "none, none, none" {
		t.Errorf("without a trace: got %q, %v", got, err)
	}
}
