package call_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// run serves a request for a function on a node.
func run(ctx context.Context, node *member.Node, h call.Handler, args ...call.WireArg) objstore.Outcome {
	out, _ := serve(ctx, node, "add", h, call.Request{Owner: node.ID, Entry: call.Entry{Number: 1, Attempt: 2, Args: wire(args...)}})
	return out
}

// wire returns arguments as they travel.
func wire(args ...call.WireArg) call.WireArgs {
	w := call.WireArgs{}
	for _, a := range args {
		w = w.AppendArg(a)
	}
	return w
}

func value[T any](t *testing.T, v T) call.WireArg {
	t.Helper()
	encoded, err := bus.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return call.WireArg{Value: encoded}
}

func add(_ context.Context, args []bus.Value, plain bool, room []byte) (bus.Value, error) {
	a, err := bus.Decode[int](args[0])
	if err != nil {
		return bus.Value{}, err
	}
	b, err := bus.Decode[int](args[1])
	return call.EncodeResult(a+b, err, plain, room)
}

func TestAResultIsSealed(t *testing.T) {
	node, ctx := startNode(t)
	out := run(ctx, node, add, value(t, 40), value(t, 2))
	if got, err := bus.Decode[int](out.Value); err != nil || got != 42 || out.Err != nil {
		t.Errorf("got %v, %v, %v", got, err, out.Err)
	}
}

func TestALargeResultIsInTheBucket(t *testing.T) {
	node, ctx := startNode(t)
	large := strings.Repeat("x", objstore.InlineLimit+1)
	out, _ := serve(ctx, node, "repeat", func(context.Context, []bus.Value, bool, []byte) (bus.Value, error) {
		return bus.Encode(large)
	}, call.Request{Owner: member.NewID(), Entry: call.Entry{Number: 1}})
	if out.Err != nil || out.Blob == nil || out.Blob.Blob.Size != int64(len(large)) {
		t.Fatalf("got %+v", out)
	}
}

func TestASmallResultIsPutIntoTheRoomThatItsWorkHas(t *testing.T) {
	node, ctx := startNode(t)
	w := call.Work{Function: "add", Handler: add, Room: make([]byte, 0, 64)}
	for n := range 3 {
		w.Entry = &call.Entry{Number: uint64(n), Args: wire(value(t, n), value(t, 1000))}
		got, err := w.Run(ctx, objstore.StoreOf(node))
		if sum, wrong := bus.Decode[int](got); err != nil || wrong != nil || sum != n+1000 {
			t.Fatalf("got %d, %v, %v", sum, err, wrong)
		}
		if &got.Data[0] != &w.Room[:1][0] {
			t.Error("the result lies elsewhere")
		}
	}
}

func TestAPlainClientsResultIsJSON(t *testing.T) {
	node, ctx := startNode(t)
	w := call.Work{Function: "add", Handler: add, Room: make([]byte, 0, 64), Entry: &call.Entry{Plain: true, Args: wire(value(t, 1), value(t, 2))}}
	got, err := w.Run(ctx, objstore.StoreOf(node))
	if err != nil || got.Format != bus.JSON || string(got.Data) != "3" {
		t.Errorf("got %s %s, %v", got.Format, got.Data, err)
	}
}

func TestAnArgumentThatIsAnObjectIsFetched(t *testing.T) {
	node, ctx := startNode(t)
	store := objstore.StoreOf(node)
	object := store.Keep(value(t, 40).Value)
	unpin := store.Pin(object)
	defer unpin()
	out := run(ctx, node, add, call.WireArg{Object: object.ID()}, value(t, 2))
	if got, err := bus.Decode[int](out.Value); err != nil || got != 42 {
		t.Errorf("got %v, %v, %v", got, err, out.Err)
	}
	out = run(ctx, node, add, value(t, 40), call.WireArg{Object: objstore.NewID(node.ID, 999)})
	if !strings.Contains(fmt.Sprint(out.Err), "argument 2") {
		t.Errorf("an argument that is not there: %v", out.Err)
	}
}

func TestAFailureSaysWhatFailedWhereAndWhy(t *testing.T) {
	node, ctx := startNode(t)
	tests := []struct {
		name    string
		handler call.Handler
		code    string
		message string
		stack   string // in it
	}{
		{"an error", fails(io.ErrUnexpectedEOF), bus.UnknownCode, "unexpected EOF", ""},
		{"a registered error", fails(fmt.Errorf("reading: %w", call.ErrCancelled)), "cancelled", "reading: call was cancelled: context canceled", ""},
		{"a panic", panics("the roof is on fire"), bus.UnknownCode, "panic: the roof is on fire", "run_test.go"},
		{"a panic with a registered error", panics(call.ErrDeadline), "deadline", "panic: call took too long: context deadline exceeded", "run_test.go"},
		{"a panic with nil", panics(nil), bus.UnknownCode, "panic called with nil argument", "run_test.go"},
		{"a fault of the runtime", func(_ context.Context, args []bus.Value, _ bool, _ []byte) (bus.Value, error) { return args[5], nil },
			bus.UnknownCode, "panic: runtime error: index out of range", "run_test.go"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out := run(ctx, node, test.handler)
			f, ok := errors.AsType[*call.Failure](out.Err)
			if !ok {
				t.Fatalf("got %#v", out.Err)
			}
			if f.Func != "add" || f.Node != node.ID.String() || f.Attempt != 2 || f.Code != test.code || !strings.Contains(f.Message, test.message) {
				t.Errorf("got %+v", f)
			}
			if !strings.Contains(f.Stack, test.stack) || (f.Stack == "") != (test.stack == "") {
				t.Errorf("the stack is %q", f.Stack)
			}
		})
	}
	if out := run(ctx, node, add, value(t, 1), value(t, 2)); out.Err != nil {
		t.Errorf("the node did not survive: %v", out.Err)
	}
}

func fails(err error) call.Handler {
	return func(context.Context, []bus.Value, bool, []byte) (bus.Value, error) { return bus.Value{}, err }
}

func panics(reason any) call.Handler {
	return func(context.Context, []bus.Value, bool, []byte) (bus.Value, error) { panic(reason) }
}

func TestAFailureTravelsWhole(t *testing.T) {
	want := call.Failure{Func: "add", Node: "n", Attempt: 3, Code: "cancelled", Message: "no", Stack: "main.go:1", Fields: "\x81\xff",
		Advice: call.Advice{Again: true, After: time.Second}}
	travelling := want.EncodeFailure()
	if travelling.Code != call.FailedCode || travelling.Message != want.Error() {
		t.Errorf("it travels as %+v", travelling)
	}
	if got := call.DecodeFailure(travelling); *got != want {
		t.Errorf("got %+v, want %+v", *got, want)
	}
}

func TestAFailureWhoseDetailIsBrokenKeepsItsWords(t *testing.T) {
	for _, detail := range [][]byte{nil, {0xc0}, {0xc1}, {0x81, 0xa4, 'F', 'u'}, {0xdf, 0xff, 0xff, 0xff, 0xff}, {0x93, 1, 2, 3}} {
		got := call.DecodeFailure(bus.Failure{Code: call.FailedCode, Message: "add failed", Detail: detail})
		if got.Message != "add failed" || got.Code != bus.UnknownCode {
			t.Errorf("%x was read as %+v", detail, got)
		}
	}
}

func FuzzDecodeFailure(f *testing.F) {
	f.Add((&call.Failure{Func: "add", Stack: "main.go:1"}).EncodeFailure().Detail)
	f.Fuzz(func(t *testing.T, detail []byte) {
		if got := call.DecodeFailure(bus.Failure{Message: "m", Detail: detail}); got == nil {
			t.Fatal("no failure")
		}
	})
}

// serve has a node serve one call, and seals its result.
func serve(ctx context.Context, node *member.Node, function string, h call.Handler, q call.Request) (objstore.Outcome, *objstore.Arrival) {
	store := objstore.StoreOf(node)
	w := call.Work{Function: function, Handler: h, Entry: &q.Entry}
	value, err := w.Run(ctx, store)
	if err != nil {
		return objstore.Outcome{Err: err}, w.Arrival
	}
	return store.Seal(ctx, objstore.NewID(q.Owner, q.Number), value), w.Arrival
}
