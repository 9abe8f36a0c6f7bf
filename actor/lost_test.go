package actor_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"manta/actor"
	"manta/node/nodetest"
	"manta/objstore"
)

// noticed is how long the death of a node may go unnoticed: its lease's 2 s, the server's and the machine's delays.
const noticed = 4 * time.Second

func TestCallsUnderWayOnAKilledNodeAreUnavailableAndLaterOnesDead(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := timeout(t, c.Context(0))
		server := soloists.New(ctx, s.soloist())
		say := actor.Method(server, (*soloist).Say)
		witness := counters.New(ctx, counter{})
		calls := []objstore.Ref[string]{actor.Method(server, (*soloist).Hold).Go(ctx, "gate"), say.Go(ctx, "in the mailbox")}
		s.await("gate begins")
		if _, err := add(ctx, witness, 1); err != nil { // the mail before it has arrived too
			t.Fatal(err)
		}
		begin := time.Now()
		c.Kill(1)
		for _, r := range calls {
			if _, err := r.Get(ctx); !errors.Is(err, actor.ErrUnavailable) || isDead(err) {
				t.Errorf("a call under way: got %v, want ErrUnavailable", err)
			}
		}
		for range 2 {
			if _, err := say.Call(ctx, "late"); !isDead(err) {
				t.Errorf("a later call: got %v, want ErrDead", err)
			}
		}
		if took := time.Since(begin); took > noticed {
			t.Errorf("it took %v, want at most %v", took, noticed)
		}
	})
}

func TestACallMadeRightAfterAKillDoesNotSayThatEarlierOnesDidNotRun(t *testing.T) {
	for name, heard := range map[string]bool{"of an actor that has answered": true, "of an actor that has not": false} {
		t.Run(name, func(t *testing.T) {
			nodetest.Virtual(t, func(t *testing.T) {
				c, s := clientAndHosts(t, 1), newStage(t)
				ctx := timeout(t, c.Context(0))
				server := soloists.New(ctx, s.soloist())
				say := actor.Method(server, (*soloist).Say)
				if heard {
					if _, err := say.Call(ctx, "one"); err != nil {
						t.Fatal(err)
					}
				}
				running := actor.Method(server, (*soloist).Hold).Go(ctx, "gate")
				s.await("gate begins")
				begin := time.Now()
				c.Kill(1)
				late := say.Map(ctx, []string{"late", "later"})
				if _, err := running.Get(ctx); !errors.Is(err, actor.ErrUnavailable) {
					t.Errorf("the running call: got %v, want ErrUnavailable", err)
				}
				for _, r := range late {
					if _, err := r.Get(ctx); err == nil {
						t.Error("a call of a dead actor has a result")
					}
				}
				if _, err := say.Call(ctx, "latest"); !isDead(err) {
					t.Errorf("a later call: got %v, want ErrDead", err)
				}
				if took := time.Since(begin); took > noticed {
					t.Errorf("it took %v, want at most %v", took, noticed)
				}
				if diary := s.read(); slices.Contains(diary, "late") || slices.Contains(diary, "later") {
					t.Errorf("a call ran after the kill: %q", diary)
				}
			})
		})
	}
}

func TestTheFirstCallThroughATravelledHandleIsNotForgottenWhenTheNodeDies(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := timeout(t, c.Context(0))
		server := soloists.New(ctx, s.soloist())
		if _, err := actor.Method(server, (*soloist).Say).Call(ctx, "one"); err != nil {
			t.Fatal(err)
		}
		other := timeout(t, c.Context(c.Add()))
		running := actor.Method(server, (*soloist).Hold).Go(other, "gate")
		s.await("gate begins")
		c.Kill(1)
		if _, err := running.Get(other); !errors.Is(err, actor.ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
	})
}

func TestCallsThroughSeveralHandlesOfOneActorAreAllNoticed(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := timeout(t, c.Context(0))
		var calls []objstore.Ref[string]
		for _, gate := range []string{"a", "b", "c"} {
			handle := trios.GetOrNew(ctx, "several", s.trio())
			calls = append(calls, actor.Method(handle, (*trio).Hold).Go(ctx, gate))
			s.await(gate + " begins")
		}
		s.open("c")
		if _, err := calls[2].Get(ctx); err != nil {
			t.Fatal(err)
		}
		c.Kill(1)
		for _, r := range calls[:2] {
			if _, err := r.Get(ctx); !errors.Is(err, actor.ErrUnavailable) {
				t.Errorf("got %v, want ErrUnavailable", err)
			}
		}
	})
}

func TestOtherNodesActorsLiveOnWhenOneNodeDies(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := clientAndHosts(t, 2)
		ctx := timeout(t, c.Context(0))
		var all []counterRef
		for range 20 {
			all = append(all, counters.New(ctx, counter{}))
			if _, err := add(ctx, all[len(all)-1], 1); err != nil {
				t.Fatal(err)
			}
		}
		c.Kill(1)
		c.AwaitMembers(0, 2)
		lived := 0
		for _, r := range all {
			switch n, err := add(ctx, r, 1); {
			case err == nil && n == 2:
				lived++
			case !isDead(err):
				t.Errorf("got %d, %v, want 2 or ErrDead", n, err)
			}
		}
		if lived == 0 || lived == len(all) {
			t.Errorf("%d of %d live on, want those of one node of two", lived, len(all))
		}
		if n, err := add(ctx, counters.New(ctx, counter{}), 1); err != nil || n != 1 {
			t.Errorf("a new actor: got %d, %v", n, err)
		}
	})
}

func TestANodeThatClosesEndsItsActorsWithoutClose(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := timeout(t, c.Context(0))
		server := soloists.New(ctx, s.soloist())
		hold, say := actor.Method(server, (*soloist).Hold), actor.Method(server, (*soloist).Say)
		calls := []objstore.Ref[string]{hold.Go(ctx, "gate"), say.Go(ctx, "waits")}
		s.await("gate begins")
		if err := c.Node(1).Close(); err != nil {
			t.Fatal(err)
		}
		for _, r := range calls {
			if _, err := r.Get(ctx); !isDead(err) && !errors.Is(err, actor.ErrUnavailable) {
				t.Errorf("a call under way: got %v, want ErrDead or ErrUnavailable", err)
			}
		}
		c.AwaitMembers(0) // a call that is sent before its caller hears of the end may find nobody or be lost with the node
		if _, err := say.Call(ctx, "late"); !isDead(err) {
			t.Errorf("a later call: got %v, want ErrDead", err)
		}
		if got, want := s.read(), []string{"start", "gate begins", "gate stops"}; !slices.Equal(got, want) {
			t.Errorf("the diary is %q, want %q: Close of the node waits for what runs", got, want)
		}
	})
}

func TestDrainFinishesQueuedCallsAndRunsClose(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := timeout(t, c.Context(0))
		server, witness := soloists.New(ctx, s.soloist()), counters.New(ctx, counter{})
		calls := actor.Method(server, (*soloist).Hold).Map(ctx, []string{"first", "second", "third"})
		s.await("first begins")
		if _, err := add(ctx, witness, 1); err != nil { // the mail before it has arrived too
			t.Fatal(err)
		}
		drained := make(chan error, 1)
		go func() { drained <- c.Node(1).Drain(ctx) }()
		for _, gate := range []string{"first", "second", "third"} {
			s.open(gate)
		}
		if err := <-drained; err != nil {
			t.Fatalf("Drain: %v", err)
		}
		if _, err := objstore.GetAll(ctx, calls); err != nil {
			t.Errorf("a call that waited failed: %v", err)
		}
		diary := s.read()
		if n := len(diary); diary[n-2] != "third ends" || diary[n-1] != "close" {
			t.Errorf("the diary is %q, want Close last", diary)
		}
		if _, err := add(ctx, witness, 1); !isDead(err) {
			t.Errorf("a call of a drained node: got %v, want ErrDead", err)
		}
	})
}

func TestDrainWithoutEndSaysWhatIsLeft(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := timeout(t, c.Context(0))
		running := actor.Method(soloists.New(ctx, s.soloist()), (*soloist).Hold).Go(ctx, "gate")
		s.await("gate begins")
		for i, left := range []string{"1 actor calls", "1 × soloist"} {
			short, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
			defer cancel()
			if err := c.Node(i).Drain(short); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), left) {
				t.Errorf("node %d: got %v, want the ctx's end and %q", i, err, left)
			}
		}
		s.open("gate")
		if _, err := running.Get(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestANodeThatDrainsTakesNoMoreActors(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		const actors = 10
		c, s := nodetest.Start(t, 2, nodetest.CPUs(actors)), newStage(t)
		if err := c.Node(1).Drain(timeout(t, c.Context(0))); err != nil {
			t.Fatal(err)
		}
		fill(timeout(t, c.Context(1)), t, s, actors) // it can still use what others host
		if _, free := c.Node(0).Resources(); free["CPU"] != 0 {
			t.Errorf("the other node has %v CPUs free, want none", free["CPU"])
		}
	})
}

// A host has said yes, and its subscription may still be on its way to the caller's server.
func TestTheFirstCallWaitsForTheWayToItsMailbox(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx, nc := timeout(t, c.Context(0)), c.Connect()
		sent := make(map[string]chan *nats.Msg)
		for _, word := range []string{"calls", "ping"} {
			sent[word] = make(chan *nats.Msg, 10)
			if _, err := nc.ChanSubscribe("*.*.actor.*."+word, sent[word]); err != nil {
				t.Fatal(err)
			}
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		held := actor.Method(trios.New(ctx, s.trio()), (*trio).Hold).Map(ctx, []string{"a", "b"})
		unserved := func(word string) {
			msg := nats.NewMsg((<-sent[word]).Reply)
			msg.Header.Set("Status", "503")
			if err := nc.PublishMsg(msg); err != nil {
				t.Error(err)
			}
		}
		s.await("a begins", "b begins")
		c.Pause(1)
		unserved("calls")
		unserved("ping")
		c.Resume(1)
		s.open("a")
		s.open("b")
		if got, err := objstore.GetAll(ctx, held); err != nil || !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("got %q, %v", got, err)
		}
	})
}
