package objstore_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"manta/bus"
	"manta/node/nodetest"
	"manta/objstore"
)

type point struct {
	X, Y float64
	Tags map[string][]string
}

func TestAPutValueIsReadOnEveryNode(t *testing.T) {
	c := nodetest.Start(t, 2)
	text := strings.Repeat("grüße ", 30_000)
	points := make([]point, 5_000)
	for i := range points {
		points[i] = point{X: float64(i), Tags: map[string][]string{"a": {"b", "c"}}}
	}
	for name, check := range map[string]func(*testing.T, context.Context, context.Context){
		"small number":  readBack(42),
		"small struct":  readBack(point{X: 1, Tags: map[string][]string{"a": nil}}),
		"empty string":  readBack(""),
		"large string":  readBack(text),
		"large bytes":   readBack([]byte(text)),
		"large numbers": readBack(floats(3 * mebibyte)),
		"large structs": readBack(points),
	} {
		t.Run(name, func(t *testing.T) { check(t, c.Context(0), c.Context(1)) })
	}
}

// readBack puts a value on one node and reads it there and on another.
func readBack[T any](v T) func(*testing.T, context.Context, context.Context) {
	return func(t *testing.T, here, there context.Context) {
		r := objstore.Put(here, v)
		for where, ctx := range map[string]context.Context{"here": here, "there": there} {
			if got := get(t, ctx, r); !reflect.DeepEqual(got, v) {
				t.Errorf("%s: got a %T unlike the one put", where, got)
			}
		}
	}
}

func TestWhatCannotBeEncodedFailsAtTheFirstGet(t *testing.T) {
	type job struct {
		Done chan int
	}
	type nested struct {
		Jobs []any
	}
	type ring struct{ Next *ring }
	loop := &ring{}
	loop.Next = loop
	c, bucket := start(t, 1)
	ctx := c.Context(0)
	for name, err := range map[string]error{
		"job.Done":        getError(t, ctx, objstore.Put(ctx, job{})),
		"nested.Jobs[0]":  getError(t, ctx, objstore.Put(ctx, nested{[]any{func() {}}})),
		"back to itself":  getError(t, ctx, objstore.Put(ctx, loop)),
		"chan (chan int)": getError(t, ctx, objstore.Put(ctx, make(chan int))),
	} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("got %q, want it to name %q", err, name)
		}
	}
	if used := bucket.usage(); used > 0 {
		t.Errorf("%d bytes are in the bucket, want nothing", used)
	}
}

func TestAValueOfAnotherTypeIsAnErrorThatNamesIt(t *testing.T) {
	c := nodetest.Start(t, 1)
	number := objstore.Put(c.Context(0), 7)
	var text objstore.Ref[string]
	data, err := number.MarshalJSON()
	if err == nil {
		err = text.UnmarshalJSON(data)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := getError(t, c.Context(0), text); !strings.Contains(err.Error(), "string") {
		t.Errorf("got %q, want it to name the type", err)
	}
}

func TestTheZeroRefNamesNothing(t *testing.T) {
	c := nodetest.Start(t, 1)
	ctx := c.Context(0)
	var zero objstore.Ref[int]
	for what, err := range map[string]error{
		"Get": getError(t, ctx, zero), "Stored": zero.Stored(ctx), "Free": objstore.Free(ctx, zero),
	} {
		if !errors.Is(err, objstore.ErrNoObject) {
			t.Errorf("%s: got %v, want ErrNoObject", what, err)
		}
	}
	if ready, _, err := objstore.Wait(ctx, []objstore.Ref[int]{zero}, 1); err != nil || len(ready) != 1 {
		t.Errorf("Wait: %v, %v, want it to be ready", ready, err)
	}
	if zero.ID() != (objstore.ID{}) {
		t.Errorf("its ID is %v", zero.ID())
	}
}

func TestWithoutANodeEverythingSaysSo(t *testing.T) {
	c := nodetest.Start(t, 1)
	kept := objstore.Put(c.Context(0), 1)
	bare := context.Background()
	_, errGet := kept.Get(bare)
	_, errPut := objstore.Put(bare, 1).Get(c.Context(0))
	_, errAll := objstore.GetAll(bare, []objstore.Ref[int]{kept})
	_, _, errWait := objstore.Wait(bare, []objstore.Ref[int]{kept}, 1)
	for what, err := range map[string]error{
		"Get": errGet, "Put": errPut, "GetAll": errAll, "Wait": errWait,
		"Stored": kept.Stored(bare), "Free": objstore.Free(bare, kept),
	} {
		if !errors.Is(err, bus.ErrNoNode) {
			t.Errorf("%s: got %v, want ErrNoNode", what, err)
		}
	}
	for r := range objstore.Ready(bare, []objstore.Ref[int]{kept}) {
		if _, err := r.Get(bare); !errors.Is(err, bus.ErrNoNode) {
			t.Errorf("Ready: got %v, want ErrNoNode", err)
		}
	}
}

func TestGetGivesUpAtItsDeadlineAndTheRefCanBeAskedAgain(t *testing.T) {
	c := nodetest.Start(t, 2)
	r := promise[int](t, c.Context(0))
	for i := range 2 {
		ctx, cancel := context.WithTimeout(c.Context(i), time.Millisecond)
		defer cancel()
		if _, err := r.Get(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("on node %d: got %v, want DeadlineExceeded", i, err)
		}
	}
	r.keep(t, 5)
	for i := range 2 {
		if got := get(t, c.Context(i), r.Ref); got != 5 {
			t.Errorf("on node %d: got %d, want 5", i, got)
		}
	}
}

func TestGetReturnsTheCauseOfACancelledCtx(t *testing.T) {
	c := nodetest.Start(t, 1)
	r := promise[int](t, c.Context(0))
	bored := errors.New("bored")
	ctx, cancel := context.WithCancelCause(c.Context(0))
	cancel(bored)
	if _, err := r.Get(ctx); !errors.Is(err, bored) {
		t.Errorf("got %v, want the cause", err)
	}
}
