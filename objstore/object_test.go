package objstore_test

import (
	"errors"
	"reflect"
	"testing"

	"manta/node/nodetest"
	"manta/objstore"
)

func TestAPromiseIsOneAllocationOf80Bytes(t *testing.T) {
	if size := reflect.TypeFor[objstore.Object]().Size(); size > 80 {
		t.Errorf("an Object has %d bytes", size)
	}
	store := storeOf(t, nodetest.Start(t, 1).Context(0))
	if allocs := testing.AllocsPerRun(100, func() { kept = store.Promise() }); allocs > 1 {
		t.Errorf("a promise takes %v allocations", allocs)
	}
}

func TestReadingASmallValueThatIsThereAllocatesNothing(t *testing.T) {
	c := nodetest.Start(t, 2)
	number, text := objstore.Put(c.Context(0), 1.5), objstore.Put(c.Context(0), "text")
	for i := range 2 {
		ctx := c.Context(i)
		get(t, ctx, number)
		get(t, ctx, text)
		if allocs := testing.AllocsPerRun(100, func() {
			_, err := number.Get(ctx)
			_, err2 := text.Get(ctx)
			if err = errors.Join(err, err2); err != nil {
				t.Error(err)
			}
		}); allocs > 0 {
			t.Errorf("on node %d it takes %v allocations", i, allocs)
		}
	}
}

func TestSettlingTwiceKeepsTheFirstOutcome(t *testing.T) {
	c := nodetest.Start(t, 1)
	p := promise[int](t, c.Context(0))
	p.keep(t, 1)
	p.keep(t, 2)
	p.fail(errors.New("late"))
	if got := get(t, c.Context(0), p.Ref); got != 1 {
		t.Errorf("got %d, want 1", got)
	}
}
