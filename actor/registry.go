package actor

import (
	"errors"
	"reflect"
	"sync"

	"manta/internal/call"
	"manta/task"
)

// In defines the class in r, in place of task.DefaultRegistry: its actors live on nodes that serve r. Handles work everywhere.
func In(r *task.Registry) ClassOption {
	return func(c *class) error {
		if r == nil {
			return errors.New("actor.In(nil): want a registry, from task.NewRegistry")
		}
		c.registry = r
		return nil
	}
}

// defined has the classes of all registries, for handles: those that are decoded know the name and the type of their class, and no node.
// Of several that share both it has the first.
var defined sync.Map // definedKey → *class

type definedKey struct {
	name string
	typ  reflect.Type
}

// register adds the class to its registry. If the name is taken there it does not, and returns where.
func (c *class) register(place string) (taken string) {
	if taken = call.Register((*call.Registry)(c.registry), c.name, place, c); taken == "" {
		defined.LoadOrStore(definedKey{c.name, c.typ}, c)
	}
	return taken
}

// definedAs returns the class of a name and a type.
func definedAs(name string, typ reflect.Type) (*class, bool) {
	c, ok := defined.Load(definedKey{name, typ})
	if !ok {
		return nil, false
	}
	return c.(*class), true
}

func lookupClass(r *task.Registry, name string) (*class, bool) {
	return call.Lookup[*class]((*call.Registry)(r), name)
}

func classNames(r *task.Registry) []string { return call.Names[*class]((*call.Registry)(r)) }
