package node_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"manta/node"
	"manta/node/nodetest"
)

func TestANodeThatIsAskedToDrainFinishesAndLeaves(t *testing.T) {
	srv := serve(t)
	n, serving := start(t, on(srv, node.Config{}))
	_, client := start(t, on(srv, node.Config{ClientOnly: true}))
	g := newGate(t)
	result := hold.Go(client, g.name)
	await(t, g.came, "the task")
	ended := make(chan error, 1)
	go func() { ended <- n.Run(t.Context()) }()
	for range 2 { // asking again changes nothing
		if err := node.DrainNode(client, n.ID()); err != nil {
			t.Fatal(err)
		}
	}
	g.open()
	if err := await(t, ended, "Run"); err != nil {
		t.Error(err)
	}
	if id, err := result.Get(client); id != n.ID() || err != nil {
		t.Errorf("the task's result: %q, %v", id, err)
	}
	if serving.Err() == nil {
		t.Error("the node's ctx goes on")
	}
	err := node.AwaitMembers(client, func(members []node.Info) bool { return len(members) == 1 })
	if err != nil {
		t.Error(err)
	}
	if err := node.DrainNode(client, n.ID()); !errors.Is(err, node.ErrUnknownNode) {
		t.Errorf("asking one that has left: %v", err)
	}
}

func TestADrainThatWasAskedForAndTakesTooLongIsRunsError(t *testing.T) {
	srv := serve(t)
	n, _ := start(t, on(srv, node.Config{DrainTimeout: 1}))
	_, client := start(t, on(srv, node.Config{ClientOnly: true}))
	g := newGate(t)
	hold.Go(client, g.name)
	await(t, g.came, "the task")
	if err := node.DrainNode(client, n.ID()); err != nil {
		t.Fatal(err)
	}
	if err := n.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "1 × hold") {
		t.Errorf("got %v, want it to name the task", err)
	}
}

func TestOnlyANodeThatIsThereIsAskedToDrain(t *testing.T) {
	c := nodetest.Start(t, 1)
	for _, id := range []string{"", "no id", strings.Repeat("0", 13)} {
		if err := node.DrainNode(c.Context(0), id); !errors.Is(err, node.ErrUnknownNode) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if err := node.DrainNode(context.Background(), c.Node(0).ID()); err == nil {
		t.Error("somebody without a node may ask")
	}
}
