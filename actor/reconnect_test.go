package actor_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"manta/actor"
	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
)

// clientAndHostApart is clientAndHosts with one host, on a server of its own, which has a route to the client's.
func clientAndHostApart(t *testing.T) *nodetest.Cluster {
	client := nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i == 0 })
	return nodetest.Start(t, 2, nodetest.Routed(), client)
}

func TestCallsSurviveACutConnectionOfTheirCallerInOrderAndOnce(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) *nodetest.Cluster{
		"one server":     func(t *testing.T) *nodetest.Cluster { return clientAndHosts(t, 1) },
		"routed servers": clientAndHostApart,
	} {
		t.Run(name, func(t *testing.T) {
			c, s := start(t), newStage(t)
			ctx := timeout(t, c.Context(0))
			say := actor.Method(soloists.New(ctx, s.soloist()), (*soloist).Say)
			if _, err := say.Call(ctx, "first"); err != nil {
				t.Fatal(err)
			}
			want := []string{"start", "first"}
			var refs []objstore.Ref[string]
			for i := range 10_000 {
				line := strconv.Itoa(i)
				refs = append(refs, say.Go(ctx, line))
				want = append(want, line)
				if i%3_000 == 1_500 {
					if _, err := refs[i/2].Get(ctx); err != nil { // calls are on their way in both directions
						t.Fatal(err)
					}
					c.Disconnect(0)
				}
			}
			if _, err := objstore.GetAll(ctx, refs); err != nil {
				t.Fatal(err)
			}
			if got := s.read(); !slices.Equal(got, want) {
				t.Errorf("%d calls ran, want %d; they differ first at %d", len(got), len(want), firstDifference(got, want))
			}
		})
	}
}

func firstDifference(a, b []string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

func TestCallsAreInOrderAndOnceWhenOneMessageOfTwentyIsLost(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := c.Context(0) // a loss takes a second to be noticed: the clock is no measure
		server := soloists.New(ctx, s.soloist())
		say := actor.Method(server, (*soloist).Say)
		if _, err := say.Call(ctx, "first"); err != nil {
			t.Fatal(err)
		}
		c.Drop(0.05)
		want := []string{"start", "first"}
		for i := range 300 {
			want = append(want, strconv.Itoa(i))
		}
		refs := make([]objstore.Ref[string], 0, len(want))
		for _, line := range want[2:] {
			refs = append(refs, say.Go(ctx, line))
			if len(refs)%3 == 0 { // so that there are many messages
				if _, err := refs[len(refs)-3].Get(ctx); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := objstore.GetAll(ctx, refs); err != nil {
			t.Fatal(err)
		}
		c.Drop(0)
		if got := s.read(); !slices.Equal(got, want) {
			t.Errorf("%d calls ran, want %d; they differ first at %d", len(got), len(want), firstDifference(got, want))
		}
	})
}

// withLongLeases is clientAndHosts with one host, whose lease outlasts any blink.
func withLongLeases(t *testing.T) *nodetest.Cluster {
	return clientAndHosts(t, 1, nodetest.Configure(func(_ int, cfg *node.Config) { cfg.LeaseTTL = 20 * time.Second }))
}

// blink breaks a node's connection for a second.
func blink(c *nodetest.Cluster, node int) {
	for range 100 {
		c.Disconnect(node)
		time.Sleep(10 * time.Millisecond) // virtual
	}
}

func TestCallsSurviveACutConnectionOfTheirActorsNodeInOrderAndOnce(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := withLongLeases(t), newStage(t)
		ctx := timeout(t, c.Context(0))
		say := actor.Method(soloists.New(ctx, s.soloist()), (*soloist).Say)
		if _, err := say.Call(ctx, "first"); err != nil {
			t.Fatal(err)
		}
		want := []string{"start", "first"}
		var refs []objstore.Ref[string]
		var cut sync.WaitGroup
		cut.Go(func() { blink(c, 1) })
		for i := range 300 {
			line := strconv.Itoa(i)
			refs = append(refs, say.Go(ctx, line))
			want = append(want, line)
			time.Sleep(5 * time.Millisecond) // virtual
		}
		cut.Wait()
		if _, err := objstore.GetAll(ctx, refs); err != nil {
			t.Fatal(err)
		}
		if got := s.read(); !slices.Equal(got, want) {
			t.Errorf("%d calls ran, want %d; they differ first at %d", len(got), len(want), firstDifference(got, want))
		}
	})
}

func TestAnActorIsStoppedAlthoughItsNodesConnectionIsCut(t *testing.T) {
	for word, end := range map[string]func(actor.Ref[soloist], context.Context) error{"stop": actor.Ref[soloist].Stop, "kill": actor.Ref[soloist].Kill} {
		t.Run(word, func(t *testing.T) {
			nodetest.Virtual(t, func(t *testing.T) {
				c, s := withLongLeases(t), newStage(t)
				ctx := timeout(t, c.Context(0))
				server := soloists.New(ctx, s.soloist(), actor.Detached())
				if _, err := actor.Method(server, (*soloist).Say).Call(ctx, "first"); err != nil {
					t.Fatal(err)
				}
				var cut sync.WaitGroup
				cut.Go(func() { blink(c, 1) })
				time.Sleep(225 * time.Millisecond) // virtual
				if err := end(server, ctx); err != nil {
					t.Error(err)
				}
				cut.Wait()
				if reply, err := c.Connect().Request("manta.default.actor."+server.ID()+".Say", []byte(`"hello"`), 5*time.Second); err == nil {
					t.Errorf("it lives on, and says %s", reply.Data)
				}
			})
		})
	}
}

// The first calls are made while nobody is behind the mailbox.
func TestAnActorIsFoundAlthoughItsNodesConnectionIsCut(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := withLongLeases(t), newStage(t)
		ctx := timeout(t, c.Context(0))
		server := soloists.New(ctx, s.soloist(), actor.Name("found"))
		s.await("start")
		other := timeout(t, c.Context(c.Add()))
		found, err := soloists.Lookup(other, "found")
		if err != nil {
			t.Fatal(err)
		}
		var cut sync.WaitGroup
		cut.Go(func() { blink(c, 1) })
		time.Sleep(200 * time.Millisecond) // virtual
		for who, say := range map[string]objstore.Ref[string]{
			"its creator":      actor.Method(server, (*soloist).Say).Go(ctx, "hello"),
			"who looked it up": actor.Method(found, (*soloist).Say).Go(other, "hello"),
		} {
			if _, err := say.Get(ctx); err != nil {
				t.Errorf("%s: %v", who, err)
			}
		}
		cut.Wait()
	})
}
