package node

import (
	"testing"

	"go.opentelemetry.io/otel"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

func TestANodeTracesOnlyIfSomebodyDoes(t *testing.T) {
	for _, test := range []struct {
		name     string
		global   trace.TracerProvider // that the program sets before; nil: none
		provider trace.TracerProvider
		want     bool
	}{
		{"none was ever set", nil, nil, false},
		{"one without effect", nil, noop.NewTracerProvider(), false},
		{"one of its own", nil, sdk.NewTracerProvider(), true},
		{"a global one without effect", noop.NewTracerProvider(), nil, false},
		{"a global one", sdk.NewTracerProvider(), nil, true},
		{"one without effect beside a global one", sdk.NewTracerProvider(), noop.NewTracerProvider(), false},
	} {
		if test.global != nil {
			otel.SetTracerProvider(test.global)
		}
		if got := tracerOf(test.provider) != nil; got != test.want {
			t.Errorf("%s: it traces: %v", test.name, got)
		}
	}
	otel.SetTracerProvider(noop.NewTracerProvider())
}
