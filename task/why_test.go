package task_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

// jam fails.
var jam = task.Define("jam", func(_ context.Context, why string) (int, error) { return 0, errors.New(why) })

// wantWhy asks a node why a task has no result yet, until it says what it should: that a task which knocked is at a node, its owner
// learns a moment after the task.
func wantWhy(t *testing.T, c *nodetest.Cluster, i int, id objstore.ID, parts ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(c.Context(i), patience)
	defer cancel()
	for words := ""; ; {
		said, err := c.Node(i).Why(ctx, id)
		if err != nil {
			t.Fatalf("node %d says %q in the end, want it to say %q: %v", i, words, parts, err)
		}
		words = said
		if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(words, part) }) {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("node %d says %q, want it to say %q", i, words, parts)
		}
		runtime.Gosched()
	}
}

func TestWhyNamesWhatKeepsATask(t *testing.T) {
	t.Parallel()
	c := nodetest.Start(t, 2, client(1), nodetest.CPUs(2), labelled(map[string]string{"zone": "eu"}))
	ctx, where := c.Context(0), c.Node(0).ID()
	g := newGate(t)
	running := pass.Map(ctx, []string{g.name, g.name})
	g.await(2)
	queued := pass.Map(ctx, []string{g.name, g.name, g.name})
	waiting := shout.On(ctx, running[0])
	both := after.On(ctx, double.On(ctx, objstore.Put(ctx, 1)), queued[0])
	gpu := double.With(task.Resources(map[string]float64{"gpu": 1})).Go(ctx, 1)
	us := double.With(task.Labels("zone=us")).Go(ctx, 1)
	unserved := nowhere.With(task.Labels("zone=eu")).Go(ctx, 1)
	for i := range 2 { // the one that owns them, and one that asks it
		wantWhy(t, c, i, running[1].ID(), "at node "+where)
		wantWhy(t, c, i, queued[0].ID(), `queued behind 0 tasks of "pass"`, "full", "node "+where+" has 2 of them")
		wantWhy(t, c, i, queued[2].ID(), `queued behind 2 tasks of "pass"`)
		wantWhy(t, c, i, waiting.ID(), "waiting for argument 1, object "+running[0].ID().String())
		wantWhy(t, c, i, both.ID(), "argument 1, object ", ", and argument 2, object "+queued[0].ID().String())
		wantWhy(t, c, i, gpu.ID(), "needs CPU:1 gpu:1, and the nodes have: node "+where+" CPU:2 with zone=eu")
		wantWhy(t, c, i, us.ID(), "no node matches zone=us", "node "+where+" CPU:2 with zone=eu")
		wantWhy(t, c, i, unserved.ID(), `no node serves "nowhere"`)
	}
	g.open()
	get(t, ctx, waiting)
	failed := jam.Go(ctx, "out of paper")
	getError(t, ctx, failed)
	for i := range 2 {
		wantWhy(t, c, i, waiting.ID(), "has its result")
		wantWhy(t, c, i, failed.ID(), "failed: ", "out of paper")
		wantWhy(t, c, i, objstore.Put(ctx, 1).ID(), "has its result")
	}
	var zero objstore.Ref[int]
	if words, err := c.Node(0).Why(ctx, zero.ID()); err == nil {
		t.Errorf("of the zero ref it says %q", words)
	}
}

func TestWhyNamesTheNodeOnWhichATaskWasLost(t *testing.T) {
	t.Parallel()
	c := nodetest.Start(t, 3, nodetest.CPUs(1), client(0))
	g := newGate(t)
	r := pass.Go(c.Context(0), g.name)
	first := g.await(1)[0].Node
	wantWhy(t, c, 0, r.ID(), "at node "+first)
	for i := 1; i <= 2; i++ {
		if c.Node(i).ID() == first {
			c.Kill(i)
		}
	}
	second := g.await(1)[0].Node
	wantWhy(t, c, 0, r.ID(), "attempt 2 after worker lost on node "+first+": at node "+second)
	g.open()
	get(t, c.Context(0), r)
	wantWhy(t, c, 0, r.ID(), "has its result")
}

func TestWhySaysThatATaskKnocks(t *testing.T) {
	t.Parallel()
	c := nodetest.Start(t, 2, client(0))
	c.Pause(1)
	g := newGate(t)
	g.open()
	r := pass.Go(c.Context(0), g.name)
	wantWhy(t, c, 0, r.ID(), `knocking at the door of "pass"`)
	c.Resume(1)
	get(t, c.Context(0), r)
}

func TestWhyOfATaskWhoseOwnerIsGoneIsAnError(t *testing.T) {
	t.Parallel()
	c := nodetest.Start(t, 2)
	id := double.Go(c.Context(1), 1).ID()
	closeNode(t, c, 1)
	c.AwaitMembers(0)
	if words, err := c.Node(0).Why(c.Context(0), id); !errors.Is(err, objstore.ErrOwnerDead) || !strings.Contains(err.Error(), c.Node(1).ID()) {
		t.Errorf("got %q, %v", words, err)
	}
}

func TestANodeSaysItsLabelsToAll(t *testing.T) {
	c := nodetest.Start(t, 2, labelled(map[string]string{"zone": "eu", "example.com/arch": "arm"}, nil))
	members, err := node.Members(c.Context(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		if m.ID == c.Node(0).ID() && (m.Labels["zone"] != "eu" || m.Labels["example.com/arch"] != "arm") || m.ID == c.Node(1).ID() && len(m.Labels) > 0 {
			t.Errorf("node %s has labels %v", m.ID, m.Labels)
		}
	}
}
