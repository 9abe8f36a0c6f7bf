package task_test

import (
	"context"
	"testing"
	"time"

	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

func TestTwentyThousandQueuedTasksAllFinish(t *testing.T) {
	c := nodetest.Start(t, 2)
	ctx := c.Context(0)
	g := newGate(t)
	blockers := pass.Map(ctx, []string{g.name, g.name, g.name, g.name, g.name, g.name, g.name, g.name})
	g.await(8)
	numbers := make([]int, 20_000)
	for i := range numbers {
		numbers[i] = i
	}
	refs := double.Map(ctx, numbers)
	if _, _, err := objstore.Wait(ctx, refs, 0); err != nil {
		t.Fatal(err)
	}
	g.open()
	for i, got := range getAll(t, ctx, refs) {
		if got != 2*i {
			t.Fatalf("task %d: got %d", i, got)
		}
	}
	getAll(t, ctx, blockers)
	for i := range 2 {
		wantAllFree(t, c.Node(i))
	}
	if s := c.Node(0).Stats().Tasks; s.Submitted != 20_008 {
		t.Errorf("%d were submitted", s.Submitted)
	}
	if ran := c.Node(0).Stats().Tasks.Ran + c.Node(1).Stats().Tasks.Ran; ran != 20_008 {
		t.Errorf("%d ran", ran)
	}
}

func TestOneTaskEndsLongBeforeAnotherOwnersBacklog(t *testing.T) {
	c := nodetest.Start(t, 3, nodetest.Configure(clientsOfNode2))
	g := newGate(t)
	var backlog []objstore.Ref[task.None]
	for range 2_000 {
		backlog = append(backlog, stay.Go(c.Context(0), stayed{g.name, time.Millisecond}))
	}
	if _, _, err := objstore.Wait(c.Context(0), backlog, 50); err != nil { // it flows
		t.Fatal(err)
	}
	get(t, c.Context(1), double.Go(c.Context(1), 1))
	if ran := c.Node(2).Stats().Tasks.Ran; ran > 1_500 {
		t.Errorf("it ended after %d tasks of the backlog", ran)
	}
	getAll(t, c.Context(0), backlog)
}

func TestTwoBacklogsShareOneCPU(t *testing.T) {
	c := nodetest.Start(t, 3, nodetest.CPUs(1), nodetest.Configure(clientsOfNode2))
	gates := []*gate{newGate(t), newGate(t)}
	backlog := func(i int) (refs []objstore.Ref[task.None]) {
		for range 200 {
			refs = append(refs, stay.Go(c.Context(i), stayed{gates[i].name, time.Millisecond}))
		}
		return refs
	}
	first, second := backlog(0), backlog(1)
	if _, _, err := objstore.Wait(c.Context(1), second, 100); err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(c.Context(0))
	cancel()
	if done, _, _ := objstore.Wait(over, first, 200); len(done) < 50 || len(done) > 175 {
		t.Errorf("when 100 of the second's were done, %d of the first's were", len(done))
	}
	getAll(t, c.Context(0), first)
	getAll(t, c.Context(1), second)
	if ran := c.Node(2).Stats().Tasks.Ran; ran != 400 {
		t.Errorf("%d ran", ran)
	}
}

// clientsOfNode2 makes nodes 0 and 1 submit what node 2 runs.
func clientsOfNode2(i int, cfg *node.Config) { cfg.ClientOnly = i < 2 }
