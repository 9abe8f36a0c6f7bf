package task

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"

	"manta/bus"
	"manta/internal/call"
)

// registry is the functions that a program defined.
type registry struct {
	mu        sync.Mutex
	functions map[string]function
}

// function is one that this program serves.
type function struct {
	target  *call.Target
	handler call.Handler
	arity   int
	place   string // file and line of its Define
}

var registered registry

// define registers a function and returns its target. Two functions of one name, a name that cannot stand in a subject and
// wrong options are programming errors: it panics, at init for a package variable.
func define(name string, arity int, h call.Handler, opts []Option) *call.Target {
	t := declare(name, opts)
	place := definedAt()
	if t.Err != nil {
		panic(fmt.Sprintf("task.Define at %s: %v", place, t.Err))
	}
	registered.mu.Lock()
	defer registered.mu.Unlock()
	if old, taken := registered.functions[name]; taken {
		panic(fmt.Sprintf("task.Define: two functions are named %q: at %s and at %s; rename one", name, old.place, place))
	}
	if registered.functions == nil {
		registered.functions = make(map[string]function)
	}
	registered.functions[name] = function{t, h, arity, place}
	return t
}

func declare(name string, opts []Option) *call.Target {
	t := &call.Target{Name: name, Options: defaults(), Submit: submit, Err: bus.CheckName("task name", name)}
	return with(t, opts)
}

// definedAt returns file and line of the caller of Define.
func definedAt() string {
	_, file, line, _ := runtime.Caller(3) // definedAt ← define ← Define ← the caller
	return fmt.Sprintf("%s:%d", file, line)
}

func (r *registry) names() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.functions))
}

func (r *registry) lookup(name string) (function, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f, ok := r.functions[name]
	return f, ok
}

// handler returns what runs a function.
func (r *registry) handler(name string) (call.Handler, bool) {
	f, ok := r.lookup(name)
	return f.handler, ok
}
