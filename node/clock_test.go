package node_test

import (
	"errors"
	"testing"
	"time"

	"manta/node"
	"manta/node/nodetest"
)

func TestANodeTellsWhatTimeItIs(t *testing.T) {
	c := nodetest.Start(t, 2)
	r, err := node.ReadClock(c.Context(0), c.Node(1).ID())
	if err != nil || r.Trip <= 0 || r.Ahead.Abs() > r.Trip { // both are in this process
		t.Errorf("got %+v, %v", r, err)
	}
	c.Delay(0, 200*time.Millisecond) // answers come late, and seem to be from before
	if r, err = node.ReadClock(c.Context(0), c.Node(1).ID()); err != nil || r.Trip < 200*time.Millisecond || r.Ahead > 0 {
		t.Errorf("over a slow connection: %+v, %v", r, err)
	}
	for _, id := range []string{"", "no node", "0000000000000"} {
		if _, err := node.ReadClock(c.Context(0), id); !errors.Is(err, node.ErrUnknownNode) {
			t.Errorf("%q: %v", id, err)
		}
	}
}
