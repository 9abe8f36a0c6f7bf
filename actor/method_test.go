package actor_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"manta/actor"
	"manta/bus"
	"manta/objstore"
	"manta/task"
)

// desk has methods of every form.
type desk struct{ Owner string }

func (d *desk) Greet(context.Context) (string, error) { return "hello " + d.Owner, nil }
func (d *desk) Sum(_ context.Context, xs []float64) (float64, error) {
	sum := 0.0
	for _, x := range xs {
		sum += x
	}
	return sum, nil
}
func (d *desk) Join(_ context.Context, a string, b []string) (string, error) {
	return strings.Join(append(b, a), " "), nil
}
func (d *desk) Nothing(context.Context, *int) (task.None, error) { return task.None{}, nil }
func (d desk) ByValue(_ context.Context, x int) (int, error)     { return x, nil }
func (d *desk) Blob(_ context.Context, size int) ([]byte, error) { return make([]byte, size), nil }
func (d *desk) Any(_ context.Context, v any) (any, error)        { return v, nil }
func (d *desk) secret(_ context.Context, x int) (int, error)     { return x, nil }
func (d *desk) Pipe(context.Context) (chan int, error)           { return make(chan int), nil }

var desks = actor.Define[desk]("desk")

func TestMethodsOfNoneOneAndTwoArgumentsReturnTypedResults(t *testing.T) {
	ctx := timeout(t, clientAndHosts(t, 1).Context(0))
	d := desks.New(ctx, desk{Owner: "Ada"})
	if got, err := actor.Method0(d, (*desk).Greet).Call(ctx); err != nil || got != "hello Ada" {
		t.Errorf("Greet: %q, %v", got, err)
	}
	if got, err := actor.Method(d, (*desk).Sum).Call(ctx, []float64{1, 2, 3.5}); err != nil || got != 6.5 {
		t.Errorf("Sum: %v, %v", got, err)
	}
	if got, err := actor.Method2(d, (*desk).Join).Call(ctx, "c", []string{"a", "b"}); err != nil || got != "a b c" {
		t.Errorf("Join: %q, %v", got, err)
	}
	if _, err := actor.Method(d, (*desk).Nothing).Call(ctx, nil); err != nil {
		t.Errorf("Nothing: %v", err)
	}
	if got, err := actor.Method(d, (*desk).ByValue).Call(ctx, 7); err != nil || got != 7 {
		t.Errorf("ByValue: %v, %v", got, err)
	}
	if got, err := actor.Method(d, (*desk).Any).Call(ctx, int64(7)); err != nil || got != int64(7) {
		t.Errorf("Any: %v (%T), %v", got, got, err)
	}
}

func TestArgumentsMayBeRefsOfAnyOrigin(t *testing.T) {
	ctx := timeout(t, clientAndHosts(t, 1).Context(0))
	d := desks.New(ctx, desk{})
	join := actor.Method2(d, (*desk).Join)
	first := join.On(ctx, objstore.Put(ctx, "b"), objstore.Put(ctx, []string{"a"}))
	second := join.On(ctx, first, objstore.Put(ctx, []string{"say"}))
	if got, err := second.Get(ctx); err != nil || got != "say a b" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestLargeArgumentsAndResultsPass(t *testing.T) {
	ctx := timeout(t, clientAndHosts(t, 1).Context(0))
	d := desks.New(ctx, desk{})
	blob := actor.Method(d, (*desk).Blob)
	xs := make([]float64, 1<<18) // 2 MiB
	for i := range xs {
		xs[i] = 1
	}
	sum := actor.Method(d, (*desk).Sum)
	for name, call := range map[string]objstore.Ref[float64]{"by value": sum.Go(ctx, xs), "by ref": sum.On(ctx, objstore.Put(ctx, xs))} {
		if got, err := call.Get(ctx); err != nil || got != 1<<18 {
			t.Errorf("an argument of 2 MiB %s: %v, %v", name, got, err)
		}
	}
	if got, err := blob.Call(ctx, 3<<20); err != nil || len(got) != 3<<20 {
		t.Errorf("a result of 3 MiB: %d bytes, %v", len(got), err)
	}
}

func TestMapKeepsTheOrderOfItsArguments(t *testing.T) {
	ctx := setup(t)
	got, err := objstore.GetAll(ctx, actor.Method(desks.New(ctx, desk{}), (*desk).ByValue).Map(ctx, []int{3, 1, 2}))
	if err != nil || !slices.Equal(got, []int{3, 1, 2}) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestAResultWithoutAnEncodingIsAnErrorAndTheActorServesOn(t *testing.T) {
	ctx := setup(t)
	d := desks.New(ctx, desk{Owner: "Ada"})
	if _, err := actor.Method0(d, (*desk).Pipe).Call(ctx); err == nil || !strings.Contains(err.Error(), "chan int") {
		t.Errorf("got %v, want an error that names the type", err)
	}
	if _, err := actor.Method(d, (*desk).ByValue).Call(ctx, 1); err != nil {
		t.Error(err)
	}
}

func freestanding(_ *desk, _ context.Context, x int) (int, error) { return x, nil }

// annex takes the name of a method that desk has too.
func (a *annex) ByValue(_ context.Context, x int) (int, error) { return -x, nil }

type annex struct{ desk }

var annexes = actor.Define[annex]("annex")

func TestWhatIsNoExportedMethodIsAnErrorAtTheFirstGet(t *testing.T) {
	ctx := setup(t)
	d := desks.New(ctx, desk{})
	value := &desk{}
	for name, expression := range map[string]func(*desk, context.Context, int) (int, error){
		"nil":             nil,
		"a closure":       func(_ *desk, _ context.Context, x int) (int, error) { return x, nil },
		"a method value":  value.bound(),
		"a function":      freestanding,
		"an unexported":   (*desk).secret,
		"another's, bent": func(d *desk, ctx context.Context, x int) (int, error) { return (*desk).ByValue(d, ctx, x) },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := actor.Method(d, expression).Call(ctx, 1)
			if err == nil || !strings.Contains(err.Error(), "want a method expression such as (*desk).Name") {
				t.Errorf("got %v, want an error that says what Method takes", err)
			}
		})
	}
}

// bound returns a method value in the shape of a method expression.
func (d *desk) bound() func(*desk, context.Context, int) (int, error) { return binder{}.Run }

type binder struct{}

func (binder) Run(_ *desk, _ context.Context, x int) (int, error) { return x, nil }

func TestAMethodMayBePromotedOrOverridden(t *testing.T) {
	ctx := setup(t)
	a := annexes.New(ctx, annex{desk{Owner: "Ada"}})
	if got, err := actor.Method0(a, (*annex).Greet).Call(ctx); err != nil || got != "hello Ada" {
		t.Errorf("a promoted method: %q, %v", got, err)
	}
	if got, err := actor.Method(a, (*annex).ByValue).Call(ctx, 7); err != nil || got != -7 {
		t.Errorf("a method that hides another: %d, %v", got, err)
	}
}

// box is a generic class.
type box[T any] struct{ Content T }

func (b *box[T]) Swap(_ context.Context, v T) (T, error) {
	old := b.Content
	b.Content = v
	return old, nil
}

var boxes = actor.Define[box[string]]("box")

func TestAGenericStructCanBeAClass(t *testing.T) {
	ctx := setup(t)
	swap := actor.Method(boxes.New(ctx, box[string]{"a"}), (*box[string]).Swap)
	for _, want := range []string{"a", "b"} {
		if got, err := swap.Call(ctx, "b"); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
}

func TestEverythingNeedsANodeInCtx(t *testing.T) {
	ctx, bare := setup(t), t.Context()
	made := counters.New(ctx, counter{})
	_, callErr := actor.Method0(made, (*counter).Value).Call(bare)
	_, newErr := actor.Method0(counters.New(bare, counter{}), (*counter).Value).Call(ctx)
	_, getErr := actor.Method0(counters.GetOrNew(bare, "bare", counter{}), (*counter).Value).Call(ctx)
	_, lookupErr := counters.Lookup(bare, "bare")
	for what, err := range map[string]error{
		"a call": callErr, "New": newErr, "GetOrNew": getErr, "Lookup": lookupErr, "Stop": made.Stop(bare), "Kill": made.Kill(bare),
	} {
		if !errors.Is(err, bus.ErrNoNode) {
			t.Errorf("%s: got %v, want ErrNoNode", what, err)
		}
	}
}

func TestOptionsThatMakeNoSenseForACallAreNamed(t *testing.T) {
	ctx := setup(t)
	greet := actor.Method0(desks.New(ctx, desk{}), (*desk).Greet)
	for want, opt := range map[string]task.Option{
		"durable":         task.Durable(),
		"actor.CPUs":      task.CPUs(1),
		"where its actor": task.Spread(),
		"-1 retries":      task.Retries(-1),
		"actor.Resources": task.Resources(map[string]float64{"gpu": 1}),
		"streaming tasks": task.Ahead(1),
		"one result":      task.AheadBytes(1),
		"OnNode":          task.Labels("zone=a"),
	} {
		if _, err := greet.With(opt).Call(ctx); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "desk.Greet") {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	if _, err := greet.With(task.Retries(1), task.Timeout(patience)).Call(ctx); err != nil {
		t.Error(err)
	}
}
