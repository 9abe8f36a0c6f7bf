package task_test

import (
	"runtime"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"manta/node"
	"manta/node/nodetest"
)

func TestAFailureThatNobodyReadsIsLoggedOnceAtItsOwner(t *testing.T) {
	logged, logs := observer.New(zapcore.WarnLevel)
	c := nodetest.Start(t, 1, nodetest.Configure(func(_ int, cfg *node.Config) { cfg.Logger = zap.New(logged) }))
	ctx := c.Context(0)
	_ = getError(t, ctx, buy.Go(ctx, "bread")) // read, and so not logged
	buy.Go(ctx, "bread")
	buy.Go(ctx, "milk")
	found := func() (failures int64) {
		for _, entry := range logs.FilterMessageSnippet("nobody read").All() {
			failures += entry.ContextMap()["failures"].(int64)
		}
		return failures
	}
	for late := time.Now().Add(patience); found() < 2; runtime.GC() {
		if time.Now().After(late) {
			t.Fatalf("%d failures were logged, want 2", found())
		}
	}
	runtime.GC()
	if n := found(); n != 2 {
		t.Errorf("%d failures were logged, want 2", n)
	}
}
