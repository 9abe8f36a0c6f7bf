package actor

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"runtime"
	"sync"
	"time"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/task"
)

// Class is a registered actor type.
type Class[T any] struct{ class *class }

// class is a Class without its type parameter.
type class struct {
	name     string
	registry *task.Registry
	typ      reflect.Type // of the struct
	methods  map[string]*method
	start    bool // has Start
	starting *call.Labels
	close    bool    // has Close
	groups   []group // the first is of the methods that no other names
	options  []methodOptions
	pending  int // calls of one process that may have no outcome; 0: any number
	restarts int // when the node is lost; -1: for ever
	saving   saving
	need     member.Amounts

	snapshots bool          // is a Snapshotter
	idleAfter time.Duration // 0: never
}

// method is one that can be called from elsewhere.
type method struct {
	name   string        // with the class's
	word   string        // without
	fn     reflect.Value // the method expression
	direct direct        // nil for one that only package reflect can call
	args   []reflect.Type
	calls  sync.Pool // of *invocation
	group  int

	options *call.Options // of its calls; nil: nothing was said
	labels  *call.Labels
}

// ClassOption changes how actors of a class live.
type ClassOption func(*class) error

// Concurrency is how many calls an actor runs at a time; 1 by default. More than 1 drops the order of calls.
func Concurrency(n int) ClassOption {
	return func(c *class) error {
		if n < 1 {
			return fmt.Errorf("a concurrency of %d: want a number from 1", n)
		}
		c.groups[0].concurrency = n
		return nil
	}
}

// PendingCalls is how many calls of an actor one process may have under way; any number by default. The next one fails at once with
// task.ErrOverload, and did not run.
func PendingCalls(n int) ClassOption {
	return func(c *class) error {
		if n < 1 {
			return fmt.Errorf("%d pending calls: want a number from 1", n)
		}
		c.pending = n
		return nil
	}
}

// CPUs is how many CPUs an actor of the class holds as long as it lives; 0 by default. Its calls take none.
func CPUs(n float64) ClassOption { return Resources(map[string]float64{member.CPU: n}) }

// Resources are what an actor of the class holds as long as it lives; nothing by default.
func Resources(quantities map[string]float64) ClassOption {
	return func(c *class) (err error) {
		if c.need, err = member.NewAmounts(quantities); err != nil {
			return fmt.Errorf("an actor needs %w", err)
		}
		return nil
	}
}

// Define registers the struct type T under a name, in task.DefaultRegistry unless In says another; every node that serves the registry can
// host its actors. It panics if the name is taken there or malformed, T is no struct, an option is wrong, or Start or Close
// has another signature than Start(context.Context) error and Close() error.
func Define[T any](name string, opts ...ClassOption) Class[T] {
	c, err := newClass(name, reflect.TypeFor[T](), directly[*T], opts)
	_, file, line, _ := runtime.Caller(1)
	place := fmt.Sprintf("%s:%d", file, line)
	if err != nil {
		panic(fmt.Sprintf("actor.Define at %s: %v", place, err))
	}
	if taken := c.register(place); taken != "" {
		panic(fmt.Sprintf("actor.Define: two classes are named %q: at %s and at %s; rename one", name, taken, place))
	}
	return Class[T]{c}
}

func newClass(name string, t reflect.Type, directly func(method any) direct, opts []ClassOption) (*class, error) {
	c := &class{
		name: name, typ: t, registry: task.DefaultRegistry, methods: make(map[string]*method), groups: []group{{concurrency: 1}},
		saving: saving{every: 100, after: time.Second},
	}
	if err := bus.CheckName("class name", name); err != nil {
		return c, err
	}
	if t.Kind() != reflect.Struct {
		return c, fmt.Errorf("class %q is of type %s: want a struct", name, t)
	}
	for _, opt := range opts {
		if err := opt(c); err != nil {
			return c, fmt.Errorf("class %q: %w", name, err)
		}
	}
	if err := c.learnMethods(directly); err != nil {
		return c, err
	}
	if c.idleAfter > 0 && !c.snapshots {
		return c, fmt.Errorf("class %q: IdleAfter is for a Snapshotter: %s has no Snapshot(context.Context) ([]byte, error) and Restore(context.Context, []byte) error", name, t)
	}
	return c, cmp.Or(c.assignGroups(), c.assignOptions())
}

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
)

// learnMethods finds the methods that can be called from elsewhere, and checks those that only the cell calls.
func (c *class) learnMethods(directly func(method any) direct) error {
	pointer := reflect.PointerTo(c.typ)
	c.starting = c.labels("Start")
	c.snapshots = pointer.Implements(reflect.TypeFor[Snapshotter]())
	for i := range pointer.NumMethod() {
		m := pointer.Method(i)
		switch m.Name {
		case "Start":
			c.start = true
			if m.Type != reflect.FuncOf([]reflect.Type{pointer, contextType}, []reflect.Type{errorType}, false) {
				return fmt.Errorf("method Start of %s is %s: want Start(context.Context) error", c.typ, m.Type)
			}
		case "Close":
			c.close = true
			if m.Type != reflect.FuncOf([]reflect.Type{pointer}, []reflect.Type{errorType}, false) {
				return fmt.Errorf("method Close of %s is %s: want Close() error", c.typ, m.Type)
			}
		case "Snapshot", "Restore":
			if c.snapshots {
				continue
			}
			fallthrough
		default:
			if args, ok := callable(m.Type); ok {
				c.methods[m.Name] = &method{
					name: c.name + "." + m.Name, word: m.Name, fn: m.Func, direct: directly(m.Func.Interface()), args: args, labels: c.labels(m.Name),
				}
			}
		}
	}
	return nil
}

// labels are those of a goroutine that runs a method.
func (c *class) labels(method string) *call.Labels {
	return call.NewLabels(call.ActorLabel, c.name, call.MethodLabel, method)
}

// callable returns the argument types of a method of the form func(*T, context.Context, up to two arguments) (R, error).
func callable(t reflect.Type) (args []reflect.Type, ok bool) {
	if t.NumIn() < 2 || t.NumIn() > 4 || t.In(1) != contextType || t.NumOut() != 2 || t.Out(1) != errorType || t.IsVariadic() {
		return nil, false
	}
	for i := 2; i < t.NumIn(); i++ {
		args = append(args, t.In(i))
	}
	return args, true
}
