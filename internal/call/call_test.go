package call_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"manta/bus"
	"manta/internal/call"
	"manta/objstore"
)

// outcomeOf returns an object's outcome, which must be there.
func outcomeOf(t *testing.T, store *objstore.Store, o *objstore.Object) objstore.Outcome {
	t.Helper()
	got := make(chan objstore.Outcome, 1)
	defer store.When(o, func(out objstore.Outcome) { got <- out }).Forget()
	return receive(t, got)
}

func TestWhatCannotBeCalledFailsAtOnce(t *testing.T) {
	node, ctx := startNode(t)
	broken := errors.New("the name is empty")
	never := func(context.Context, *call.Target, []call.Arg) *objstore.Object {
		t.Error("it was submitted")
		return nil
	}
	tests := []struct {
		name   string
		object *objstore.Object
		want   string
	}{
		{"a zero function value", call.Submit(ctx, nil), "zero function value"},
		{"a broken target", call.Submit(ctx, &call.Target{Err: broken, Submit: never}), broken.Error()},
		{"an argument without an encoding", call.Submit(ctx, &call.Target{Name: "add", Submit: never}, call.Value(1), call.Value(func() {})), "add: argument 2: cannot encode func()"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := objstore.StoreOf(node).Value(ctx, test.object)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestAnArgumentIsWhatItWasWhenItWasGiven(t *testing.T) {
	node, _ := startNode(t)
	numbers := []int64{1, 2, 3}
	c := call.New(node, &call.Target{}, []call.Arg{call.Value(numbers)})
	numbers[0] = 9
	q := c.Request()
	if got, err := bus.Decode[[]int64](q.Args[0].Value); err != nil || got[0] != 1 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestACallIsReadyWhenItsLastArgumentIs(t *testing.T) {
	node, _ := startNode(t)
	store := objstore.StoreOf(node)
	small, large := store.Promise(), store.Promise()
	c := call.New(node, &call.Target{}, []call.Arg{
		call.Value(1), call.Ref(objstore.RefTo[int](small)), call.Ref(objstore.RefTo[string](large)),
	})
	ready := make(chan error, 2)
	c.WhenReady(func(err error) { ready <- err })
	store.Settle(small, &objstore.Outcome{Value: value(t, 2).Value})
	if len(ready) > 0 {
		t.Fatal("it was ready before its last argument was")
	}
	text := value(t, strings.Repeat("x", objstore.InlineLimit+1)).Value
	store.Settle(large, &objstore.Outcome{Value: text})
	if err := receive(t, ready); err != nil {
		t.Fatal(err)
	}
	q := c.Request()
	if got, err := bus.Decode[int](q.Args[1].Value); err != nil || got != 2 {
		t.Errorf("a small argument travels as %+v, want it inside the request", q.Args[1])
	}
	if q.Args[2].Value.Format != 0 || q.Args[2].Object != large.ID() {
		t.Errorf("a large argument travels as %+v, want its name", q.Args[2])
	}
	c.Fail(call.ErrCancelled)
	if len(ready) > 0 {
		t.Error("it was ready twice")
	}
}

func TestACallWhoseArgumentFailedIsReadyWithThatError(t *testing.T) {
	node, _ := startNode(t)
	store := objstore.StoreOf(node)
	pending, failed := store.Promise(), store.Promise()
	c := call.New(node, &call.Target{}, []call.Arg{
		call.Ref(objstore.RefTo[int](pending)), call.Ref(objstore.RefTo[int](failed)), call.Ref(objstore.RefTo[int](failed)),
	})
	ready := make(chan error, 3)
	c.WhenReady(func(err error) { ready <- err })
	why := errors.New("no numbers today")
	store.Settle(failed, &objstore.Outcome{Err: why})
	if err := receive(t, ready); err != why {
		t.Errorf("got %v", err)
	}
	c.Fail(why)
	store.Settle(pending, &objstore.Outcome{Value: value(t, 1).Value})
	if len(ready) > 0 {
		t.Error("it was ready twice")
	}
}

func TestOnlyTheFirstOutcomeCounts(t *testing.T) {
	node, _ := startNode(t)
	c := call.New(node, &call.Target{}, nil)
	c.Finish(objstore.Outcome{Value: value(t, 1).Value})
	c.Fail(call.ErrCancelled)
	out := outcomeOf(t, objstore.StoreOf(node), c.Object)
	if got, err := bus.Decode[int](out.Value); out.Err != nil || err != nil || got != 1 {
		t.Errorf("got %v, %v, %v", got, err, out.Err)
	}
}

func TestWhatEndsACallsContextIsItsOutcome(t *testing.T) {
	node, _ := startNode(t)
	tests := []struct {
		name    string
		timeout time.Duration
		ctx     func() context.Context
		want    []error
	}{
		{"cancellation", 0, cancelled(nil), []error{call.ErrCancelled, context.Canceled}},
		{"cancellation with a cause", 0, cancelled(errors.New("enough")), []error{call.ErrCancelled}},
		{"the end of its node", 0, cancelled(bus.ErrClosed), []error{bus.ErrClosed}},
		{"a deadline", 0, expired, []error{call.ErrDeadline, context.DeadlineExceeded}},
		{"its own timeout", time.Nanosecond, t.Context, []error{call.ErrDeadline}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := call.New(node, &call.Target{Name: "add", Options: call.Options{Timeout: test.timeout}}, nil)
			got := make(chan error, 1)
			c.Bind(test.ctx(), func(err error) { got <- err })
			err := receive(t, got)
			for _, want := range test.want {
				if !errors.Is(err, want) {
					t.Errorf("got %v, want %v", err, want)
				}
			}
			c.Fail(err)
		})
	}
}

func cancelled(cause error) func() context.Context {
	return func() context.Context {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(cause)
		return ctx
	}
}

func expired() context.Context {
	ctx, cancel := context.WithDeadline(context.Background(), time.Unix(0, 0))
	cancel()
	return ctx
}

func TestACallOutlivesTheReturnOfTheOneThatMadeIt(t *testing.T) {
	node, _ := startNode(t)
	synctest.Test(t, func(t *testing.T) {
		c := call.New(node, &call.Target{}, nil)
		ctx, cancel := context.WithCancelCause(context.Background())
		c.Bind(ctx, func(err error) { t.Errorf("it was ended: %v", err) })
		cancel(call.ErrReturned)
		synctest.Wait() // until what the end of ctx set off is over
		c.Fail(call.ErrCancelled)
	})
}

func TestARequestCarriesTheCallsDeadline(t *testing.T) {
	node, _ := startNode(t)
	c := call.New(node, &call.Target{Options: call.Options{Timeout: time.Hour}}, nil)
	c.Bind(t.Context(), func(error) {})
	defer c.Fail(call.ErrCancelled)
	q := c.Request()
	if left := time.Until(q.Deadline); left <= 59*time.Minute || left > time.Hour {
		t.Errorf("the deadline is in %v, want in 1h", left)
	}
	if q.Owner != node.ID || q.Number != c.Number() || q.Number != c.Object.ID().Number() {
		t.Errorf("the request names %s and %d", q.Owner, q.Number)
	}
}
