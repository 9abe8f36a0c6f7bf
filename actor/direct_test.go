package actor

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"manta/bus"
)

type celsius float64

// gauge has methods that are called directly, and some that cannot be.
type gauge struct{ Reading float64 }

func (g *gauge) Read(context.Context) (float64, error)  { return g.Reading, nil }
func (g *gauge) On(context.Context) (bool, error)       { return g.Reading > 0, nil }
func (g *gauge) Unit(context.Context) (string, error)   { return "K", nil }
func (g *gauge) Ticks(context.Context) (int, error)     { return int(g.Reading), nil }
func (g *gauge) Since(context.Context) (int64, error)   { return -int64(g.Reading), nil }
func (g *gauge) Serial(context.Context) (uint64, error) { return 1 << 63, nil }
func (g *gauge) Add(_ context.Context, x float64) (float64, error) {
	g.Reading += x
	return g.Reading, nil
}
func (g *gauge) Above(_ context.Context, n int) (bool, error) { return g.Reading > float64(n), nil }
func (g *gauge) Name(_ context.Context, on bool) (string, error) {
	return "on: " + map[bool]string{true: "yes"}[on], nil
}
func (g *gauge) Length(_ context.Context, s string) (int, error)       { return len(s), nil }
func (g *gauge) Negate(_ context.Context, n int64) (int64, error)      { return -n, nil }
func (g *gauge) Mask(_ context.Context, n uint64) (uint64, error)      { return ^n, nil }
func (g *gauge) Refuse(_ context.Context, why string) (string, error)  { return "", errors.New(why) }
func (g *gauge) Convert(_ context.Context, c celsius) (celsius, error) { return c + 273, nil }
func (g *gauge) Both(_ context.Context, a, b int) (int, error)         { return a + b, nil }
func (g *gauge) All(_ context.Context, x float64) ([]float64, error) {
	return []float64{x, g.Reading}, nil
}
func (g *gauge) Sum(_ context.Context, xs []float64) (float64, error) { return xs[0], nil }
func (g *gauge) Whatever(_ context.Context, x any) (any, error)       { return x, nil }
func (g *gauge) Pair(_ context.Context, p [2]int) (struct{ X int }, error) {
	return struct{ X int }{p[0]}, nil
}

// reflected are gauge's methods that only package reflect can call.
var reflected = map[string]bool{"Convert": true, "Both": true, "All": true, "Sum": true, "Whatever": true, "Pair": true}

func gaugeClass(t *testing.T) *class {
	t.Helper()
	c, err := newClass("gauge", reflect.TypeFor[gauge](), directly[*gauge], nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAMethodOfScalarsIsCalledDirectly(t *testing.T) {
	for name, m := range gaugeClass(t).methods {
		if got, want := m.direct != nil, !reflected[name]; got != want {
			t.Errorf("%s: called directly: %v, want %v", name, got, want)
		}
	}
}

// TestACallIsTheSameDirectlyAndByReflection calls each method with a value of every kind, most of which do not fit.
func TestACallIsTheSameDirectlyAndByReflection(t *testing.T) {
	values := []bus.Value{
		encoded(t, true), encoded(t, -3), encoded(t, int64(5)), encoded(t, uint64(1)<<63), encoded(t, 2.5), encoded(t, "words"), encoded(t, ""),
		encoded(t, []byte("bytes")), encoded(t, []float64{1, 2}), encoded(t, []string{"a"}), encoded[any](t, nil),
		{Format: bus.JSON, Data: []byte("7")}, {Format: bus.JSON, Data: []byte(`"seven"`)}, {Format: bus.JSON, Data: []byte("{")},
		{Format: bus.Msgpack}, {Format: bus.Msgpack, Data: []byte{0xc1}},
	}
	for name, m := range gaugeClass(t).methods {
		if m.direct == nil {
			continue
		}
		called := values
		if len(m.args) == 0 {
			called = []bus.Value{{}}
		}
		for _, plain := range []bool{false, true} {
			for _, v := range called {
				args := []bus.Value{v}[:len(m.args)]
				direct, directErr := m.call(reflect.ValueOf(&gauge{Reading: 4}), t.Context(), args, plain, nil)
				byReflection := &method{fn: m.fn, args: m.args}
				want, wantErr := byReflection.call(reflect.ValueOf(&gauge{Reading: 4}), t.Context(), args, plain, nil)
				if !reflect.DeepEqual(direct, want) || errorText(directErr) != errorText(wantErr) {
					t.Errorf("%s of %v %q, plain %v: %v, %v directly, %v, %v by reflection", name, v.Format, v.Data, plain, direct, directErr, want, wantErr)
				}
			}
		}
	}
}

func TestADirectCallOfNumbersAllocatesNothing(t *testing.T) {
	m, instance, ctx := gaugeClass(t).methods["Add"], reflect.ValueOf(&gauge{}), t.Context()
	args, room := []bus.Value{encoded(t, 2.5)}, make([]byte, smallRoom)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := m.call(instance, ctx, args, false, room); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func encoded[T any](t *testing.T, v T) bus.Value {
	t.Helper()
	value, err := bus.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
