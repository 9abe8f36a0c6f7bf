package actor

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
	"manta/task"
)

// Method makes a method of an actor callable, by its method expression:
//
//	predict := actor.Method(server, (*ModelServer).Predict)
//
// The result is a task.Func: Go, On, Call, Map and With work as they do for tasks; the call runs where the actor lives, at most once. With takes
// task.Timeout, and task.Retries: for an actor that is made again, and with task.RetryOn and task.Backoff for the method's own errors. A call that is
// made again after one is a later call: those that were made meanwhile may have run. Other options, and a function that is no exported method of T,
// give an error at the first Get.
//
// A call fails with a *task.Error if the method did, else with ErrDead or ErrUnavailable, which say whether it may have run, with the errors of New, or
// with those of its ctx: task.ErrCancelled and task.ErrDeadline, after which it may have run.
func Method[T, A, R any](r Ref[T], m func(*T, context.Context, A) (R, error)) task.Func[A, R] {
	return task.Bind[A, R](r.target(m))
}

// Method0 is Method for a method of no argument.
func Method0[T, R any](r Ref[T], m func(*T, context.Context) (R, error)) task.Func0[R] {
	return task.Bind0[R](r.target(m))
}

// Method2 is Method for a method of two arguments.
func Method2[T, A, B, R any](r Ref[T], m func(*T, context.Context, A, B) (R, error)) task.Func2[A, B, R] {
	return task.Bind2[A, B, R](r.target(m))
}

// target returns what a call of a method expression calls.
func (r Ref[T]) target(expression any) *call.Target {
	if r.handle == nil {
		return &call.Target{Name: reflect.TypeFor[T]().String(), Err: errZeroRef}
	}
	if r.handle.err != nil {
		return &call.Target{Name: r.handle.class.name, Err: r.handle.err}
	}
	m, name, err := methodOf(r.handle.class, expression)
	t := &call.Target{Name: r.handle.class.name + "." + name, Actor: r.handle.id, Err: err, Fits: fits, Options: m.defaults()}
	t.Submit = func(ctx context.Context, t *call.Target, args call.Args) *objstore.Object {
		scope, err := member.Unconfined(ctx)
		if err != nil {
			return objstore.FailedObject(fmt.Errorf("%s: %w", t.Name, err))
		}
		return part.Of(scope.Node).callers.submit(ctx, r.handle, m, t, args, false)
	}
	return t
}

// fits says why an option of tasks makes no sense for an actor's call.
func fits(o call.Options) error {
	switch {
	case o.Durable:
		return errors.New("an actor's call cannot be durable: only tasks of task.Define are")
	case len(o.Need) > 0:
		return errors.New("an actor's call takes no resources: its actor has them, by actor.CPUs and actor.Resources of Define")
	case o.Bundle != member.Bundle{} || !o.Placing.Anywhere():
		return errors.New("an actor's call runs where its actor lives: Labels, OnNode, Spread, InGroup and InBundle are for tasks")
	case o.Ahead != 0 || o.AheadBytes != 0:
		return errors.New("an actor's call has one result: Ahead and AheadBytes are for streaming tasks")
	}
	return nil
}

// methodOf returns the method that a method expression stands for, and its name. The runtime calls a method expression's
// function pkg.(*T).Name, a closure pkg.f.func1 and a method value pkg.(*T).Name-fm.
func methodOf(c *class, expression any) (m *method, name string, err error) {
	v := reflect.ValueOf(expression)
	if v.IsNil() {
		return nil, "", fmt.Errorf("class %s: the method is nil: want a method expression such as (*%s).Name", c.name, c.typ.Name())
	}
	full := runtime.FuncForPC(v.Pointer()).Name()
	name = bus.LastToken(full)
	m, ok := c.methods[name]
	if !ok || m.fn.Type() != v.Type() || !strings.HasSuffix(full, ")."+name) {
		return nil, name, fmt.Errorf("class %s: %s is no method that can be called from elsewhere: want a method expression such as (*%s).Name, "+
			"of an exported method that takes a ctx and up to two arguments and returns a value and an error", c.name, full, c.typ.Name())
	}
	return m, name, nil
}
