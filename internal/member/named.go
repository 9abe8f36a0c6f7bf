package member

import (
	"iter"
	"maps"
	"slices"
)

const (
	// mostNames bounds the names of which something is counted each for itself: whoever reads the counts keeps every name for good.
	mostNames = 200
	// OtherNames stands for all names beyond those.
	OtherNames = "other"
)

// Named has a T for each of the names that come first, and one for all others. The zero Named is empty.
type Named[T any] struct{ of map[string]*T }

// Of returns the T of a name, or that of all others.
func (n *Named[T]) Of(name string) *T {
	if t := n.of[name]; t != nil {
		return t
	}
	if len(n.of) >= mostNames && name != OtherNames {
		return n.Of(OtherNames)
	}
	if n.of == nil {
		n.of = make(map[string]*T)
	}
	t := new(T)
	n.of[name] = t
	return t
}

// All ranges over the names, in order.
func (n *Named[T]) All() iter.Seq2[string, *T] {
	return func(yield func(string, *T) bool) {
		for _, name := range slices.Sorted(maps.Keys(n.of)) {
			if !yield(name, n.of[name]) {
				return
			}
		}
	}
}
