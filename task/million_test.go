package task_test

import (
	"runtime"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"manta/node"
	"manta/node/nodetest"
)

// bytesPerTask bounds what an owner keeps of a task that is queued, its ref included.
const bytesPerTask = 256

func TestAMillionQueuedTasksTakeLittleRoomAndAllFinish(t *testing.T) {
	if testing.Short() {
		t.Skip("a million tasks take seconds")
	}
	logged, logs := observer.New(zapcore.WarnLevel)
	c := nodetest.Start(t, 2, nodetest.CPUs(1), nodetest.Configure(func(i int, cfg *node.Config) {
		cfg.ClientOnly, cfg.Logger = i == 0, zap.New(logged)
	}))
	ctx := c.Context(0)
	g := newGate(t)
	blocker := pass.Go(ctx, g.name)
	g.await(1)
	numbers := make([]int, manyTasks)
	for i := range numbers {
		numbers[i] = i
	}
	before := inUse()
	refs := taken.Map(ctx, numbers)
	each := (inUse() - before) / manyTasks
	t.Logf("%d bytes a queued task", each)
	if each > bytesPerTask {
		t.Errorf("a queued task takes %d bytes, want at most %d", each, bytesPerTask)
	}
	if ran := c.Node(1).Stats().Tasks.Ran; ran > 0 {
		t.Errorf("%d tasks ran while the only CPU was taken", ran)
	}
	g.open()
	for i, got := range getAll(t, ctx, refs) {
		if got != i {
			t.Fatalf("task %d: got %d", i, got)
		}
	}
	get(t, ctx, blocker)
	if ran := c.Node(1).Stats().Tasks.Ran; ran != manyTasks+1 {
		t.Errorf("%d tasks ran, want %d", ran, manyTasks+1)
	}
	for _, entry := range logs.All() {
		text := entry.Message
		for _, value := range entry.ContextMap() {
			if s, ok := value.(string); ok {
				text += " " + s
			}
		}
		if strings.Contains(text, "slow consumer") {
			t.Errorf("logged: %s", text)
		}
	}
	drainAll(t, c, 2)
	runtime.KeepAlive(numbers)
}

// inUse is how many bytes of the heap are in use.
func inUse() int64 {
	runtime.GC()
	runtime.GC() // what finalizers and pools held until the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
