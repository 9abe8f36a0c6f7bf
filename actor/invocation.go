package actor

import (
	"context"
	"fmt"
	"reflect"

	"manta/bus"
	"manta/internal/call"
)

// invocation is the memory of one call of a method, used again: reflection would make it anew each time.
type invocation struct {
	ctx    context.Context // of the call that is made: reflection is faster with an interface that is one already
	in     []reflect.Value // instance, ctx, arguments
	args   []reflect.Value // pointers to the arguments
	result reflect.Value
}

func (m *method) invocation() *invocation {
	if i, ok := m.calls.Get().(*invocation); ok {
		return i
	}
	i := &invocation{result: reflect.New(m.fn.Type().Out(0)).Elem()}
	i.in = []reflect.Value{{}, reflect.ValueOf(&i.ctx).Elem()}
	for _, t := range m.args {
		arg := reflect.New(t)
		i.args = append(i.args, arg)
		i.in = append(i.in, arg.Elem())
	}
	return i
}

// release lets go of what a call had, and keeps the memory. What panicked has let go of all.
func (m *method) release(i *invocation) {
	i.ctx, i.in[0] = nil, reflect.Value{}
	for _, arg := range i.args {
		arg.Elem().SetZero()
	}
	i.result.SetZero()
	m.calls.Put(i)
}

// call runs the method on an instance, a pointer to the struct, as a call.Handler does.
func (m *method) call(instance reflect.Value, ctx context.Context, values []bus.Value, plain bool, room []byte) (bus.Value, error) {
	if len(values) != len(m.args) {
		return bus.Value{}, fmt.Errorf("%w: %d were sent, the method takes %d", call.ErrArgument, len(values), len(m.args))
	}
	if m.direct != nil {
		return m.direct(instance.Interface(), ctx, values, plain, room)
	}
	i := m.invocation()
	i.ctx, i.in[0] = ctx, instance
	for n, value := range values {
		if err := bus.DecodeTo(value, i.args[n]); err != nil {
			return bus.Value{}, unfit(n, err)
		}
	}
	out := m.fn.Call(i.in)
	defer m.release(i)
	err, _ := out[1].Interface().(error)
	if plain || err != nil {
		return call.EncodeResult(out[0].Interface(), err, plain, room)
	}
	i.result.Set(out[0])
	value, err := bus.EncodeFrom(i.result, room)
	if err == nil && value.Format != bus.Msgpack && value.Format != bus.Text {
		value = value.Clone() // a view of what the actor may go on to change
	}
	return value, err
}

// unfit is the error of an argument, by its index.
func unfit(n int, err error) error {
	return fmt.Errorf("%w: argument %d: %w", call.ErrArgument, n+1, err)
}
