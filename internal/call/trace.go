package call

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"manta/bus"
)

// Trace is the W3C trace context that a call belongs to, as it travels: the value of the traceparent header, and, after a space, that of tracestate if
// it has one. The zero Trace is none.
type Trace string

// Its headers.
const (
	traceParent = "traceparent"
	traceState  = "tracestate"
)

// mostTrace bounds a Trace in bytes: W3C has 55 for the parent, and asks for 512 of state.
const mostTrace = 1 << 10

// traced is a ctx that knows its trace, if nothing inside it has another, without being asked for its values.
type traced interface{ Trace() Trace }

// TraceOf returns the trace that a ctx belongs to, as OpenTelemetry has it.
func TraceOf(ctx context.Context) Trace {
	if t, ok := ctx.(traced); ok {
		return t.Trace()
	}
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ""
	}
	headers := make(propagation.MapCarrier, 2)
	propagation.TraceContext{}.Inject(ctx, headers)
	return newTrace(headers[traceParent], headers[traceState])
}

// TraceIn returns the trace that a plain message belongs to.
func TraceIn(msg *bus.Msg) Trace {
	return newTrace(msg.Header.Get(traceParent), msg.Header.Get(traceState))
}

func newTrace(parent, state string) Trace {
	t := parent
	if state != "" {
		t += " " + state
	}
	if parent == "" || len(t) > mostTrace {
		return ""
	}
	return Trace(t)
}

// Put sets the headers of a plain message.
func (t Trace) Put(msg *bus.Msg) {
	parent, state, _ := strings.Cut(string(t), " ")
	if parent != "" {
		msg.Header.Set(traceParent, parent)
	}
	if state != "" {
		msg.Header.Set(traceState, state)
	}
}

// Context returns a ctx that belongs to the trace: what OpenTelemetry begins in it is its child. One that is not well-formed is none.
func (t Trace) Context(parent context.Context) context.Context {
	if t == "" {
		return parent
	}
	p, state, _ := strings.Cut(string(t), " ")
	return propagation.TraceContext{}.Extract(parent, propagation.MapCarrier{traceParent: p, traceState: state})
}
