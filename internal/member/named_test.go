package member

import (
	"fmt"
	"testing"
)

func TestNamesBeyondTheFirstShareOne(t *testing.T) {
	for name, first := range map[string]string{"other names come last": "f", "one is called as they are": OtherNames} {
		t.Run(name, func(t *testing.T) {
			var n Named[int]
			*n.Of(first)++
			for round := range 2 {
				for i := range 10 * mostNames {
					*n.Of(fmt.Sprint("f", i))++
				}
				*n.Of(first)++
				total, names := 0, 0
				for _, count := range n.All() {
					names, total = names+1, total+*count
				}
				if want := (round+1)*(10*mostNames+1) + 1; total != want || names > mostNames+1 {
					t.Errorf("%d names count %d in all, want %d at most, and %d", names, total, mostNames+1, want)
				}
			}
		})
	}
}
