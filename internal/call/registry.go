package call

import (
	"reflect"
	"slices"
	"sync"
)

// Registry holds what a program has defined, by name. What is of one Go type shares its names with nothing of another, so each package
// keeps its own kinds of entries in it. The zero Registry is empty and ready for use.
type Registry struct {
	mu      sync.Mutex
	entries map[registryKey]registered
}

type registryKey struct {
	kind reflect.Type
	name string
}

type registered struct {
	entry any
	place string // file and line of its definition
}

// Register adds an entry. If the name is taken it does not, and returns the place where that was defined.
func Register[E any](r *Registry, name, place string, entry E) (taken string) {
	key := registryKey{reflect.TypeFor[E](), name}
	r.mu.Lock()
	defer r.mu.Unlock()
	if old, ok := r.entries[key]; ok {
		return old.place
	}
	if r.entries == nil {
		r.entries = make(map[registryKey]registered)
	}
	r.entries[key] = registered{entry, place}
	return ""
}

// Lookup returns the entry of a name.
func Lookup[E any](r *Registry, name string) (entry E, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	found, ok := r.entries[registryKey{reflect.TypeFor[E](), name}]
	if !ok {
		return entry, false
	}
	return found.entry.(E), true
}

// Names returns the names of all entries of one kind, in order.
func Names[E any](r *Registry) (names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key := range r.entries {
		if key.kind == reflect.TypeFor[E]() {
			names = append(names, key.name)
		}
	}
	slices.Sort(names)
	return names
}

// Definition is what the options of a definition say of itself, and not of calls.
type Definition struct {
	Registry *Registry // that the function goes into
}
