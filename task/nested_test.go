package task_test

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"testing"
	"time"

	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

var (
	wrapRef = task.Define("wrap_ref", func(ctx context.Context, text string) ([]objstore.Ref[string], error) {
		return []objstore.Ref[string]{objstore.Put(ctx, text)}, nil
	})
	unwrapRef = task.Define("unwrap_ref", func(ctx context.Context, refs []objstore.Ref[string]) (string, error) { return refs[0].Get(ctx) })
	wrapRefs  = task.DefineStream("wrap_refs", func(ctx context.Context, n int, yield func(objstore.Ref[int]) error) error {
		for i := range n {
			if err := yield(objstore.Put(ctx, i)); err != nil {
				return err
			}
			runtime.GC() // what is on its way is kept
		}
		return nil
	})
)

// awaitNoneKept waits until no node keeps an object for others. Nobody is told of that, so it asks again and again.
func awaitNoneKept(t *testing.T, c *nodetest.Cluster, nodes int) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); ; <-tick.C {
		kept := 0
		for i := range nodes {
			kept += c.Node(i).Stats().Objects.Askable
		}
		if kept == 0 {
			return
		}
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("%d objects are still kept for others", kept)
		}
		runtime.GC()
	}
}

//go:noinline
func wrapAndUnwrap(t *testing.T, ctx context.Context) {
	if got := get(t, ctx, unwrapRef.On(ctx, wrapRef.Go(ctx, "x"))); got != "x" {
		t.Errorf("from task to task: %q", got)
	}
	next := 0
	for r, err := range wrapRefs.Stream(ctx, 20) {
		if err != nil {
			t.Fatal(err)
		}
		if got := get(t, ctx, r); got != next {
			t.Errorf("item %d names %d", next, got)
		}
		next++
	}
	if next != 20 {
		t.Errorf("%d items came", next)
	}
}

func TestRefsInResultsAndItemsLiveUntilTheyAreDropped(t *testing.T) {
	c := nodetest.Start(t, 3, nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i == 0 }))
	wrapAndUnwrap(t, c.Context(0))
	awaitNoneKept(t, c, 3)
}

func TestAPlainClientCanUseARefForTheRefTTL(t *testing.T) {
	const ttl = time.Minute
	nodetest.Virtual(t, func(t *testing.T) {
		c, client := startWithPlainClient(t, 2, nodetest.Configure(func(_ int, cfg *node.Config) { cfg.RefTTL = ttl }))
		refs := client.ask("wrap_ref", `"x"`, "").Data
		var ids []struct {
			Ref string `json:"$ref"`
		}
		if err := json.Unmarshal(refs, &ids); err != nil || len(ids) != 1 {
			t.Fatalf("got %s, %v", refs, err)
		}
		for range 3 {
			runtime.GC()
		}
		time.Sleep(ttl / 2) // virtual
		if got := client.ask("unwrap_ref", fmt.Sprintf(`[{"$ref": %q}]`, ids[0].Ref), "").Data; string(got) != `"x"` {
			t.Errorf("half a minute later: %s", got)
		}
		time.Sleep(ttl)
		awaitNoneKept(t, c, 2)
	})
}
