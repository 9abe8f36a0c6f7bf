package nodetest_test

import (
	"context"
	"strings"
	"testing"

	"manta/actor"
	"manta/node"
	"manta/node/embedded"
	"manta/node/nodetest"
)

type counter struct{ N int }

func (c *counter) Add(_ context.Context, d int) (int, error) { c.N += d; return c.N, nil }

var counters = actor.Define[counter]("nodetest_counter")

// everywhere runs a test on one server in process, on a cluster of them, and on a server that the test itself started.
func everywhere(t *testing.T, test func(t *testing.T, where ...nodetest.Option)) {
	t.Run("one server", func(t *testing.T) { test(t) })
	t.Run("routed", func(t *testing.T) { test(t, nodetest.Routed()) })
	t.Run("elsewhere", func(t *testing.T) {
		srv, err := embedded.RunServer(embedded.Config{Listen: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(srv.Close)
		test(t, nodetest.At(srv.URL()))
	})
}

func TestTasksAndActorsRunInEveryTopology(t *testing.T) {
	everywhere(t, func(t *testing.T, where ...nodetest.Option) {
		c := nodetest.Start(t, 3, append(where, nodetest.CPUs(1))...)
		for i := range 3 {
			ctx, cancel := context.WithTimeout(c.Context(i), patience)
			defer cancel()
			ran := make(map[string]bool)
			for range 100 { // a queue group picks at random
				id, err := here.Call(ctx)
				if err != nil {
					t.Fatalf("from node %d: %v", i, err)
				}
				ran[id] = true
			}
			if len(ran) != 3 {
				t.Errorf("tasks of node %d ran on %v, want all 3 nodes", i, ran)
			}
			add := actor.Method(counters.New(ctx, counter{N: 40}), (*counter).Add)
			if n, err := add.Call(ctx, 2); n != 42 || err != nil {
				t.Errorf("an actor of node %d: %d, %v", i, n, err)
			}
		}
		reply, err := c.Connect().Request("manta.default.task.square", []byte("7"), patience)
		if err != nil || string(reply.Data) != "49" {
			t.Errorf("a plain client got %+v, %v, want 49", reply, err)
		}
	})
}

func TestNodesAreKilledAndAddedInEveryTopology(t *testing.T) {
	everywhere(t, func(t *testing.T, where ...nodetest.Option) {
		c := nodetest.Start(t, 3, where...)
		c.Kill(0)
		c.AwaitMembers(1, 2)
		added := c.Add()
		if members, err := node.Members(c.Context(added)); len(members) != 3 || err != nil {
			t.Errorf("the added node knows %d members, %v, want 3", len(members), err)
		}
		if got, err := square.Call(c.Context(added), 7); got != 49 || err != nil {
			t.Errorf("from the added node: %d, %v, want 49", got, err)
		}
	})
}

func TestRoutedNodesAreEachOnAServerOfTheirOwn(t *testing.T) {
	c := nodetest.Start(t, 3, nodetest.Routed())
	killed := c.Connect().ConnectedServerName()
	c.KillServer(0)
	from, to := connOf(t, c, 1), connOf(t, c, 2)
	got := listen(t, to, "letters")
	spread(t, from, to)
	if err := from.Publish("letters", "", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if letter := receive(t, got); letter != "hello" {
		t.Errorf("it got %q", letter)
	}
	if err := connOf(t, c, 0).Flush(t.Context()); err == nil {
		t.Error("node 0 has a connection")
	}
	if nc := c.Connect(); nc.Flush() != nil || nc.ConnectedServerName() == killed {
		t.Errorf("a plain client is on %q, %v; %q was killed", nc.ConnectedServerName(), nc.LastError(), killed)
	}
}

func TestWhatATopologyCannotDoFailsTheTest(t *testing.T) {
	for says, misuse := range map[string]func(tb testing.TB){
		"Routed needs at least 2 nodes":    func(tb testing.TB) { nodetest.Start(tb, 1, nodetest.Routed()) },
		"Routed and At exclude each other": func(tb testing.TB) { nodetest.Start(tb, 2, nodetest.Routed(), nodetest.At("nats://a")) },
		"are options of Start, not of Add": func(tb testing.TB) { nodetest.Start(tb, 1).Add(nodetest.Routed()) },
		"KillServer is for clusters that":  func(tb testing.TB) { nodetest.Start(tb, 1).KillServer(0) },
		"Drop(1.5): want a rate from 0":    func(tb testing.TB) { nodetest.Start(tb, 1).Drop(1.5) },
		"nats://127.0.0.1:1":               func(tb testing.TB) { nodetest.Start(tb, 1, nodetest.At("nats://127.0.0.1:1")) },
	} {
		t.Run(says, func(t *testing.T) {
			failing := &failingTest{TB: t}
			ended := make(chan struct{})
			go func() { // Fatalf ends it
				defer close(ended)
				misuse(failing)
			}()
			<-ended
			if !strings.Contains(failing.said, says) {
				t.Errorf("it says %q", failing.said)
			}
		})
	}
}
