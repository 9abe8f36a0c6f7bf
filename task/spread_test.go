package task_test

import (
	"sync"
	"testing"
	"time"

	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
)

func TestEightLongTasksRunFourOnEachOfTwoNodes(t *testing.T) {
	t.Parallel()
	const each = 500 * time.Millisecond
	everywhere(t, func(t *testing.T, where ...nodetest.Option) {
		t.Parallel()
		c := nodetest.Start(t, 4, append(where, nodetest.CPUs(4), nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i > 1 }))...)
		for name, counts := range map[string][]int{"one owner": {8}, "four owners": {1, 3, 1, 3}} {
			for range 5 {
				j := newJournal(t)
				begun := time.Now()
				var refs []objstore.Ref[chored]
				for owner, first := 0, 0; owner < len(counts); owner++ {
					refs = append(refs, j.submit(c.Context(owner), followed, first, first+counts[owner], each)...)
					first += counts[owner]
				}
				there := 0
				for _, v := range getAll(t, c.Context(0), refs) {
					if v.Node == c.Node(0).ID() {
						there++
					}
				}
				took := time.Since(begun)
				j.wantOnce(8)
				if there != 4 || took >= 2*each {
					t.Errorf("%s: %d ran on node 0 and %d on node 1, in %v; want 4 and 4, in half a second", name, there, 8-there, took)
				}
			}
		}
	})
}

// local runs n tasks of a length on so many goroutines, as a program without Manta would.
func local(n, goroutines int, each time.Duration) (took time.Duration) {
	begun := time.Now()
	work := make(chan struct{}, n)
	for range n {
		work <- struct{}{}
	}
	close(work)
	var pool sync.WaitGroup
	for range goroutines {
		pool.Go(func() {
			for range work {
				<-time.After(each)
			}
		})
	}
	pool.Wait()
	return time.Since(begun)
}

func TestManyTasksTakeLittleLongerThanInALocalPool(t *testing.T) {
	const count, tries, each = 600, 3, 10 * time.Millisecond
	everywhere(t, func(t *testing.T, where ...nodetest.Option) {
		c := nodetest.Start(t, 3, append(where, nodetest.CPUs(2))...)
		var pool, took time.Duration
		for range tries { // a machine that stalls is not what is tested
			pool = local(count, 6, each)
			j := newJournal(t)
			begun := time.Now()
			j.wantRight(getAll(t, c.Context(0), j.submit(c.Context(0), followed, 0, count, each)))
			took = time.Since(begun)
			j.wantOnce(count)
			t.Logf("%v, in a local pool %v", took, pool)
			if took <= pool*3/2 {
				return
			}
		}
		t.Errorf("%d tasks of %v on 3 × 2 CPUs took %v, in a local pool of 6 %v: want at most 1.5 times that", count, each, took, pool)
	})
}
