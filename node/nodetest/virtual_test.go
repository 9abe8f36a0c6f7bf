package nodetest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"manta/node"
	"manta/node/nodetest"
	"manta/task"
)

// nap takes so long, and returns how long it has taken.
var nap = task.Define("nap", func(ctx context.Context, d time.Duration) (time.Duration, error) {
	begun := time.Now()
	select {
	case <-time.After(d):
		return time.Since(begun), nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
})

func TestATaskOfTenMinutesIsOverSoonInVirtualTime(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := nodetest.Start(t, 3)
		begun := time.Now()
		got, err := nap.Call(c.Context(0), 10*time.Minute)
		if took := time.Since(begun); err != nil || got != 10*time.Minute || took > 10*time.Minute+time.Second {
			t.Errorf("a nap of ten minutes: %v, %v, after %v", got, err, took)
		}
	})
}

func TestADeadlineComesOnTimeInVirtualTime(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := nodetest.Start(t, 2)
		begun := time.Now()
		_, err := nap.With(task.Timeout(time.Minute)).Call(c.Context(0), time.Hour)
		if took := time.Since(begun); !errors.Is(err, task.ErrDeadline) || took != time.Minute {
			t.Errorf("%v after %v, want ErrDeadline after a minute", err, took)
		}
	})
}

func TestFaultsHappenInVirtualTime(t *testing.T) {
	for name, test := range map[string]struct {
		harm  func(c *nodetest.Cluster)
		after time.Duration // the naps that began before the fault are over at the latest
	}{
		"kill":       {func(c *nodetest.Cluster) { c.Kill(2) }, 25 * time.Second},
		"pause":      {func(c *nodetest.Cluster) { c.Pause(2) }, 25 * time.Second},
		"disconnect": {func(c *nodetest.Cluster) { c.Disconnect(2) }, 11 * time.Second},
		"drop":       {func(c *nodetest.Cluster) { c.Drop(0.2) }, 15 * time.Second},
		"delay":      {func(c *nodetest.Cluster) { c.Delay(2, 50*time.Millisecond) }, 11 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			nodetest.Virtual(t, func(t *testing.T) {
				c := nodetest.Start(t, 3, nodetest.CPUs(2), nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i == 0 }))
				begun := time.Now()
				var all []time.Duration
				for range 4 {
					all = append(all, 10*time.Second)
				}
				refs := nap.Map(c.Context(0), all)
				c.Await("both nodes run two naps", func() bool {
					_, one := c.Node(1).Resources()
					_, two := c.Node(2).Resources()
					return one["CPU"] == 0 && two["CPU"] == 0
				})
				test.harm(c)
				for i, ref := range refs {
					if got, err := ref.Get(c.Context(0)); got < 10*time.Second || err != nil {
						t.Errorf("nap %d: %v, %v", i, got, err)
					}
				}
				if took := time.Since(begun); took < 10*time.Second || took > test.after {
					t.Errorf("all was over after %v, want at most %v", took, test.after)
				}
			})
		})
	}
}
