package event

// key names what a fact is about: an attempt of a task, an epoch of an actor, an object, a node.
type key struct {
	id     string
	number uint64
}

// fact is a pointer to one of the facts.
type fact[T any] interface {
	*T
	key() key
	merge(*T)
}

// facts are facts of one kind, one a thing, in the order in which the things were first spoken of.
type facts[T any, F fact[T]] struct {
	of    map[key]F
	order []F
}

// add merges a fact with what is there. With as many things as most (0 is without bound) another one is refused.
func (f *facts[T, F]) add(t F, most int) bool {
	k := t.key()
	if known := f.of[k]; known != nil {
		known.merge(t)
		return true
	}
	if most > 0 && len(f.order) >= most {
		return false
	}
	if f.of == nil {
		f.of = make(map[key]F)
	}
	f.of[k] = t
	f.order = append(f.order, t)
	return true
}

// merge makes one fact a thing of those that were told.
func merge[T any, F fact[T]](told []T) []F {
	f := facts[T, F]{of: make(map[key]F, len(told)/2)}
	for i := range told {
		f.add(&told[i], 0)
	}
	return f.order
}
