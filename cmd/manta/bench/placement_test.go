package bench

import (
	"strings"
	"testing"
)

func TestPlacementIsEvenOnlyIfAllNodesRanTheSameShare(t *testing.T) {
	for _, c := range []struct {
		ran   string // the node of every task
		nodes int
		even  bool
	}{
		{"a b a b b a b a", 2, true},
		{"a b a b b a b b", 2, false},
		{"a a a a a a a a", 2, false},
		{"a a b b c c", 2, false},
		{"a a b b c c", 3, true},
		{"a", 1, true},
	} {
		if err := evenly(strings.Fields(c.ran), c.nodes); (err == nil) != c.even {
			t.Errorf("%s on %d nodes: %v", c.ran, c.nodes, err)
		}
	}
}
