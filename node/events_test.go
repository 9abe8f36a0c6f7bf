package node_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"manta/actor"
	"manta/bus"
	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

var (
	refuse = task.Define("refuse", func(context.Context, string) (int, error) { return 0, errors.New("not today") })
	parent = task.Define0("parent", func(ctx context.Context) (string, error) { return where.Call(ctx) })
	length = task.Define("length", func(_ context.Context, b []byte) (int, error) { return len(b), nil })
)

// awaitTask waits until a task is in a state.
func awaitTask(t *testing.T, c *nodetest.Cluster, ctx context.Context, id objstore.ID, state string) (s node.TaskState) {
	t.Helper()
	c.Await("task "+id.String()+" is "+state, func() bool {
		var err error
		if s, err = node.GetTask(ctx, id.String()); err != nil && !errors.Is(err, bus.ErrNotFound) {
			t.Fatal(err)
		}
		return s.State == state
	})
	return s
}

func TestATaskThatHasEndedIsStillKnown(t *testing.T) {
	c := nodetest.Start(t, 2)
	ctx := c.Context(0)
	ref := where.Go(ctx)
	at, err := ref.Get(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var s node.TaskState
	c.Await("both its nodes have told of it", func() bool {
		s = awaitTask(t, c, c.Context(1), ref.ID(), "finished")
		return !s.Started.IsZero()
	})
	if s.Func != "where" || s.Owner != c.Node(0).ID() || s.OwnerName != "node-0" || s.Node != at || s.Attempt != 1 || s.Error != nil {
		t.Errorf("got %+v", s)
	}
	if s.Submitted.IsZero() || s.Started.Before(s.Submitted) || s.Ended.Before(s.Started) || s.Durations.Queued <= 0 || len(s.Attempts) != 1 {
		t.Errorf("got %+v", s)
	}
}

func TestATaskThatFailedSaysWhyAndOneThatRanInAnotherWhich(t *testing.T) {
	c := nodetest.Start(t, 1)
	ctx := c.Context(0)
	failed, outer := refuse.Go(ctx, "a"), parent.Go(ctx)
	if _, err := outer.Get(ctx); err != nil {
		t.Fatal(err)
	}
	s := awaitTask(t, c, ctx, failed.ID(), "failed")
	if s.Error == nil || s.Error.Code != "failed" || s.Error.Message == "" {
		t.Errorf("got %+v", s.Error)
	}
	awaitTask(t, c, ctx, outer.ID(), "finished")
	l, err := node.ListTasks(ctx, node.Query{Filters: []node.Filter{{Field: "func", Value: "where"}}})
	if err != nil || len(l.Items) != 1 || l.Items[0].Parent != outer.ID().String() {
		t.Errorf("got %+v, %v, want a child of %s", l, err, outer.ID())
	}
}

func TestTasksThatHaveNotEndedSayWhatTheyWaitFor(t *testing.T) {
	c := nodetest.Start(t, 1, nodetest.CPUs(1))
	ctx := c.Context(0)
	g := newGate(t)
	running := hold.Go(ctx, g.name)
	<-g.came
	queued := where.Go(ctx)
	c.Await("one runs and one waits", func() bool {
		l, err := node.ListTasks(ctx, node.Query{})
		if err != nil {
			t.Fatal(err)
		}
		state := make(map[string]node.TaskState)
		for _, s := range l.Items {
			state[s.ID] = s
		}
		return state[running.ID().String()].State == "running" && state[queued.ID().String()].Reason != ""
	})
	g.open()
	awaitTask(t, c, ctx, queued.ID(), "finished")
}

func TestWhatAKilledNodeDidIsStillListed(t *testing.T) {
	c := nodetest.Start(t, 2)
	ctx := c.Context(1)
	done, g := where.Go(c.Context(0)), newGate(t)
	if _, err := done.Get(ctx); err != nil {
		t.Fatal(err)
	}
	held := hold.Go(c.Context(0), g.name)
	<-g.came
	awaitTask(t, c, ctx, done.ID(), "finished")
	awaitTask(t, c, ctx, held.ID(), "running")
	killed := c.Node(0).ID()
	c.Kill(0)
	c.AwaitMembers(1)
	c.Await("the node is dead", func() bool {
		n, err := node.GetNode(ctx, killed)
		return err == nil && n.State == "dead" && n.Name == "node-0" && !n.Ended.IsZero()
	})
	awaitTask(t, c, ctx, done.ID(), "finished")
	s := awaitTask(t, c, ctx, held.ID(), "failed")
	if s.Error == nil || s.Error.Code != "owner_dead" {
		t.Errorf("got %+v", s.Error)
	}
}

func TestObjectsSayHowLargeTheyAreAndWhoHasThem(t *testing.T) {
	c := nodetest.Start(t, 2)
	ctx := c.Context(0)
	big := objstore.Put(ctx, make([]byte, 1<<20))
	if n, err := length.On(ctx, big).Get(ctx); err != nil || n != 1<<20 {
		t.Fatal(n, err)
	}
	c.Await("the object is stored", func() bool {
		o, err := node.GetObject(c.Context(1), big.ID().String())
		return err == nil && o.State == "stored" && o.Size >= 1<<20 && o.Owner == c.Node(0).ID() && o.Where == "bucket"
	})
	if err := objstore.Free(ctx, big); err != nil {
		t.Fatal(err)
	}
	c.Await("the object is freed", func() bool {
		o, err := node.GetObject(ctx, big.ID().String())
		return err == nil && o.State == "freed"
	})
}

func TestAFilterNamesAFieldThatThereIs(t *testing.T) {
	c := nodetest.Start(t, 2)
	ctx := c.Context(0)
	for _, test := range []struct {
		filter string
		want   []string
	}{
		{"name=node-1", []string{"node-1"}}, {"name!=node-1", []string{"node-0"}}, {"state=joined", []string{"node-0", "node-1"}}, {"resources.CPU=4", []string{"node-0", "node-1"}},
		{"labels.zone=eu", nil},
	} {
		f, err := node.ParseFilter(test.filter)
		if err != nil {
			t.Fatal(err)
		}
		l, err := node.ListNodes(ctx, node.Query{Filters: []node.Filter{f}})
		var names []string
		for _, n := range l.Items {
			names = append(names, n.Name)
		}
		if err != nil || !slices.Equal(names, test.want) || l.Total != len(test.want) {
			t.Errorf("%s: %v, %v, want %v", f, names, err, test.want)
		}
	}
	if _, err := node.ListNodes(ctx, node.Query{Filters: []node.Filter{{Field: "colour", Value: "red"}}}); err == nil {
		t.Error("a field that there is not filters")
	}
	if _, err := node.ParseFilter("colour"); err == nil {
		t.Error("a filter without a value is one")
	}
	l, err := node.ListNodes(ctx, node.Query{Limit: 1, Page: 2})
	if err != nil || len(l.Items) != 1 || l.Items[0].Name != "node-1" || l.Total != 2 {
		t.Errorf("page 2 is %+v, %v", l, err)
	}
}

func TestASummaryCountsByState(t *testing.T) {
	c := nodetest.Start(t, 1)
	ctx := c.Context(0)
	for range 3 {
		if _, err := where.Call(ctx); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = refuse.Call(ctx, "a")
	c.Await("four tasks have ended", func() bool {
		l, err := node.SummarizeTasks(ctx, node.Query{})
		return err == nil && len(l.Items) == 2 && l.Items[0].Name == "where" && l.Items[0].States["finished"] == 3 && l.Items[1].States["failed"] == 1
	})
}

func TestMoreTasksThanAreToldOfAreCounted(t *testing.T) {
	c := nodetest.Start(t, 1, nodetest.Configure(func(_ int, cfg *node.Config) { cfg.EventRate = 1 }))
	ctx := c.Context(0)
	const n = 200
	for range n {
		if _, err := where.Call(ctx); err != nil {
			t.Fatal(err)
		}
	}
	c.Await("all are told of or counted", func() bool {
		l, err := node.ListTasks(ctx, node.Query{Limit: 2 * n})
		return err == nil && l.LeftOut > 0 && l.LeftOut+int64(l.Total) == n
	})
}

func TestANodeThatTellsNothingIsListedAllTheSame(t *testing.T) {
	c := nodetest.Start(t, 1, nodetest.Configure(func(_ int, cfg *node.Config) { cfg.EventRate = -1 }))
	ctx := c.Context(0)
	if _, err := where.Call(ctx); err != nil {
		t.Fatal(err)
	}
	nodes, err := node.ListNodes(ctx, node.Query{})
	if err != nil || len(nodes.Items) != 1 || nodes.Items[0].State != "joined" || nodes.Items[0].Submitted != 1 || nodes.Items[0].Joined.After(time.Now()) {
		t.Errorf("got %+v, %v", nodes, err)
	}
	if tasks, err := node.ListTasks(ctx, node.Query{}); err != nil || tasks.Total != 0 {
		t.Errorf("got %+v, %v", tasks, err)
	}
}

// repeaters have a method that can be called.
type repeater struct{}

func (*repeater) Say(_ context.Context, word string) (string, error) { return word, nil }

var repeaters = actor.Define[repeater]("repeater")

func TestCallsOfActorsAreListedAmongTheTasksAndTheActorWithItsEnd(t *testing.T) {
	for name, nodes := range map[string]int{"on one node": 1, "on another": 2} {
		t.Run(name, func(t *testing.T) {
			c := nodetest.Start(t, nodes, nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i < nodes-1 }))
			ctx := c.Context(0)
			ref := repeaters.New(ctx, repeater{}, actor.Name("repeater"))
			call := actor.Method(ref, (*repeater).Say).Go(ctx, "word")
			if _, err := call.Get(ctx); err != nil {
				t.Fatal(err)
			}
			c.Await("both ends have told of the call", func() bool {
				s := awaitTask(t, c, ctx, call.ID(), "finished")
				return s.Func == "repeater.Say" && s.Actor == "repeater" && s.Node == c.Node(nodes-1).ID() && s.Owner == c.Node(0).ID() && !s.Started.IsZero()
			})
			a, err := node.GetActor(ctx, "repeater")
			if err != nil || a.State != "alive" || a.Class != "repeater" || a.Node != c.Node(nodes-1).ID() || a.Began.IsZero() {
				t.Errorf("got %+v, %v", a, err)
			}
			if err := ref.Stop(ctx); err != nil {
				t.Fatal(err)
			}
			c.Await("the actor is dead", func() bool {
				a, err := node.GetActor(ctx, "repeater")
				return err == nil && a.State == "dead" && !a.Ended.IsZero() && a.Cause != nil
			})
		})
	}
}
