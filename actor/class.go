package actor

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
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
	name        string
	registry    *task.Registry
	typ         reflect.Type // of the struct
	methods     map[string]method
	start       bool // has Start
	close       bool // has Close
	concurrency int
	restarts    int  // when the node is lost; -1: for ever
	snapshots   bool // is a Snapshotter
	saving      saving
	idleAfter   time.Duration // 0: never
	need        member.Amounts
}

// method is one that can be called from elsewhere.
type method struct {
	index int // in the pointer type's method set
	args  []reflect.Type
	typ   reflect.Type // of the method expression
}

// ClassOption changes how actors of a class live.
type ClassOption func(*class) error

// Concurrency is how many calls an actor runs at a time; 1 by default. More than 1 drops the order of calls.
func Concurrency(n int) ClassOption {
	return func(c *class) error {
		if n < 1 {
			return fmt.Errorf("a concurrency of %d: want a number from 1", n)
		}
		c.concurrency = n
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
	c, err := newClass(name, reflect.TypeFor[T](), opts)
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

func newClass(name string, t reflect.Type, opts []ClassOption) (*class, error) {
	c := &class{name: name, typ: t, registry: task.DefaultRegistry, methods: make(map[string]method), concurrency: 1, saving: saving{every: 100, after: time.Second}}
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
	if err := c.learnMethods(); err != nil {
		return c, err
	}
	if c.idleAfter > 0 && !c.snapshots {
		return c, fmt.Errorf("class %q: IdleAfter is for a Snapshotter: %s has no Snapshot(context.Context) ([]byte, error) and Restore(context.Context, []byte) error", name, t)
	}
	return c, nil
}

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
)

// learnMethods finds the methods that can be called from elsewhere, and checks those that only the cell calls.
func (c *class) learnMethods() error {
	pointer := reflect.PointerTo(c.typ)
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
				c.methods[m.Name] = method{index: i, args: args, typ: m.Type}
			}
		}
	}
	return nil
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

// handler returns what runs the method on an instance, a pointer to the struct.
func (m method) handler(instance reflect.Value) call.Handler {
	return func(ctx context.Context, values []bus.Value, plain bool, room []byte) (bus.Value, error) {
		if len(values) != len(m.args) {
			return bus.Value{}, fmt.Errorf("%d arguments were sent, the method takes %d", len(values), len(m.args))
		}
		in := []reflect.Value{reflect.ValueOf(ctx)}
		for i, t := range m.args {
			arg := reflect.New(t)
			if err := bus.DecodeTo(values[i], arg); err != nil {
				return bus.Value{}, err
			}
			in = append(in, arg.Elem())
		}
		out := instance.Method(m.index).Call(in)
		err, _ := out[1].Interface().(error)
		if plain || err != nil {
			return call.EncodeResult(out[0].Interface(), err, plain, room)
		}
		result := reflect.New(out[0].Type()).Elem()
		result.Set(out[0])
		return bus.EncodeFrom(result)
	}
}
