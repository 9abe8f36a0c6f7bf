package actor

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestAFifoIsASliceThatIsReadFromItsFront(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q fifo[int]
		var model []int
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				n := rapid.Int().Draw(t, "n")
				q.push(n)
				model = append(model, n)
			},
			"pop": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip("empty")
				}
				if got := q.pop(); got != model[0] {
					t.Fatalf("popped %d, want %d", got, model[0])
				}
				model = model[1:]
			},
			"cut": func(t *rapid.T) {
				i := rapid.IntRange(0, len(model)).Draw(t, "i")
				q.cut(i)
				model = model[:i]
			},
			"prune": func(*rapid.T) {
				odd := func(n int) bool { return n%2 != 0 }
				q.prune(odd)
				model = slices.DeleteFunc(slices.Clone(model), odd)
			},
			"": func(t *rapid.T) {
				if q.len() != len(model) || !slices.Equal(q.all(), model) {
					t.Fatalf("got %v, want %v", q.all(), model)
				}
				if len(model) > 0 && q.first() != model[0] {
					t.Fatalf("first is %d, want %d", q.first(), model[0])
				}
			},
		})
	})
}

func TestAFifoLetsGoOfWhatHasLeft(t *testing.T) {
	var q fifo[*int]
	for range 100 {
		q.push(new(int))
	}
	for range 60 {
		q.pop()
	}
	for _, p := range q.memory[:q.gone] {
		if p != nil {
			t.Fatal("what has left is kept")
		}
	}
	for q.len() > 0 {
		q.pop()
	}
	if cap(q.memory) > spareRoom {
		t.Errorf("an empty queue keeps room for %d", cap(q.memory))
	}
}
