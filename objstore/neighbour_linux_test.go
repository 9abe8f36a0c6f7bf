//go:build amd64 || arm64

package objstore_test

import (
	"runtime"
	"slices"
	"testing"

	"manta/internal/member"
	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
)

// neighbours are nodes that share memory as processes of one machine do, except those of the given numbers.
func neighbours(t *testing.T, n int, without ...int) (*nodetest.Cluster, stock) {
	dir := t.TempDir()
	return start(t, n, nodetest.Configure(func(i int, cfg *node.Config) {
		if !slices.Contains(without, i) {
			cfg.SharedDir = dir
		}
	}))
}

// borrowed fails the test unless a node has read that many blobs through shared memory, and the rest otherwise.
func borrowed(t *testing.T, c *nodetest.Cluster, i int, shared, transferred int64) {
	t.Helper()
	s := c.Node(i).Stats().Objects
	if s.Borrowed != shared || s.Downloads != transferred {
		t.Errorf("node %d read %d blobs through shared memory and %d otherwise, want %d and %d", i, s.Borrowed, s.Downloads, shared, transferred)
	}
}

func TestALargeValueIsReadThroughSharedMemory(t *testing.T) {
	c, _ := neighbours(t, 3)
	want := floats(4 * mebibyte)
	ref := objstore.Put(c.Context(0), want)
	for i := 1; i < 3; i++ {
		if got := get(t, c.Context(i), ref); !slices.Equal(got, want) {
			t.Errorf("node %d reads other numbers", i)
		}
		borrowed(t, c, i, 1, 0)
	}
}

func TestASmallerValueIsTransferred(t *testing.T) {
	c, _ := neighbours(t, 2)
	get(t, c.Context(1), objstore.Put(c.Context(0), floats(mebibyte/2)))
	borrowed(t, c, 1, 0, 1)
}

func TestWhatAReaderChangesNoNeighbourSees(t *testing.T) {
	c, _ := neighbours(t, 3)
	want := floats(4 * mebibyte)
	ref := objstore.Put(c.Context(0), slices.Clone(want))
	clear(get(t, c.Context(1), ref))
	if !slices.Equal(get(t, c.Context(2), ref), want) || !slices.Equal(get(t, c.Context(0), ref), want) {
		t.Error("a neighbour's change is seen")
	}
}

func TestWhoeverHasAValueLendsIt(t *testing.T) {
	c, _ := neighbours(t, 3, 0)
	ref := objstore.Put(c.Context(0), floats(4*mebibyte))
	get(t, c.Context(1), ref)
	borrowed(t, c, 1, 0, 1)
	get(t, c.Context(2), ref)
	borrowed(t, c, 2, 1, 0)
}

func TestASegmentEndsWithItsObject(t *testing.T) {
	c, bucket := neighbours(t, 2)
	ref := objstore.Put(c.Context(0), floats(4*mebibyte))
	get(t, c.Context(1), ref)
	for i := range 2 {
		if n := objstore.Segments(c.Context(i)); n != 1 {
			t.Errorf("node %d has %d segments", i, n)
		}
	}
	if err := objstore.Free(c.Context(0), ref); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if n := objstore.Segments(c.Context(i)); n != 0 {
			t.Errorf("node %d has %d segments of what was freed", i, n)
		}
	}
	bucket.awaitEmpty()
}

func TestLentMemoryCountsAgainstTheCachesBound(t *testing.T) {
	dir := t.TempDir()
	c, _ := start(t, 2, nodetest.Configure(func(_ int, cfg *node.Config) { cfg.SharedDir, cfg.CacheBytes = dir, 5<<20 }))
	first, second := objstore.Put(c.Context(0), floats(4*mebibyte)), objstore.Put(c.Context(0), floats(4*mebibyte))
	for _, ref := range []objstore.Ref[[]float64]{first, second} {
		get(t, c.Context(1), ref)
	}
	borrowed(t, c, 1, 2, 0)
	if n := objstore.Segments(c.Context(0)); n != 1 {
		t.Errorf("the owner has %d segments of 4 MiB within 5 MiB", n)
	}
}

func TestOnlyNodesOfOnesNamespaceAreAsked(t *testing.T) {
	dir := t.TempDir()
	in := func(namespace string) *nodetest.Cluster {
		return nodetest.Start(t, 2, nodetest.Configure(func(_ int, cfg *node.Config) { cfg.SharedDir, cfg.Namespace = dir, namespace }))
	}
	here, there := in("here"), in("here-too")
	for _, c := range []*nodetest.Cluster{here, there} {
		if names := objstore.Neighbours(c.Context(0), member.NewID()); len(names) != 1 {
			t.Errorf("%v would be asked", names)
		}
	}
}

func TestTheOwnerIsAskedFirst(t *testing.T) {
	c, _ := neighbours(t, 4)
	owner := objstore.Put(c.Context(3), 1).ID().Owner()
	if names := objstore.Neighbours(c.Context(0), owner); len(names) != 3 || names[0] != "default."+owner.String() {
		t.Errorf("%v are asked, and %s owns the value", names, owner)
	}
}

func TestASilentNeighbourIsNotAskedAgainAtOnce(t *testing.T) {
	c, _ := neighbours(t, 3)
	owner := member.NewID()
	all := objstore.Neighbours(c.Context(0), owner)
	objstore.Silent(c.Context(0), all[0])
	if names := objstore.Neighbours(c.Context(0), owner); !slices.Equal(names, all[1:]) {
		t.Errorf("%v are asked, and %s is silent", names, all[0])
	}
}

func TestWhereANeighbourReadsTheNextValuesAreCopiedAhead(t *testing.T) {
	c, _ := neighbours(t, 2)
	owner := c.Context(0)
	first := objstore.Put(owner, floats(mebibyte))
	get(t, c.Context(1), first)
	before := objstore.Segments(owner)
	var ahead []objstore.Ref[[]float64]
	for range 12 {
		ahead = append(ahead, objstore.Put(owner, floats(mebibyte)))
	}
	c.Await("eight copies", func() bool { return objstore.Segments(owner) == before+8 })
	for _, ref := range ahead {
		if err := ref.Stored(owner); err != nil {
			t.Fatal(err)
		}
	}
	if n := objstore.Segments(owner); n != before+8 {
		t.Errorf("%d values were copied that nobody has read, want 8", n-before)
	}
	runtime.KeepAlive(first)
}

func TestMemoryThatWasMadeIsSharedFromTheStart(t *testing.T) {
	c, _ := neighbours(t, 2)
	owner := c.Context(0)
	made := objstore.Make[float64](owner, 4*mebibyte)
	for i, v := range made {
		if v != 0 {
			t.Fatalf("element %d is %v", i, v)
		}
	}
	want := floats(len(made))
	copy(made, want)
	ref := objstore.Put(owner, made)
	if n := objstore.Segments(owner); n != 1 {
		t.Errorf("%d segments once it was put", n)
	}
	got := get(t, c.Context(1), ref)
	borrowed(t, c, 1, 1, 0)
	clear(made) // a mistake, which no neighbour is to see
	if !slices.Equal(got, want) {
		t.Error("a neighbour reads other numbers")
	}
}

func TestMakeMakesAnyType(t *testing.T) {
	c, _ := neighbours(t, 1)
	ctx := c.Context(0)
	type point struct{ X, Y int32 }
	if v := objstore.Make[point](ctx, 1<<20); len(v) != 1<<20 || v[5] != (point{}) {
		t.Errorf("%d points", len(v))
	}
	if v := objstore.Make[string](ctx, 1<<20); len(v) != 1<<20 || v[5] != "" {
		t.Errorf("%d strings", len(v))
	}
	if v := objstore.Make[int](ctx, 0); len(v) != 0 || v == nil {
		t.Errorf("%v instead of no numbers", v)
	}
	if v := objstore.Make[int](t.Context(), 1<<20); len(v) != 1<<20 {
		t.Errorf("%d numbers without a node", len(v))
	}
}

func TestAPartOfWhatWasMadeIsAValueToo(t *testing.T) {
	c, _ := neighbours(t, 2)
	made := objstore.Make[byte](c.Context(0), 4<<20)
	for i := range made {
		made[i] = byte(i >> 4)
	}
	want := slices.Clone(made[:3<<20])
	if got := get(t, c.Context(1), objstore.Put(c.Context(0), made[:3<<20])); !slices.Equal(got, want) {
		t.Error("a neighbour reads other bytes")
	}
	borrowed(t, c, 1, 1, 0)
}
