package call_test

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// ready waits until a call's arguments have values.
func ready(t *testing.T, c *call.Call) error {
	t.Helper()
	got := make(chan error, 2)
	c.WhenReady(func(err error) { got <- err })
	return receive(t, got)
}

// wantInline checks that v, as an argument, travels inside its call, which awaits nothing.
func wantInline[T any](v T) func(*testing.T, *member.Node) {
	return func(t *testing.T, node *member.Node) {
		c := call.New(node, &call.Target{}, call.ArgsOf(call.Value(v), call.Value("beside it")))
		defer c.Fail(call.ErrCancelled)
		if !c.Ready() {
			t.Fatal("it waits for its arguments")
		}
		if err := ready(t, c); err != nil {
			t.Fatal(err)
		}
		_, args := sent(t, c)
		if len(args) != 2 {
			t.Fatalf("%d arguments travel, want 2", len(args))
		}
		if got, err := bus.Decode[T](args[0].Value); err != nil || !reflect.DeepEqual(got, v) {
			t.Errorf("got %v, %v, want %v", got, err, v)
		}
		if got, err := bus.Decode[string](args[1].Value); err != nil || got != "beside it" {
			t.Errorf("the other argument is %q, %v", got, err)
		}
	}
}

func TestSmallValuesTravelInsideTheirCall(t *testing.T) {
	node, _ := startNode(t)
	for name, test := range map[string]func(*testing.T, *member.Node){
		"bool":                              wantInline(true),
		"int":                               wantInline(-7),
		"int8":                              wantInline(int8(math.MinInt8)),
		"int64":                             wantInline(int64(math.MinInt64)),
		"uint64":                            wantInline(uint64(math.MaxUint64)),
		"float32":                           wantInline(float32(0.5)),
		"float64":                           wantInline(math.Inf(-1)),
		"no bytes":                          wantInline(""),
		"a short string":                    wantInline("manta"),
		"a string beyond the room of many":  wantInline(strings.Repeat("x", 100)),
		"the longest with a length of one":  wantInline(strings.Repeat("x", 127)),
		"the shortest with a length of two": wantInline(strings.Repeat("x", 128)),
		"as much as travels":                wantInline(strings.Repeat("x", objstore.InlineLimit)),
		"a slice":                           wantInline([]float64{1, 2}),
		"a struct":                          wantInline(struct{ A, B int }{1, 2}),
		"nil":                               wantInline[*int](nil),
	} {
		t.Run(name, func(t *testing.T) { test(t, node) })
	}
}

func TestACallMayHaveNoArgumentsOrOne(t *testing.T) {
	node, _ := startNode(t)
	for n, args := range []call.Args{call.ArgsOf(), call.ArgsOf(call.Value(1))} {
		c := call.New(node, &call.Target{}, args)
		if _, got := sent(t, c); len(got) != n || !c.Ready() {
			t.Errorf("%d arguments travel, want %d", len(got), n)
		}
		c.Fail(call.ErrCancelled)
	}
}

func TestALargeValueBecomesAnObject(t *testing.T) {
	node, ctx := startNode(t)
	store := objstore.StoreOf(node)
	numbers := make([]int64, objstore.InlineLimit/8+1)
	text := strings.Repeat("x", objstore.InlineLimit+1)
	for name, arg := range map[string]call.Arg{
		"a slice": call.Value(numbers), "a string": call.Value(text), "a list": call.Value([]string{text}),
		"one that is encoded": call.Encoded(value(t, text).Value),
	} {
		t.Run(name, func(t *testing.T) {
			c := call.New(node, &call.Target{}, call.ArgsOf(call.Value(1), arg))
			defer c.Fail(call.ErrCancelled)
			numbers[0]++ // which the argument does not know
			if c.Ready() {
				t.Error("it does not wait for its arguments")
			}
			if err := ready(t, c); err != nil {
				t.Fatal(err)
			}
			_, args := sent(t, c)
			if len(args) != 2 || args[0].Value.Format == 0 || args[1].Value.Format != 0 || args[1].Object == (objstore.ID{}) {
				t.Fatalf("they travel as %+v", args)
			}
			got, err := store.Open(ctx, args[1].Object)
			if err != nil || len(got.Data) <= objstore.InlineLimit {
				t.Fatalf("the object has %d bytes, %v", len(got.Data), err)
			}
			if name == "a slice" {
				if slice, err := bus.Decode[[]int64](got); err != nil || slice[0] == numbers[0] {
					t.Errorf("the argument changed after it was given: %v", err)
				}
			}
		})
	}
}

func TestRefsTravelAsTheirValuesIfThoseAreSmall(t *testing.T) {
	node, ctx := startNode(t)
	store := objstore.StoreOf(node)
	small, large := objstore.Put(ctx, 7), objstore.Put(ctx, strings.Repeat("x", objstore.InlineLimit+1))
	c := call.New(node, &call.Target{}, call.ArgsOf(call.Ref(large), call.Ref(small)))
	defer c.Fail(call.ErrCancelled)
	if err := ready(t, c); err != nil {
		t.Fatal(err)
	}
	_, args := sent(t, c)
	if got, err := bus.Decode[int](args[1].Value); err != nil || got != 7 {
		t.Errorf("the small one travels as %+v", args[1])
	}
	if args[0].Value.Format != 0 || args[0].Object != large.ID() {
		t.Errorf("the large one travels as %+v", args[0])
	}
	if got, err := store.Open(ctx, args[0].Object); err != nil || len(got.Data) != objstore.InlineLimit+1 {
		t.Errorf("it has %d bytes, %v", len(got.Data), err)
	}
}

func TestTheZeroRefIsNoArgument(t *testing.T) {
	node, _ := startNode(t)
	pending := objstore.StoreOf(node).Promise()
	for name, args := range map[string]call.Args{
		"alone":           call.ArgsOf(call.Ref(objstore.Ref[int]{})),
		"beside a value":  call.ArgsOf(call.Value(1), call.Ref(objstore.Ref[int]{})),
		"before an await": call.ArgsOf(call.Ref(objstore.Ref[int]{}), call.Ref(objstore.RefTo[int](pending))),
		"after an await":  call.ArgsOf(call.Ref(objstore.RefTo[int](pending)), call.Ref(objstore.Ref[int]{})),
		"twice":           call.ArgsOf(call.Ref(objstore.Ref[int]{}), call.Ref(objstore.Ref[int]{})),
	} {
		c := call.New(node, &call.Target{}, args)
		if err := ready(t, c); !errors.Is(err, objstore.ErrNoObject) {
			t.Errorf("%s: %v", name, err)
		}
		c.Fail(objstore.ErrNoObject)
	}
}

func TestACallThatHasEndedAwaitsNothing(t *testing.T) {
	node, _ := startNode(t)
	store := objstore.StoreOf(node)
	pending := store.Promise()
	c := call.New(node, &call.Target{}, call.ArgsOf(call.Ref(objstore.RefTo[int](pending))))
	c.WhenReady(func(err error) { t.Errorf("it was ready: %v", err) })
	c.Fail(call.ErrCancelled)
	store.Settle(pending, &objstore.Outcome{Value: value(t, 1).Value})
}
