package call

import (
	"context"
	"runtime/pprof"
	"testing"
)

// labelled is a ctx that has labels as that of a call does.
type labelled struct {
	context.Context
	labels *Labels
}

func (l labelled) Value(key any) any {
	if v := l.labels.Value(key); v != nil {
		return v
	}
	return l.Context.Value(key)
}

func TestPprofAddsToTheLabelsOfACall(t *testing.T) {
	ctx := labelled{t.Context(), NewLabels(TaskLabel, "f")}
	pprof.Do(ctx, pprof.Labels("phase", "2"), func(ctx context.Context) {
		for name, want := range map[string]string{TaskLabel: "f", "phase": "2"} {
			if got, _ := pprof.Label(ctx, name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	})
	Unlabel()
}

func BenchmarkLabels(b *testing.B) {
	b.ReportAllocs()
	l := NewLabels(TaskLabel, "f")
	for range b.N {
		l.Set()
	}
	Unlabel()
}
