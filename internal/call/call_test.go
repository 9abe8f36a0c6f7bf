package call_test

import (
	"context"
	"errors"
	"strings"
	"testing"

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
	never := func(context.Context, *call.Target, call.Args) *objstore.Object {
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
	c := call.New(node, &call.Target{}, call.ArgsOf(call.Value(numbers)))
	numbers[0] = 9
	_, args := sent(t, c)
	if got, err := bus.Decode[[]int64](args[0].Value); err != nil || got[0] != 1 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestACallIsReadyWhenItsLastArgumentIs(t *testing.T) {
	node, _ := startNode(t)
	store := objstore.StoreOf(node)
	small, large := store.Promise(), store.Promise()
	c := call.New(node, &call.Target{}, call.ArgsOf(call.Ref(objstore.RefTo[int](small)), call.Ref(objstore.RefTo[string](large))))
	if c.Ready() {
		t.Error("it needs not wait for its arguments")
	}
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
	_, args := sent(t, c)
	if got, err := bus.Decode[int](args[0].Value); err != nil || got != 2 {
		t.Errorf("a small argument travels as %+v, want it inside the request", args[0])
	}
	if args[1].Value.Format != 0 || args[1].Object != large.ID() {
		t.Errorf("a large argument travels as %+v, want its name", args[1])
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
	c := call.New(node, &call.Target{}, call.ArgsOf(call.Ref(objstore.RefTo[int](pending)), call.Ref(objstore.RefTo[int](failed))))
	ready := make(chan error, 2)
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
	c := call.New(node, &call.Target{}, call.Args{})
	c.Finish(&objstore.Outcome{Value: value(t, 1).Value})
	c.Fail(call.ErrCancelled)
	out := outcomeOf(t, objstore.StoreOf(node), c.Object)
	if got, err := bus.Decode[int](out.Value); out.Err != nil || err != nil || got != 1 {
		t.Errorf("got %v, %v, %v", got, err, out.Err)
	}
}

// sent returns a call as it travels, and its arguments.
func sent(t *testing.T, c *call.Call) (call.Entry, []call.WireArg) {
	t.Helper()
	e := c.Entry()
	r := bus.ReadFields(e.AppendTo(nil))
	e = call.ReadEntry(&r)
	if r.Err() != nil || r.Left() > 0 {
		t.Fatalf("%d bytes are left, %v", r.Left(), r.Err())
	}
	args, err := e.Args.List()
	if err != nil {
		t.Fatal(err)
	}
	return e, args
}
