package task_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"manta/bus"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

var errSoldOut = errors.New("sold out")

func init() { task.RegisterError("sold_out", errSoldOut) }

var (
	buy = task.Define("buy", func(_ context.Context, what string) (int, error) {
		switch what {
		case "panic":
			panic("no " + what)
		case "panic with an error":
			panic(errSoldOut)
		case "beyond":
			return []int{}[len(what)], nil
		case "bread":
			return 0, errors.New("no bread today")
		case "milk":
			return 0, fmt.Errorf("milk: %w", errSoldOut)
		}
		return 1, nil
	})
	verbose = task.Define("verbose", func(_ context.Context, n int) (int, error) { return 0, errors.New(strings.Repeat("x", n)) })
	buyFor  = task.Define("buy_for", func(ctx context.Context, what string) (int, error) {
		n, err := buy.Call(ctx, what)
		if err != nil {
			return 0, fmt.Errorf("shopping: %w", err)
		}
		return n, nil
	})
	boundToFail = task.Define("bound_to_fail", func(_ context.Context, n int) (int, error) {
		dependents.Add(1)
		return n, nil
	})
	dependents atomic.Int64
)

func TestAFunctionsErrorSaysWhatFailedAndWhere(t *testing.T) {
	c := nodetest.Start(t, 2)
	err := getError(t, c.Context(0), buy.Go(c.Context(0), "bread"))
	failed, ok := errors.AsType[*task.Error](err)
	if !ok {
		t.Fatalf("got a %T, want a *task.Error", err)
	}
	if failed.Func != "buy" || failed.Attempt != 1 || failed.Code != "error" || failed.Message != "no bread today" || failed.Stack != "" {
		t.Errorf("got %+v", failed)
	}
	if failed.Node != c.Node(0).ID() && failed.Node != c.Node(1).ID() {
		t.Errorf("it failed on %q", failed.Node)
	}
	if !strings.Contains(err.Error(), "no bread today") || errors.Is(err, errSoldOut) {
		t.Errorf("got %v", err)
	}
}

func TestARegisteredErrorIsRecognisedAtTheCaller(t *testing.T) {
	c := nodetest.Start(t, 2)
	for name, r := range map[string]objstore.Ref[int]{
		"returned":                buy.Go(c.Context(0), "milk"),
		"returned through a task": buyFor.Go(c.Context(0), "milk"),
		"panicked with":           buy.Go(c.Context(0), "panic with an error"),
	} {
		err := getError(t, c.Context(1), r)
		if !errors.Is(err, errSoldOut) {
			t.Errorf("%s: got %v, want errSoldOut", name, err)
		}
		if errors.Is(err, io.EOF) {
			t.Errorf("%s: it is io.EOF too", name)
		}
	}
	err := getError(t, c.Context(0), buyFor.Go(c.Context(0), "milk"))
	if failed, ok := errors.AsType[*task.Error](err); !ok || failed.Func != "buy_for" || !strings.Contains(failed.Message, "shopping: buy failed") {
		t.Errorf("through a task: got %+v", failed)
	}
}

func TestAPanicIsAnErrorWithItsStackAndTheNodeServesOn(t *testing.T) {
	c := nodetest.Start(t, 1)
	for what, message := range map[string]string{"panic": "panic: no panic", "beyond": "index out of range"} {
		err := getError(t, c.Context(0), buy.Go(c.Context(0), what))
		failed, ok := errors.AsType[*task.Error](err)
		if !ok || !strings.Contains(failed.Message, message) {
			t.Fatalf("got %v, want %q", err, message)
		}
		if !strings.Contains(failed.Stack, "error_test.go") {
			t.Errorf("the stack does not name the function's file:\n%s", failed.Stack)
		}
	}
	if n, err := buy.Call(c.Context(0), "eggs"); n != 1 || err != nil {
		t.Errorf("the next task: %d, %v", n, err)
	}
	total, free := c.Node(0).Resources()
	if total.String() != free.String() {
		t.Errorf("%v of %v is free", free, total)
	}
}

func TestWhatDependsOnAFailureNeverRunsAndHasItsRootCause(t *testing.T) {
	c := nodetest.Start(t, 2)
	ctx := c.Context(0)
	before := dependents.Load()
	root := buy.Go(ctx, "milk")
	leaf := boundToFail.On(ctx, boundToFail.On(ctx, boundToFail.On(ctx, root)))
	err := getError(t, ctx, leaf)
	if failed, ok := errors.AsType[*task.Error](err); !ok || failed.Func != "buy" || !errors.Is(err, errSoldOut) {
		t.Errorf("got %v, want buy's error", err)
	}
	if ran := dependents.Load() - before; ran != 0 {
		t.Errorf("%d dependents ran", ran)
	}
	both := twoArgs.On(ctx, objstore.Put(ctx, "x"), root)
	wantError(t, ctx, both, errSoldOut)
}

func TestAFunctionThatNobodyServesFailsAtOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, where ...nodetest.Option) {
		c := nodetest.Start(t, 2, where...)
		get(t, c.Context(0), stay.Go(c.Context(0), stayed{newGate(t).name, time.Second})) // a node is patient in its first second
		absent := task.Declare[int, int]("absent")
		begun := time.Now()
		wantError(t, c.Context(0), absent.Go(c.Context(0), 1), task.ErrNotRegistered)
		if took := time.Since(begun); took > time.Second/2 {
			t.Errorf("it took %v", took)
		}
		for _, r := range absent.Map(c.Context(1), make([]int, 100)) {
			wantError(t, c.Context(1), r, task.ErrNotRegistered)
		}
		if err := getError(t, c.Context(0), absent.Go(c.Context(0), 1)); !strings.Contains(err.Error(), `"absent"`) {
			t.Errorf("got %q, want it to name the function", err)
		}
	})
}

func TestAfterABacklogHasFailedTheNextTaskIsSentAtOnce(t *testing.T) {
	c := nodetest.Start(t, 2)
	absent := task.Declare[int, int]("absent")
	for range 3 {
		for _, r := range absent.Map(c.Context(0), make([]int, 100)) { // the first time they wait for a node that is only just there
			wantError(t, c.Context(0), r, task.ErrNotRegistered)
		}
		get(t, c.Context(1), stay.Go(c.Context(1), stayed{newGate(t).name, 200 * time.Millisecond})) // the owner has nothing to look after meanwhile
		wantError(t, c.Context(0), absent.Go(c.Context(0), 1), task.ErrNotRegistered)
	}
}

func TestWithoutANodeCallsFailAsNoNode(t *testing.T) {
	c := nodetest.Start(t, 1)
	wantError(t, c.Context(0), double.Go(context.Background(), 1), bus.ErrNoNode)
	if _, err := double.Call(context.Background(), 1); !errors.Is(err, bus.ErrNoNode) {
		t.Errorf("Call: got %v, want ErrNoNode", err)
	}
}

func TestCallsOfAClosedNodeFailAsClosed(t *testing.T) {
	c := nodetest.Start(t, 2)
	g := newGate(t)
	running := pass.Go(c.Context(0), g.name)
	g.await(1)
	if err := c.Node(0).Close(); err != nil {
		t.Fatal(err)
	}
	open := c.Node(0).Context(t.Context())
	for what, r := range map[string]objstore.Ref[string]{
		"one under way": running, "one after it": pass.Go(open, g.name), "one in its ctx": pass.Go(c.Context(0), g.name),
	} {
		if err := getError(t, open, r); !errors.Is(err, bus.ErrClosed) {
			t.Errorf("%s: got %v, want ErrClosed", what, err)
		}
	}
}

func TestAnErrorThatIsLargerThanAMessageIsCutShort(t *testing.T) {
	c := nodetest.Start(t, 1)
	if words := getError(t, c.Context(0), verbose.Go(c.Context(0), 4<<20)).Error(); !strings.Contains(words, "xxx… (4194304 bytes in all)") {
		t.Errorf("got %d bytes that end in %q", len(words), words[max(0, len(words)-40):])
	}
}
