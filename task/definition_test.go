package task_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

func same(_ context.Context, x int) (int, error) { return x, nil }

var taken = task.Define("taken", same)

// panicOf returns what f panics with.
func panicOf(t *testing.T, f func()) (message string) {
	t.Helper()
	defer func() { message = fmt.Sprint(recover()) }()
	f()
	t.Error("it did not panic")
	return ""
}

func TestTwoFunctionsOfOneNamePanicWithBothPlaces(t *testing.T) {
	got := panicOf(t, func() { task.Define("taken", same) })
	if !strings.Contains(got, `"taken"`) || strings.Count(got, "definition_test.go:") != 2 {
		t.Errorf("got %q", got)
	}
}

func TestAWrongDefinitionPanics(t *testing.T) {
	for name, define := range map[string]func(){
		"empty":            func() { task.Define("", same) },
		"a.b":              func() { task.Define("a.b", same) },
		"a b":              func() { task.Define("a b", same) },
		"a*":               func() { task.Define("a*", same) },
		"grüße":            func() { task.Define("grüße", same) },
		"-1 retries":       func() { task.Define("wrong", same, task.Retries(-1)) },
		`resource \"CPU\"`: func() { task.Define("wrong", same, task.CPUs(-1)) },
		"timeout of 0s":    func() { task.Define("wrong", same, task.Timeout(0)) },
	} {
		got := panicOf(t, define)
		if !strings.Contains(got, strings.ReplaceAll(name, `\`, "")) || !strings.Contains(got, "definition_test.go:") {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestWrongOptionsFailAtTheFirstGet(t *testing.T) {
	c := nodetest.Start(t, 1)
	ctx := c.Context(0)
	for want, f := range map[string]task.Func[int, int]{
		"-0.5":                     taken.With(task.CPUs(-0.5)),
		`"gpu"`:                    taken.With(task.Resources(map[string]float64{"gpu": -1})),
		"-3 retries":               taken.With(task.Retries(-3)),
		"timeout of -1s":           taken.With(task.Timeout(-time.Second)),
		"taken: -1 retries":        taken.With(task.Retries(-1), task.Timeout(0)), // the first one counts
		"zero function value":      {},
		`task name "a.b" contains`: task.Declare[int, int]("a.b"),
	} {
		for _, r := range []objstore.Ref[int]{f.Go(ctx, 1), f.On(ctx, objstore.Put(ctx, 1)), f.Map(ctx, []int{1})[0]} {
			if err := getError(t, ctx, r); !strings.Contains(err.Error(), want) {
				t.Errorf("got %q, want %q", err, want)
			}
		}
	}
}

func TestWithChangesACopy(t *testing.T) {
	c := nodetest.Start(t, 1)
	if taken.With(task.Retries(-1)) == taken {
		t.Error("With changed the function itself")
	}
	if n, err := taken.With(task.CPUs(0.5), task.Retries(0)).Call(c.Context(0), 3); n != 3 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestWhatCannotBeEncodedIsNamed(t *testing.T) {
	type order struct{ Reply chan int }
	c := nodetest.Start(t, 1)
	ctx := c.Context(0)
	err := getError(t, ctx, task.Declare[order, int]("taken").Go(ctx, order{}))
	if !strings.Contains(err.Error(), "taken: argument 1") || !strings.Contains(err.Error(), "order.Reply") {
		t.Errorf("an argument: got %q", err)
	}
	err = getError(t, ctx, task.Declare2[int, order, int]("taken").Go(ctx, 1, order{}))
	if !strings.Contains(err.Error(), "argument 2") {
		t.Errorf("the second argument: got %q", err)
	}
	err = getError(t, ctx, unencodable.Go(ctx))
	if !strings.Contains(err.Error(), "unencodable") || !strings.Contains(err.Error(), "chan int") {
		t.Errorf("a result: got %q", err)
	}
}

var unencodable = task.Define0("unencodable", func(context.Context) (any, error) {
	return map[string]any{"reply": make(chan int)}, nil
})

func TestArgumentsOfAnotherTypeOrNumberAreAnError(t *testing.T) {
	c := nodetest.Start(t, 1)
	ctx := c.Context(0)
	err := getError(t, ctx, task.Declare[string, int]("taken").Go(ctx, "seven"))
	if !errors.Is(err, task.ErrArgument) || !strings.Contains(err.Error(), "argument 1: cannot decode into int") {
		t.Errorf("another type: got %q", err)
	}
	err = getError(t, ctx, task.Declare2[int, int, int]("taken").Go(ctx, 1, 2))
	if !errors.Is(err, task.ErrArgument) || !strings.Contains(err.Error(), "2 were sent, it takes 1") {
		t.Errorf("another number: got %q", err)
	}
}

func TestMapOfUnequallyManyArgumentsFailsEachRef(t *testing.T) {
	c := nodetest.Start(t, 1)
	refs := twoArgs.Map(c.Context(0), []string{"a", "b", "c"}, []int{1})
	if len(refs) != 3 {
		t.Fatalf("%d refs, want 3", len(refs))
	}
	for _, r := range refs {
		if err := getError(t, c.Context(0), r); !strings.Contains(err.Error(), "two_args: Map of 3 and 1 arguments") {
			t.Errorf("got %q", err)
		}
	}
}

func TestATaskKnowsItself(t *testing.T) {
	c := nodetest.Start(t, 1)
	g := newGate(t)
	g.open()
	r := pass.Go(c.Context(0), g.name)
	get(t, c.Context(0), r)
	if got, want := g.await(1)[0], (task.Info{ID: r.ID(), Func: "pass", Attempt: 1, Node: c.Node(0).ID()}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := task.Current(c.Context(0)); got != (task.Info{}) {
		t.Errorf("outside of a task: %+v", got)
	}
}
