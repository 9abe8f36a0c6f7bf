package task_test

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

// kind is a type of values that travel.
type kind struct {
	name  string
	check func(t *testing.T, ctx context.Context)
}

// kindOf registers a function that returns its argument, and sends values through it.
func kindOf[T any](name string, values ...T) kind {
	identity := task.Define("identity_"+name, func(_ context.Context, v T) (T, error) { return v, nil })
	return kind{name, func(t *testing.T, ctx context.Context) {
		for _, v := range values {
			if got := get(t, ctx, identity.Go(ctx, v)); !reflect.DeepEqual(got, v) {
				t.Errorf("Go: got %#v (%T), want %#v (%T)", got, got, v, v)
			}
			if got := get(t, ctx, identity.On(ctx, objstore.Put(ctx, v))); !reflect.DeepEqual(got, v) {
				t.Errorf("On: got %#v (%T), want %#v (%T)", got, got, v, v)
			}
		}
	}}
}

type (
	celsius float64
	Base    struct{ ID int64 }
	reading struct {
		Base
		Name   string `json:"name"`
		At     celsius
		Maybe  *int
		Left   int `json:"-"`
		Nested map[string][]Base
	}
)

var three = 3

var kinds = []kind{
	kindOf("bool", true, false),
	kindOf("int", 0, -1, math.MinInt, math.MaxInt),
	kindOf("uint64", uint64(0), math.MaxUint64),
	kindOf("int8", int8(-128), 127),
	kindOf("float64", 0, -0.5, math.MaxFloat64, math.Inf(-1)),
	kindOf("float32", float32(0.1)),
	kindOf("named", celsius(21.5)),
	kindOf("string", "", "grüße, 世界 \x00 🐟", strings.Repeat("x", 100_000)),
	kindOf("bytes", nil, []byte{}, []byte{0, 255}, make([]byte, 100_000)),
	kindOf("slice", nil, []int{}, []int{1, -2}, make([]int, 20_000)),
	kindOf("named_slice", []celsius{1, 2}),
	kindOf("strings", nil, []string{}, []string{"", "a"}),
	kindOf("array", [3]int16{1, 2, 3}),
	kindOf("map", nil, map[string]int{}, map[string]int{"a": 1, "": 2}),
	kindOf("map_by_number", map[int][]string{-1: nil, 1: {"x"}}),
	kindOf("pointer", nil, &three),
	kindOf("struct", reading{}, reading{
		Base: Base{7}, Name: "ü", At: -3, Maybe: &three, Nested: map[string][]Base{"a": {{1}}, "b": nil},
	}),
	kindOf("struct_pointer", nil, &reading{Name: "p"}),
	kindOf("time", time.Time{}, time.Unix(1_700_000_000, 123_456_789)),
	kindOf("duration", 3*time.Hour),
	kindOf("none", task.None{}),
	kindOf[any]("any", nil, true, int64(-5), uint64(math.MaxUint64), 0.5, "s", []byte{1}, []any{int64(1), "x", nil},
		map[string]any{"a": int64(1), "b": []any{0.5}}),
}

func TestValuesOfEveryKindComeBackAsTheyWere(t *testing.T) {
	c := nodetest.Start(t, 2)
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) { k.check(t, c.Context(0)) })
	}
}

func TestInsideAnAnyNumbersAreAsWideAsTheyGet(t *testing.T) {
	c := nodetest.Start(t, 1)
	identity := task.Declare[any, any]("identity_any")
	for _, test := range []struct{ sent, want any }{
		{5, int64(5)}, {int8(-5), int64(-5)}, {uint16(5), int64(5)}, {float32(0.5), 0.5},
		{[]int{1}, []any{int64(1)}}, {[]string{"a"}, []any{"a"}}, {map[string]int{"a": 1}, map[string]any{"a": int64(1)}},
	} {
		if got := get(t, c.Context(0), identity.Go(c.Context(0), test.sent)); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%#v: got %#v (%T), want %#v", test.sent, got, got, test.want)
		}
	}
}

var (
	zeroArgs = task.Define0("zero_args", func(context.Context) (string, error) { return "none", nil })
	twoArgs  = task.Define2("two_args", func(_ context.Context, s string, n int) (string, error) {
		return strings.Repeat(s, n), nil
	})
	double = task.Define("double", func(_ context.Context, x int) (int, error) { return 2 * x, nil })
)

func TestFunctionsOfNoneOneAndTwoArguments(t *testing.T) {
	c := nodetest.Start(t, 2)
	ctx := c.Context(1)
	if got, err := zeroArgs.Call(ctx); got != "none" || err != nil {
		t.Errorf("none: %q, %v", got, err)
	}
	if got, err := double.Call(ctx, 21); got != 42 || err != nil {
		t.Errorf("one: %d, %v", got, err)
	}
	if got, err := twoArgs.Call(ctx, "ab", 2); got != "abab" || err != nil {
		t.Errorf("two: %q, %v", got, err)
	}
	if got := get(t, ctx, twoArgs.On(ctx, zeroArgs.Go(ctx), objstore.Put(ctx, 2))); got != "nonenone" {
		t.Errorf("two refs: %q", got)
	}
	if got := getAll(t, ctx, twoArgs.Map(ctx, []string{"a", "b"}, []int{1, 2})); fmt.Sprint(got) != "[a bb]" {
		t.Errorf("Map: %q", got)
	}
	if got := getAll(t, ctx, double.Map(ctx, []int{1, 2, 3})); fmt.Sprint(got) != "[2 4 6]" {
		t.Errorf("Map: %v", got)
	}
	if refs := double.Map(ctx, nil); len(refs) != 0 {
		t.Errorf("Map of nothing: %v", refs)
	}
}

func TestGoTakesTheValueAsItIsAtThatMoment(t *testing.T) {
	c := nodetest.Start(t, 1, nodetest.CPUs(1))
	ctx := c.Context(0)
	g := newGate(t)
	blocker := pass.Go(ctx, g.name)
	g.await(1)
	identity := task.Declare[[]int, []int]("identity_slice")
	mine := []int{1, 2, 3}
	r := identity.Go(ctx, mine)
	mine[0] = 100
	g.open()
	if got := get(t, ctx, r); got[0] != 1 {
		t.Errorf("the task saw %v", got)
	}
	get(t, ctx, blocker)
}
