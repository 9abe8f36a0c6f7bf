package task_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

func TestANodeThatDrainsTakesNoMoreWhileItsTasksAwaitOthers(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := nodetest.Start(t, 2, nodetest.Configure(func(i int, cfg *node.Config) {
			cfg.Resources = map[string]float64{fmt.Sprint("node", i): 10}
		}))
		ctx := c.Context(0)
		g, open := newGate(t), newGate(t)
		open.open()
		parent := apart.With(only(1), task.Retries(0)).Go(ctx, 1, g.name) // its child is at node 0
		g.await(1)
		drained := make(chan error, 1)
		go func() { drained <- c.Node(1).Drain(context.Background()) }()
		awaitDraining(t, ctx, c.Node(1))
		for range 20 {
			if where := get(t, ctx, pass.Go(ctx, open.name)); where != c.Node(0).ID() {
				t.Error("a task ran on the node that drains")
			}
		}
		g.open()
		get(t, ctx, parent)
		if err := <-drained; err != nil {
			t.Error(err)
		}
	})
}

// hatch starts a child at its end, of a function that nobody has called before, and returns its ref: a node that drains has not heard of
// its lane.
var (
	hatch = task.Define("hatch", func(ctx context.Context, name string) (objstore.Ref[int], error) {
		if err := enter(ctx, name); err != nil {
			return objstore.Ref[int]{}, err
		}
		return hatched.Go(context.WithoutCancel(ctx), name), nil
	})
	hatched = task.Define("hatched", func(ctx context.Context, name string) (int, error) { return 1, enter(ctx, name+" late") })
)

func TestTheOnlyNodeDrainsWithAllThatItsTasksHaveStarted(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := nodetest.Start(t, 2, nodetest.Configure(node1IsAClient))
		ctx := c.Context(1)
		early := newGate(t)
		late := newGate(t)
		gates.Store(early.name+" late", late)
		t.Cleanup(func() { gates.Delete(early.name + " late") })
		parent := hatch.With(task.Retries(0)).Go(ctx, early.name)
		early.await(1)
		drained := make(chan error, 1)
		go func() { drained <- c.Node(0).Drain(context.Background()) }()
		awaitDraining(t, ctx, c.Node(0))
		early.open()
		child := get(t, ctx, parent)
		late.await(1)
		late.open()
		if err := <-drained; err != nil {
			t.Error(err)
		}
		if got := get(t, ctx, child); got != 1 {
			t.Errorf("got %d", got)
		}
	})
}

// awaitDraining waits until the node of ctx knows that another one drains.
func awaitDraining(t *testing.T, ctx context.Context, n *node.Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := node.AwaitMembers(ctx, func(all []node.Info) bool {
		return slices.ContainsFunc(all, func(m node.Info) bool { return m.ID == n.ID() && m.Draining })
	})
	if err != nil {
		t.Fatal(err)
	}
}

// brief takes a moment, and counts itself.
var brief = task.Define("brief", func(ctx context.Context, name string) (task.None, error) {
	<-time.After(2 * time.Millisecond) // the work
	return task.None{}, enter(ctx, name)
})

// Calls may go on from the node itself, say of an actor that lives there: what is sent to itself at the last moment is answered.
func TestANodeThatGoesOnCallingWhileItDrainsHasNothingRunTwice(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		for range 3 {
			c := nodetest.Start(t, 2)
			ctx, g := c.Context(0), newGate(t)
			g.open()
			names := slices.Repeat([]string{g.name}, 8)
			over, stop := context.WithCancel(t.Context())
			called, failed := 0, make(chan error, 1)
			go func() {
				var err error
				for ; over.Err() == nil && err == nil; called += len(names) {
					_, err = objstore.GetAll(ctx, brief.With(task.Retries(0)).Map(ctx, names))
				}
				failed <- err
			}()
			g.await(100)
			if err := c.Node(0).Drain(t.Context()); err != nil {
				t.Error(err)
			}
			stop()
			if err := <-failed; err != nil {
				t.Fatal(err)
			}
			if ran := int(g.count.Load()); ran != called {
				t.Fatalf("%d tasks ran %d times", called, ran)
			}
		}
	})
}
