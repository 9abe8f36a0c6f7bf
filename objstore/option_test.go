package objstore_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"manta/bus"
	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
)

func TestAnObjectWithATTLIsFreedWhenItIsOver(t *testing.T) {
	for name, value := range map[string][]float64{"small": floats(1), "large": floats(mebibyte)} {
		t.Run(name, func(t *testing.T) {
			nodetest.Virtual(t, func(t *testing.T) {
				c := nodetest.Start(t, 2)
				r := objstore.Put(c.Context(0), value, objstore.TTL(time.Minute))
				time.Sleep(time.Minute - time.Second)
				for i := range 2 {
					get(t, c.Context(i), r)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				for i := range 2 {
					wantFreed(t, c.Context(i), r)
				}
			})
		})
	}
}

func TestATTLThatMakesNoSenseIsTheErrorOfEveryRead(t *testing.T) {
	c := nodetest.Start(t, 1)
	for range 2 {
		if err := getError(t, c.Context(0), objstore.Put(c.Context(0), 1, objstore.TTL(-time.Second))); !strings.Contains(err.Error(), "TTL(-1s)") {
			t.Errorf("got %v, want that it names the option", err)
		}
	}
}

func TestWhatIsOverTheQuotaFailsAndTheStoreStaysOfUse(t *testing.T) {
	c, bucket := start(t, 2, nodetest.Configure(func(_ int, cfg *node.Config) { cfg.ObjectQuota = 4 << 20 }))
	ctx := c.Context(0)
	kept := objstore.Put(ctx, floats(3*mebibyte))
	if err := kept.Stored(ctx); err != nil {
		t.Fatal(err)
	}
	over := objstore.Put(ctx, floats(3*mebibyte))
	if err := over.Stored(ctx); !errors.Is(err, bus.ErrFull) {
		t.Errorf("Stored: got %v, want ErrFull", err)
	}
	for i := range 2 {
		if err := getError(t, c.Context(i), over); !errors.Is(err, bus.ErrFull) || !strings.Contains(err.Error(), "Config.ObjectQuota") {
			t.Errorf("node %d: got %v, want ErrFull, and what to do", i, err)
		}
	}
	if err := getError(t, ctx, counts.Go(ctx, 3*mebibyte)); !errors.Is(err, bus.ErrFull) {
		t.Errorf("a task's result: got %v, want ErrFull", err)
	}
	for i := range 2 {
		if got := get(t, c.Context(i), kept); len(got) != 3*mebibyte {
			t.Errorf("node %d reads %d numbers of what was there before", i, len(got))
		}
	}
	bucket.awaitUsage(3<<20 + 4<<10) // what was written of the others is gone
	if err := objstore.Free(ctx, kept); err != nil {
		t.Fatal(err)
	}
	again := objstore.Put(ctx, floats(3*mebibyte))
	if err := again.Stored(ctx); err != nil {
		t.Errorf("when there is room again: %v", err)
	}
}

func TestTheQuotaOfTheNodeThatStartedLastCounts(t *testing.T) {
	c, _ := start(t, 1, nodetest.Configure(func(i int, cfg *node.Config) { cfg.ObjectQuota = int64(1-i) << 20 }))
	ctx := c.Context(0)
	if err := objstore.Put(ctx, floats(2*mebibyte)).Stored(ctx); !errors.Is(err, bus.ErrFull) {
		t.Errorf("2 MiB: got %v, want ErrFull", err)
	}
	c.Add() // without a word of it: the bound stays
	if err := objstore.Put(ctx, floats(2*mebibyte)).Stored(ctx); !errors.Is(err, bus.ErrFull) {
		t.Errorf("2 MiB: got %v, want ErrFull", err)
	}
	c.Add(nodetest.Configure(func(_ int, cfg *node.Config) { cfg.ObjectQuota = 4 << 20 }))
	if err := objstore.Put(ctx, floats(2*mebibyte)).Stored(ctx); err != nil {
		t.Errorf("with a larger one: %v", err)
	}
}
