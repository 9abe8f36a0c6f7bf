package node

import (
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// scopeName is the instrumentation scope of Manta's spans.
const scopeName = "manta"

// unset is the type of OpenTelemetry's global provider as long as no program has set one.
const unset = "*global.tracerProvider"

// tracerOf returns the tracer of a provider, or of the global one; nil if that makes no spans: a node whose Tracer is nil spends nothing on them.
func tracerOf(p trace.TracerProvider) trace.Tracer {
	if p == nil {
		if p = otel.GetTracerProvider(); fmt.Sprintf("%T", p) == unset {
			return nil
		}
	}
	if _, silent := p.(noop.TracerProvider); silent {
		return nil
	}
	return p.Tracer(scopeName, trace.WithInstrumentationVersion(Version))
}
