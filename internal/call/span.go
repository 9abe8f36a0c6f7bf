package call

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"manta/bus"
	"manta/internal/member"
	"manta/objstore"
)

// What OpenTelemetry is told of calls. A node whose Tracer is nil makes no spans, and pays for none; the trace of a ctx travels all the same.

// What spans say beside what the semantic conventions have a name for.
const (
	taskIDKey  = attribute.Key("manta.task.id") // of the result; of an actor's call too
	attemptKey = attribute.Key("manta.attempt")
	nodeKey    = attribute.Key("manta.node") // the node that the span is about: where the call was made, or runs
	classKey   = attribute.Key("manta.class")
	actorKey   = attribute.Key("manta.actor.id")
	durableKey = attribute.Key("manta.durable")
)

// rpcSystem is what an actor's call is, in the words of the conventions.
const rpcSystem = "manta"

// span is a call at its owner, from submission to outcome. What is made again has a span an attempt besides, which ends with the call: nothing
// that ends a span, and so may export it, runs while the owner is locked.
//
//	submission ─► attempt … ─► outcome                                      the span of the call
//	              attempt 1 (failed) ◄─link─ attempt 2 ◄─link─ attempt 3    its children, once there is a second
type span struct {
	tracer   trace.Tracer
	whole    trace.Span
	name     string
	kind     trace.SpanKind
	about    []attribute.KeyValue
	begun    time.Time // when the latest attempt began
	attempts []attempt // those before it
	latest   trace.Span
}

// attempt is one that has ended.
type attempt struct {
	span  trace.Span
	ended time.Time
}

// Begin starts the span of a call that node makes in ctx. node.Tracer is not nil.
func (a *Args) Begin(ctx context.Context, node *member.Node, t *Target) {
	s := &span{tracer: node.Tracer, name: t.Name, kind: trace.SpanKindProducer, begun: time.Now(), about: t.attributes(node)}
	name := "task " + t.Name
	if t.Actor != "" {
		name, s.kind = t.Name, trace.SpanKindClient
	}
	ctx, s.whole = s.tracer.Start(ctx, name, trace.WithTimestamp(s.begun), trace.WithSpanKind(s.kind), trace.WithAttributes(s.about...))
	a.span, a.trace = s, TraceOf(ctx)
}

// attributes are what is known of a target's calls before they are made.
func (t *Target) attributes(node *member.Node) []attribute.KeyValue {
	if t.Actor != "" {
		class, _, _ := strings.Cut(t.Name, ".")
		return []attribute.KeyValue{
			semconv.RPCSystemNameKey.String(rpcSystem), semconv.RPCMethodKey.String(t.Name), classKey.String(class), actorKey.String(t.Actor),
			nodeKey.String(node.ID.String()),
		}
	}
	about := []attribute.KeyValue{
		messagingSystem, semconv.MessagingDestinationNameKey.String(t.Name), semconv.MessagingOperationTypeSend, nodeKey.String(node.ID.String()),
	}
	if t.Options.Durable {
		about = append(about, durableKey.Bool(true))
	}
	return about
}

// messagingSystem says over what tasks travel.
var messagingSystem = semconv.MessagingSystemKey.String("nats")

// named tells the span which call it is.
func (s *span) named(id objstore.ID) {
	s.about = append(s.about, taskIDKey.String(id.String()))
	s.whole.SetAttributes(taskIDKey.String(id.String()))
}

// Ending returns what ends the span of a call of which no Call is made: a durable one.
func (a *Args) Ending(id objstore.ID) func(error) {
	a.span.named(id)
	return a.span.end
}

// again notes that an attempt has ended with err, and that number n begins. It returns the trace that the attempt belongs to.
func (s *span) again(err error, n uint16) Trace {
	if s.latest == nil {
		_, s.latest = s.attempt(n-1, s.begun)
	}
	fail(s.latest, err)
	s.begun = time.Now()
	s.attempts = append(s.attempts, attempt{s.latest, s.begun})
	var ctx context.Context
	ctx, s.latest = s.attempt(n, s.begun, trace.WithLinks(trace.Link{SpanContext: s.latest.SpanContext()}))
	return TraceOf(ctx)
}

// attempt starts the span of an attempt.
func (s *span) attempt(n uint16, at time.Time, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	opts = append(opts, trace.WithTimestamp(at), trace.WithSpanKind(s.kind), trace.WithAttributes(s.about...), trace.WithAttributes(attemptKey.Int(int(n))))
	return s.tracer.Start(trace.ContextWithSpan(context.Background(), s.whole), "attempt "+s.name, opts...)
}

// end ends the span and those of the attempts.
func (s *span) end(err error) {
	for _, a := range s.attempts {
		a.span.End(trace.WithTimestamp(a.ended))
	}
	if s.latest != nil {
		fail(s.latest, err)
		s.latest.End()
	}
	fail(s.whole, err)
	s.whole.End()
}

// Retry begins the next attempt of a call whose last one has ended with err. Its owner has it locked.
func (c *Call) Retry(err error) {
	c.Attempt++
	w := c.awaited
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.args.span != nil {
		w.args.trace = w.args.span.again(err, c.Attempt)
		c.wire = w.wire()
	}
}

// fail gives a span the status of an error, if there is one.
func fail(s trace.Span, err error) {
	if err != nil {
		s.SetStatus(codes.Error, short(err.Error()))
		s.SetAttributes(semconv.ErrorTypeKey.String(errorType(err)))
	}
}

// errorType is the code of a registered error, also of one that a function returned: there are not many.
func errorType(err error) string {
	if f, ok := errors.AsType[*Failure](err); ok {
		return failureType(f.Code)
	}
	return failureType(bus.ErrorCode(err))
}

// failureType is the word for an error of a function that is not registered: it failed.
func failureType(code string) string {
	if code == bus.UnknownCode {
		return FailedCode
	}
	return code
}

// traced is serve with a span of the run, in which user code and what is fetched for it have theirs.
func (w *Work) traced(ctx context.Context, store *objstore.Store) (value bus.Value, err error) {
	node := store.Node()
	ctx, s := node.Tracer.Start(ctx, w.spanName(ctx), w.spanOptions(ctx, node)...)
	defer s.End()
	returned := false
	defer func() {
		if !returned {
			err = Exited(w.Function, node.ID, int(w.Entry.Attempt))
		}
		fail(s, err)
	}()
	value, err = w.serve(ctx, store)
	returned = true
	return value, err
}

func (w *Work) spanName(ctx context.Context) string {
	if r, _ := RunningIn(ctx); r.Class != "" {
		return w.Function
	}
	return "run " + w.Function
}

func (w *Work) spanOptions(ctx context.Context, node *member.Node) []trace.SpanStartOption {
	r, _ := RunningIn(ctx)
	about := []attribute.KeyValue{nodeKey.String(node.ID.String()), taskIDKey.String(r.ID.String()), attemptKey.Int(int(w.Entry.Attempt))}
	if r.Class != "" {
		about = append(about, semconv.RPCSystemNameKey.String(rpcSystem), semconv.RPCMethodKey.String(w.Function), classKey.String(r.Class), actorKey.String(r.Actor))
		return []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(about...)}
	}
	about = append(about, messagingSystem, semconv.MessagingDestinationNameKey.String(w.Function), semconv.MessagingOperationTypeProcess)
	return []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(about...)}
}
