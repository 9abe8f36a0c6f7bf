package node_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"manta/bus"
	"manta/node"
	"manta/node/embedded"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

func TestMembersAreTheNodesThatAreThereByName(t *testing.T) {
	srv := serve(t)
	_, alice := start(t, on(srv, node.Config{Name: "alice", CPUs: 2, Labels: map[string]string{"rack": "7"}}))
	bob, _ := start(t, on(srv, node.Config{Name: "bob", CPUs: 3}))
	start(t, on(srv, node.Config{Name: "client", ClientOnly: true}))
	awaitCount(t, alice, 3)
	members, err := node.Members(alice)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		name, resources, rack string
		serves                bool
	}{{"alice", "CPU:2", "7", true}, {"bob", "CPU:3", "", true}, {"client", "nothing", "", false}} {
		m := members[i]
		if m.Name != want.name || m.Resources.String() != want.resources || m.Labels["rack"] != want.rack || slices.Contains(m.Functions, "hold") != want.serves {
			t.Errorf("got %+v, want %+v", m, want)
		}
		if m.ID == "" || m.Version != node.Version || m.Started.IsZero() || m.Started.After(time.Now()) {
			t.Errorf("got %+v", m)
		}
	}
	closeNode(t, bob)
	awaitCount(t, alice, 2)
}

func TestANodeIsAMemberWhenStartReturns(t *testing.T) {
	n, ctx := start(t, on(serve(t), node.Config{}))
	if members, err := node.Members(ctx); err != nil || len(members) != 1 || members[0].ID != n.ID() || members[0].Name != n.ID() {
		t.Errorf("got %+v, %v, want the node, called by its id", members, err)
	}
}

func TestTheOthersNoticeANodeThatDies(t *testing.T) {
	c := nodetest.Start(t, 2)
	begun := time.Now()
	c.Kill(1)
	c.AwaitMembers(0)
	if took := time.Since(begun); took > 4*time.Second {
		t.Errorf("it took %v, want 3 s at most", took)
	}
}

func TestWithoutANodeNobodyIsThere(t *testing.T) {
	if _, err := node.Members(t.Context()); !errors.Is(err, bus.ErrNoNode) {
		t.Errorf("Members: got %v, want ErrNoNode", err)
	}
	if err := node.AwaitMembers(t.Context(), nil); !errors.Is(err, bus.ErrNoNode) {
		t.Errorf("AwaitMembers: got %v, want ErrNoNode", err)
	}
}

func TestAwaitMembersEndsWithItsCtx(t *testing.T) {
	n, _ := start(t, on(serve(t), node.Config{}))
	ctx, cancel := context.WithCancelCause(n.Context(t.Context()))
	enough := errors.New("waited enough")
	err := node.AwaitMembers(ctx, func([]node.Info) bool {
		cancel(enough)
		return false
	})
	if !errors.Is(err, enough) {
		t.Errorf("got %v, want the ctx's cause", err)
	}
}

func TestANodeJoinsOverTCP(t *testing.T) {
	first, _, err := embedded.Start(t.Context(), embedded.Config{Config: node.Config{ClientOnly: true}, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer closeNode(t, first)
	second, ctx := start(t, node.Config{URL: first.Server()})
	defer closeNode(t, second) // before its server goes
	awaitCount(t, ctx, 2)
	awaitCount(t, first.Context(t.Context()), 2)
	if second.Server() != first.Server() {
		t.Errorf("one is at %q, the other at %q", first.Server(), second.Server())
	}
	if id, err := where.Call(first.Context(t.Context())); id != second.ID() || err != nil {
		t.Errorf("a task ran on %q, %v, want the second node", id, err)
	}
}

func TestAClientServesNothingAndCanCall(t *testing.T) {
	srv := serve(t)
	client, ctx := start(t, on(srv, node.Config{ClientOnly: true}))
	if _, err := where.Call(ctx); !errors.Is(err, task.ErrNotRegistered) {
		t.Errorf("alone: got %v, want ErrNotRegistered", err)
	}
	n, _ := start(t, on(srv, node.Config{}))
	awaitCount(t, ctx, 2)
	for range 20 {
		if id, err := where.Call(ctx); id != n.ID() || err != nil {
			t.Errorf("a task ran on %q, %v, want the other node", id, err)
		}
	}
	if s := client.Stats().Tasks; s.Ran != 0 || s.Submitted < 20 {
		t.Errorf("got %+v", s)
	}
	if err := client.Drain(t.Context()); err != nil {
		t.Errorf("Drain: %v", err)
	}
}

func TestWhatATaskHoldsIsNotFree(t *testing.T) {
	n, ctx := start(t, on(serve(t), node.Config{CPUs: 2, Resources: map[string]float64{"gpu": 1}}))
	g := newGate(t)
	held := hold.With(task.CPUs(0.5), task.Resources(map[string]float64{"gpu": 1})).Go(ctx, g.name)
	await(t, g.came, "the task")
	total, free := n.Resources()
	if total["CPU"] != 2 || total["gpu"] != 1 || free["CPU"] != 1.5 || free["gpu"] != 0 {
		t.Errorf("while it runs %v of %v is free", free, total)
	}
	g.open()
	if _, err := held.Get(ctx); err != nil {
		t.Error(err)
	}
	if err := n.Drain(t.Context()); err != nil { // until nothing runs
		t.Error(err)
	}
	if total, free = n.Resources(); free["CPU"] != 2 || free["gpu"] != 1 {
		t.Errorf("afterwards %v of %v is free", free, total)
	}
}

func TestStatsCount(t *testing.T) {
	srv := serve(t)
	worker, _ := start(t, on(srv, node.Config{SharedDir: "off"}))
	client, ctx := start(t, on(srv, node.Config{ClientOnly: true}))
	awaitCount(t, ctx, 2)
	for range 3 {
		if _, err := where.Call(ctx); err != nil {
			t.Fatal(err)
		}
	}
	large := objstore.Put(ctx, make([]byte, 1<<20))
	if v, err := large.Get(worker.Context(t.Context())); len(v) != 1<<20 || err != nil {
		t.Fatalf("got %d bytes, %v", len(v), err)
	}
	mine, theirs := client.Stats(), worker.Stats()
	if mine.Tasks.Submitted != 3 || mine.Tasks.Ran != 0 || theirs.Tasks.Submitted != 0 || theirs.Tasks.Ran != 3 {
		t.Errorf("tasks: the client counts %+v, the worker %+v", mine.Tasks, theirs.Tasks)
	}
	if mine.Objects.Uploads != 1 || mine.Objects.UploadedBytes != 1<<20 || theirs.Objects.Downloads != 1 || theirs.Objects.DownloadedBytes != 1<<20 {
		t.Errorf("objects: the client counts %+v, the worker %+v", mine.Objects, theirs.Objects)
	}
}
