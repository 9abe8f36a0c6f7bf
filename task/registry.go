package task

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"

	"manta/bus"
	"manta/internal/call"
)

// Registry holds functions and actor classes. A node serves what one registry holds: see node.Config.Registry. The names of its functions
// are unique in it, and so are those of its classes. It is safe for concurrent use, but a node serves what was defined before it started.
//
// Most programs need none but [DefaultRegistry]. Nodes of one process that are to serve different things have one each:
//
//	var gpuWork = task.NewRegistry()
//	var render = task.Define("render", renderScene, task.In(gpuWork))
//
//	n, ctx, err := node.Start(ctx, node.Config{Registry: gpuWork})
//
// A function value can be called from every node, whatever registry that node serves.
//
// A name means the same everywhere in a namespace: nodes that serve it are one queue group, so any of them may get any of its tasks, whatever
// registry or program the function comes from. Two versions of a function may so stand side by side while the nodes of a cluster are
// replaced. If they take different arguments, a task that reaches the wrong one fails with [ErrArgument]; Manta does not compare
// what they do.
type Registry call.Registry

// DefaultRegistry holds what is defined without In. A node that is given no registry serves it.
var DefaultRegistry = NewRegistry()

// NewRegistry returns an empty registry.
func NewRegistry() *Registry { return new(Registry) }

// In defines the function in r, in place of DefaultRegistry. It is an option of Define alone: a function is not moved afterwards, and
// one that is declared is in no registry here.
func In(r *Registry) Option {
	return func(o *call.Options) error {
		switch {
		case o.Definition == nil:
			return errors.New("task.In says where a function is defined: give it to Define, not to With or Declare")
		case r == nil:
			return errors.New("task.In(nil): want a registry, from task.NewRegistry")
		}
		o.Definition.Registry = (*call.Registry)(r)
		return nil
	}
}

// function is one that this program serves.
type function struct {
	target  *call.Target
	handler call.Handler
	args    []reflect.Type
	result  reflect.Type // of an item, of a streaming function
	streams bool
}

// define registers a function and returns its target. Two functions of one name, a name that cannot stand in a subject and
// wrong options are programming errors: it panics, at init for a package variable.
func define(name string, f function, opts []Option) *call.Target {
	d := call.Definition{Registry: (*call.Registry)(DefaultRegistry)}
	t := newTarget(name, &d, opts)
	t.Options.Definition = nil // made: With cannot change it
	place := definedAt()
	if t.Err != nil {
		panic(fmt.Sprintf("task.Define at %s: %v", place, t.Err))
	}
	f.target = t
	if taken := call.Register(d.Registry, name, place, f); taken != "" {
		panic(fmt.Sprintf("task.Define: two functions are named %q: at %s and at %s; rename one", name, taken, place))
	}
	return t
}

func declare(name string, opts []Option) *call.Target { return newTarget(name, nil, opts) }

func newTarget(name string, d *call.Definition, opts []Option) *call.Target {
	t := &call.Target{Name: name, Options: defaults(), Submit: submit, Err: bus.CheckName("task name", name)}
	t.Options.Definition = d
	return with(t, opts)
}

// definedAt returns file and line of the caller of Define.
func definedAt() string {
	_, file, line, _ := runtime.Caller(3) // definedAt ← define ← Define ← the caller
	return fmt.Sprintf("%s:%d", file, line)
}

func (r *Registry) names() []string { return call.Names[function]((*call.Registry)(r)) }

func (r *Registry) lookup(name string) (function, bool) {
	return call.Lookup[function]((*call.Registry)(r), name)
}

// handler returns what runs a function.
func (r *Registry) handler(name string) (call.Handler, bool) {
	f, ok := r.lookup(name)
	return f.handler, ok
}
