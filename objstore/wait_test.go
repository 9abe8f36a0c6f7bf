package objstore_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"manta/node/nodetest"
	"manta/objstore"
)

// puts returns refs of 0, 1, 2, …
func puts(ctx context.Context, n int) (refs []objstore.Ref[int]) {
	for i := range n {
		refs = append(refs, objstore.Put(ctx, i))
	}
	return refs
}

func TestWaitReturnsExactlyAsManyAsItWasAskedForInTheirOrder(t *testing.T) {
	c := nodetest.Start(t, 1)
	for _, test := range []struct{ refs, n int }{{4, 1}, {4, 4}, {10, 2}, {3, 0}} {
		refs := puts(c.Context(0), test.refs)
		ready, rest, err := objstore.Wait(c.Context(0), refs, test.n)
		if err != nil {
			t.Errorf("%+v: %v", test, err)
		}
		if !slices.Equal(ready, refs[:test.n]) || !slices.Equal(rest, refs[test.n:]) {
			t.Errorf("%+v: ready %v, rest %v, of %v", test, ready, rest, refs)
		}
	}
}

func TestWaitKeepsTheOrderAlsoWhenLaterRefsAreReadyFirst(t *testing.T) {
	c := nodetest.Start(t, 1)
	a, b, d, e := promise[int](t, c.Context(0)), promise[int](t, c.Context(0)), promise[int](t, c.Context(0)), promise[int](t, c.Context(0))
	e.keep(t, 1)
	b.keep(t, 1)
	ready, rest, err := objstore.Wait(c.Context(0), []objstore.Ref[int]{a.Ref, b.Ref, d.Ref, e.Ref}, 2)
	if err != nil || !slices.Equal(ready, []objstore.Ref[int]{b.Ref, e.Ref}) || !slices.Equal(rest, []objstore.Ref[int]{a.Ref, d.Ref}) {
		t.Errorf("ready %v, rest %v, %v", ready, rest, err)
	}
}

func TestWaitRefusesWhatMakesNoSense(t *testing.T) {
	c := nodetest.Start(t, 1)
	refs := puts(c.Context(0), 2)
	for name, test := range map[string]struct {
		refs []objstore.Ref[int]
		n    int
	}{
		"a ref twice":         {[]objstore.Ref[int]{refs[0], refs[1], refs[0]}, 1},
		"the zero ref twice":  {make([]objstore.Ref[int], 2), 1},
		"more than there are": {refs, 3},
		"less than none":      {refs, -1},
	} {
		ready, rest, err := objstore.Wait(c.Context(0), test.refs, test.n)
		if err == nil || len(ready) > 0 || len(rest) != len(test.refs) {
			t.Errorf("%s: ready %v, rest %v, %v", name, ready, rest, err)
		}
		if errors.Is(err, objstore.ErrDuplicate) != strings.HasSuffix(name, "twice") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if ready, rest, err := objstore.Wait[int](c.Context(0), nil, 0); err != nil || len(ready)+len(rest) > 0 {
		t.Errorf("nothing: %v, %v, %v", ready, rest, err)
	}
}

func TestWaitsForTheSameRefsAtOnceTakeNoneForADuplicate(t *testing.T) {
	c := nodetest.Start(t, 1)
	refs := puts(c.Context(0), 100)
	var waits sync.WaitGroup
	for range 4 {
		waits.Go(func() {
			for rest := refs; len(rest) > 0; {
				var err error
				if _, rest, err = objstore.Wait(c.Context(0), rest, 1); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	waits.Wait()
}

func TestAWaitUnderWayEndsWithTheRefThatMakesItEnough(t *testing.T) {
	c := nodetest.Start(t, 2)
	var promises []promised[int]
	var refs []objstore.Ref[int]
	for i := range 6 {
		promises = append(promises, promise[int](t, c.Context(i%2)))
		refs = append(refs, promises[i].Ref)
	}
	promises[0].keep(t, 1)
	rest := refs
	for _, next := range []int{5, 1, 4, 3, 2} { // one is ready already
		ctx, waiting := announced(t, c.Context(0))
		got := make(chan []objstore.Ref[int])
		go func() {
			ready, _, err := objstore.Wait(ctx, rest, 2)
			if err != nil {
				t.Error(err)
			}
			got <- ready
		}()
		<-waiting
		promises[next].fail(errors.New("no"))
		ready := <-got
		want := []objstore.Ref[int]{refs[0], refs[next]}
		if !slices.Equal(ready, want) {
			t.Errorf("ready %v, want %v", ready, want)
		}
		rest = slices.DeleteFunc(slices.Clone(rest), func(r objstore.Ref[int]) bool { return r == refs[next] })
	}
}

func TestWaitWhoseCtxEndsReturnsWhatIsReadyAndTheCause(t *testing.T) {
	c := nodetest.Start(t, 1)
	done, never := objstore.Put(c.Context(0), 1), promise[int](t, c.Context(0))
	bored := errors.New("bored")
	ctx, cancel := context.WithCancelCause(c.Context(0))
	cancel(bored)
	ready, rest, err := objstore.Wait(ctx, []objstore.Ref[int]{never.Ref, done}, 2)
	if !errors.Is(err, bored) || !slices.Equal(ready, []objstore.Ref[int]{done}) || !slices.Equal(rest, []objstore.Ref[int]{never.Ref}) {
		t.Errorf("ready %v, rest %v, %v", ready, rest, err)
	}
}

func TestAFailedRefIsReady(t *testing.T) {
	c := nodetest.Start(t, 1)
	failed, never := promise[int](t, c.Context(0)), promise[int](t, c.Context(0))
	failed.fail(errors.New("no"))
	ready, _, err := objstore.Wait(c.Context(0), []objstore.Ref[int]{never.Ref, failed.Ref}, 1)
	if err != nil || !slices.Equal(ready, []objstore.Ref[int]{failed.Ref}) {
		t.Errorf("ready %v, %v", ready, err)
	}
}

func TestWaitWorksOnRefsOfOtherNodesAndOfMixedTypes(t *testing.T) {
	c := nodetest.Start(t, 2)
	number, text := promise[int](t, c.Context(0)), promise[string](t, c.Context(1))
	refs := []objstore.Ref[any]{number.Any(), text.Any()}
	text.keep(t, "x")
	ready, rest, err := objstore.Wait(c.Context(0), refs, 1)
	if err != nil || ready[0] != refs[1] || rest[0] != refs[0] {
		t.Errorf("ready %v, rest %v, %v", ready, rest, err)
	}
	number.keep(t, 1)
	if ready, _, err := objstore.Wait(c.Context(1), refs, 2); err != nil || len(ready) != 2 {
		t.Errorf("ready %v, %v", ready, err)
	}
}

func TestReadyYieldsTenThousandRefsOnceEachInTheOrderTheyComplete(t *testing.T) {
	c := nodetest.Start(t, 1)
	ctx := c.Context(0)
	const n = 10_000
	promises, refs := make([]promised[int], n), make([]objstore.Ref[int], n)
	for i := range promises {
		promises[i] = promise[int](t, ctx)
		refs[i] = promises[i].Ref
	}
	order := rand.Perm(n)
	promises[order[0]].keep(t, order[0])
	seen := 0
	for r := range objstore.Ready(ctx, refs) {
		if seen == 0 {
			go func() {
				for _, i := range order[1:] {
					promises[i].keep(t, i)
				}
			}()
		}
		if r != refs[order[seen]] {
			t.Fatalf("ref %d to complete was not yielded at its turn", seen)
		}
		seen++
	}
	if seen != n {
		t.Errorf("%d refs were yielded, want %d", seen, n)
	}
}

func TestReadyEndsWithItsCtxAndWhenItsReaderStops(t *testing.T) {
	c := nodetest.Start(t, 1)
	refs := append(puts(c.Context(0), 3), promise[int](t, c.Context(0)).Ref)
	for range objstore.Ready(c.Context(0), refs) {
		break
	}
	ctx, cancel := context.WithCancel(c.Context(0))
	defer cancel()
	seen := 0
	for range objstore.Ready(ctx, refs) {
		if seen++; seen == 3 {
			cancel()
		}
	}
	if seen != 3 {
		t.Errorf("%d refs were yielded, want 3", seen)
	}
	for range objstore.Ready[int](c.Context(0), nil) {
		t.Error("nothing yields something")
	}
}

func TestGetAllKeepsTheOrder(t *testing.T) {
	c := nodetest.Start(t, 2)
	values, err := objstore.GetAll(c.Context(1), puts(c.Context(0), 100))
	if err != nil || len(values) != 100 || !slices.IsSorted(values) {
		t.Errorf("got %v, %v", values, err)
	}
	if values, err := objstore.GetAll[int](c.Context(0), nil); err != nil || len(values) > 0 {
		t.Errorf("of nothing: %v, %v", values, err)
	}
}

func TestGetAllTakesARefTwiceAndWaitsForWhatIsToCome(t *testing.T) {
	c := nodetest.Start(t, 2)
	done := objstore.Put(c.Context(1), 1)
	for i := range 2 {
		p := promise[int](t, c.Context(0))
		ctx, waiting := announced(t, c.Context(i))
		got := make(chan []int)
		go func() {
			values, err := objstore.GetAll(ctx, []objstore.Ref[int]{p.Ref, done, p.Ref})
			if err != nil {
				t.Error(err)
			}
			got <- values
		}()
		<-waiting
		p.keep(t, 2)
		if values := <-got; !slices.Equal(values, []int{2, 1, 2}) {
			t.Errorf("on node %d: got %v", i, values)
		}
	}
}

func TestGetAllOfWhatIsThereAllocatesNothingPerRef(t *testing.T) {
	c := nodetest.Start(t, 1)
	refs := puts(c.Context(0), 1000)
	if allocs := testing.AllocsPerRun(10, func() {
		if _, err := objstore.GetAll(c.Context(0), refs); err != nil {
			t.Error(err)
		}
	}); allocs > float64(len(refs)/10) { // the node itself goes on meanwhile
		t.Errorf("%v allocations for %d refs", allocs, len(refs))
	}
}

func TestGetAllUnderWayEndsWithTheFirstFailureInTime(t *testing.T) {
	c := nodetest.Start(t, 1)
	slow, first, second := promise[int](t, c.Context(0)), promise[int](t, c.Context(0)), promise[int](t, c.Context(0))
	no := errors.New("no")
	ctx, waiting := announced(t, c.Context(0))
	ended := make(chan error)
	go func() {
		_, err := objstore.GetAll(ctx, []objstore.Ref[int]{slow.Ref, second.Ref, first.Ref})
		ended <- err
	}()
	<-waiting
	first.fail(no)
	if err := <-ended; !errors.Is(err, no) {
		t.Errorf("got %v, want the failure", err)
	}
	second.fail(errors.New("too late"))
	slow.keep(t, 1)
}

func TestGetAllReturnsTheFirstFailureWhileOthersStillRun(t *testing.T) {
	c := nodetest.Start(t, 1)
	slow, failed := promise[int](t, c.Context(0)), promise[int](t, c.Context(0))
	no := errors.New("no")
	failed.fail(no)
	if _, err := objstore.GetAll(c.Context(0), []objstore.Ref[int]{slow.Ref, failed.Ref}); !errors.Is(err, no) {
		t.Errorf("got %v, want the failure", err)
	}
}
