//go:build amd64 || arm64

package objstore_test

import (
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
