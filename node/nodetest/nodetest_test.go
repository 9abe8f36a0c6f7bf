package nodetest_test

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"manta/node"
	"manta/node/nodetest"
	"manta/task"
)

// patience bounds what must come, and comes much sooner unless something is broken.
const patience = 20 * time.Second

var (
	square = task.Define("square", func(_ context.Context, n int) (int, error) { return n * n, nil })
	here   = task.Define0("here", func(ctx context.Context) (string, error) { return task.Current(ctx).Node, nil })

	// settle stays at the first node that it comes to, and returns at the next.
	settle = task.Define0("settle", func(ctx context.Context) (task.None, error) {
		here := task.Current(ctx)
		came <- here
		if here.Attempt == 1 {
			<-ctx.Done()
		}
		return task.None{}, ctx.Err()
	})
	came = make(chan task.Info, 10)
)

// So reads a program's own test: it starts a cluster, which ends with the test, and calls tasks at any of its nodes.
func TestSquaresAreTheSameFromEveryNode(t *testing.T) {
	c := nodetest.Start(t, 3)
	for i := range 3 {
		if got, err := square.Call(c.Context(i), 7); got != 49 || err != nil {
			t.Errorf("from node %d: %d, %v, want 49", i, got, err)
		}
	}
}

func TestKillIsNoticedAndTasksRunElsewhere(t *testing.T) {
	c := nodetest.Start(t, 3, nodetest.CPUs(1))
	c.Kill(2)
	c.AwaitMembers(0, 1)
	for range 20 {
		id, err := here.Call(c.Context(0))
		if err != nil || id == c.Node(2).ID() {
			t.Errorf("a task ran on %q, %v; node 2 is %q", id, err, c.Node(2).ID())
		}
	}
}

func TestWhatRanOnAKilledNodeRunsAgainElsewhere(t *testing.T) {
	c := nodetest.Start(t, 3, nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i == 0 }))
	ctx, cancel := context.WithTimeout(c.Context(0), patience)
	defer cancel()
	result := settle.Go(ctx)
	first := <-came
	killed := slices.IndexFunc([]int{0, 1, 2}, func(i int) bool { return c.Node(i).ID() == first.Node })
	c.Kill(killed)
	if _, err := result.Get(ctx); err != nil {
		t.Fatal(err)
	}
	if second := <-came; second.Attempt != 2 || second.Node != c.Node(3-killed).ID() {
		t.Errorf("it ran first on %q, then as attempt %d on %q", first.Node, second.Attempt, second.Node)
	}
	if c.Context(killed).Err() != nil {
		t.Error("the killed node's ctx ended: to the node itself nothing has happened but silence")
	}
}

func TestAddWaitsUntilAllKnowTheOther(t *testing.T) {
	c := nodetest.Start(t, 1)
	for want := 1; want <= 2; want++ {
		if i := c.Add(); i != want {
			t.Errorf("the node has index %d, want %d", i, want)
		}
		for i := range want + 1 {
			if members, err := node.Members(c.Context(i)); len(members) != want+1 || err != nil {
				t.Errorf("node %d knows %d members, %v, want %d", i, len(members), err, want+1)
			}
		}
	}
}

func TestAddPassesByNodesThatAreKilledOrClosed(t *testing.T) {
	c := nodetest.Start(t, 3)
	c.Kill(0)
	if err := c.Node(1).Close(); err != nil {
		t.Error(err)
	}
	i := c.Add()
	if members, err := node.Members(c.Context(i)); len(members) != 2 || err != nil {
		t.Errorf("it knows %d members, %v, want node 2 and itself", len(members), err)
	}
}

func TestOptionsConfigureEachNode(t *testing.T) {
	c := nodetest.Start(t, 2, nodetest.CPUs(1.5), nodetest.Configure(func(i int, cfg *node.Config) {
		cfg.Labels = map[string]string{"index": fmt.Sprint(i)}
	}))
	added := c.Add()
	members, err := node.Members(c.Context(0))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		name   string
		cpus   float64
		labels map[string]string
	}{
		{"node-0", 1.5, map[string]string{"index": "0"}}, {"node-1", 1.5, map[string]string{"index": "1"}}, {"node-2", 4, nil},
	} {
		m := members[i]
		if m.ID != c.Node(i).ID() || m.Name != want.name || m.Resources["CPU"] != want.cpus || !maps.Equal(m.Labels, want.labels) {
			t.Errorf("node %d of %d is %+v, want %+v", i, added+1, m, want)
		}
	}
}

func TestConnectIsAPlainClientThatEndsWithTheTest(t *testing.T) {
	var nc *nats.Conn
	t.Run("while it runs", func(t *testing.T) {
		c := nodetest.Start(t, 2)
		nc = c.Connect()
		reply, err := nc.Request("manta.default.task.square", []byte("7"), patience)
		if err != nil || string(reply.Data) != "49" {
			t.Errorf("got %+v, %v, want 49", reply, err)
		}
		c.Kill(0)
		c.Kill(1)
		if err := nc.Flush(); err != nil {
			t.Errorf("Kill has cut it off: %v", err)
		}
	})
	if !nc.IsClosed() {
		t.Error("it is open after the test")
	}
}

func TestANodeThatCannotStartFailsTheTest(t *testing.T) {
	failing := &failingTest{TB: t}
	ended := make(chan struct{})
	go func() { // Fatalf ends it
		defer close(ended)
		nodetest.Start(failing, 1, nodetest.CPUs(-1))
	}()
	<-ended
	if !strings.Contains(failing.said, "node 0: Config.CPUs") {
		t.Errorf("it says %q", failing.said)
	}
}

// failingTest is a test that may fail without failing the one around it.
type failingTest struct {
	testing.TB
	said string
}

func (f *failingTest) Fatalf(format string, args ...any) {
	f.said = fmt.Sprintf(format, args...)
	runtime.Goexit()
}
