package shared

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"

	"manta/actor"
)

// Queue is a first-in, first-out queue of values of type T that every node can put into and get from. It is comparable, travels inside arguments
// and results, and works in every process. The zero Queue names none; every method of it fails.
//
// It lives in the memory of one node, and its items are lost with that node, also when it drains.
//
// Values are copied: do Put what is large into the object store and queue its ref. Refs inside a value are kept alive by the queue.
type Queue[T any] struct{ part[queue] }

// NewQueue makes a queue for at most capacity items, 0: any number, and returns it at once. What goes wrong, as a negative capacity, is the
// error of every method.
func NewQueue[T any](ctx context.Context, capacity int, opts ...actor.NewOption) Queue[T] {
	return Queue[T]{part[queue]{queues.New(ctx, queue{Capacity: capacity}, opts...)}}
}

// GetOrNewQueue returns the queue of that name, or makes it; of several that try at once, one makes it.
func GetOrNewQueue[T any](ctx context.Context, name string, capacity int, opts ...actor.NewOption) Queue[T] {
	return Queue[T]{part[queue]{queues.GetOrNew(ctx, name, queue{Capacity: capacity}, opts...)}}
}

// LookupQueue returns the queue of that name, or actor.ErrNotFound. Its items are to be of type T: a Get of another fails.
func LookupQueue[T any](ctx context.Context, name string) (Queue[T], error) {
	ref, err := queues.Lookup(ctx, name)
	return Queue[T]{part[queue]{ref}}, err
}

// Put puts a value at the end of the queue, and waits until there is room for it. If it returns ctx's cause, or ErrShutdown, nothing was put; of
// actor.ErrUnavailable, and of an error that says so, it is not known.
func (q Queue[T]) Put(ctx context.Context, v T) error { return q.put(ctx, []T{v}, true) }

// TryPut is Put without waiting: ErrFull if there is no room, or others wait for some.
func (q Queue[T]) TryPut(ctx context.Context, v T) error { return q.put(ctx, []T{v}, false) }

// PutAll puts values one behind the other, all at once when there is room for all, or none. More than the capacity is an error at once.
func (q Queue[T]) PutAll(ctx context.Context, vs []T) error { return q.put(ctx, vs, true) }

// TryPutAll is PutAll without waiting: ErrFull if there is not room for all, or others wait for some.
func (q Queue[T]) TryPutAll(ctx context.Context, vs []T) error { return q.put(ctx, vs, false) }

// Get takes the first value out of the queue, and waits until there is one. ErrShutdown: there will be none. With an error nothing was taken.
func (q Queue[T]) Get(ctx context.Context) (T, error) { return one(q.take(ctx, 1, true)) }

// TryGet is Get without waiting: ErrEmpty if there is no value, or others wait for one.
func (q Queue[T]) TryGet(ctx context.Context) (T, error) { return one(q.take(ctx, 1, false)) }

// GetAll takes the first n values, all at once when there are as many, or none. More than the capacity is an error at once, and so is less than 1.
func (q Queue[T]) GetAll(ctx context.Context, n int) ([]T, error) { return q.take(ctx, n, true) }

// TryGetAll is GetAll without waiting: ErrEmpty if there are fewer, or others wait for some.
func (q Queue[T]) TryGetAll(ctx context.Context, n int) ([]T, error) { return q.take(ctx, n, false) }

func one[T any](vs []T, err error) (v T, _ error) {
	if err == nil {
		v = vs[0]
	}
	return v, err
}

// All gets values one after the other until the queue is shut down and empty, which ends the loop. Another error is the last thing that it
// yields.
func (q Queue[T]) All(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			v, err := q.Get(ctx)
			if errors.Is(err, ErrShutdown) || !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// Len is how many values are in the queue, without those that are on their way to who took them.
func (q Queue[T]) Len(ctx context.Context) (int, error) {
	look, err := q.look(ctx)
	return look.Len, err
}

// Empty says whether the queue has no values.
func (q Queue[T]) Empty(ctx context.Context) (bool, error) {
	look, err := q.look(ctx)
	return look.Len == 0, err
}

// Full says whether the queue has as many values as its capacity, which one without a bound never has.
func (q Queue[T]) Full(ctx context.Context) (bool, error) {
	look, err := q.look(ctx)
	return look.Capacity > 0 && look.Len >= look.Capacity, err
}

func (q Queue[T]) look(ctx context.Context) (glance, error) {
	return actor.Method0(q.ref, (*queue).Look).Call(ctx)
}

// Shutdown ends the queue as close ends a channel: every Put fails with ErrShutdown, also those that wait; Get takes what is left, and then
// fails so too. It does not wait for that. Shutting down twice is no error.
func (q Queue[T]) Shutdown(ctx context.Context) error {
	_, err := actor.Method0(q.ref, (*queue).Shutdown).Call(ctx)
	return err
}

// Kill ends the queue's actor at once: what it holds is lost, its name is free, and all calls fail with actor.ErrDead.
func (q Queue[T]) Kill(ctx context.Context) error { return q.ref.Kill(ctx) }

// String returns for example shared.Queue[main.Job](jobs).
func (q Queue[T]) String() string {
	return fmt.Sprintf("shared.Queue[%s](%s)", reflect.TypeFor[T](), q.ref.ID())
}

func (q Queue[T]) put(ctx context.Context, vs []T, wait bool) error {
	items, err := pack(vs)
	if err != nil {
		return fmt.Errorf("queue %s: %w", q.ref.ID(), err)
	}
	v, err := put(ctx, q.part, items, wait)
	if err != nil {
		return err
	}
	return q.failure(ctx, "queue", v, ErrFull, fmt.Errorf("%d values are more than its capacity: put fewer at once", len(items)))
}

func (q Queue[T]) take(ctx context.Context, n int, wait bool) ([]T, error) {
	if n < 1 {
		return nil, fmt.Errorf("queue %s: get %d values: want a number from 1", q.ref.ID(), n)
	}
	for {
		t, got, err := take(ctx, q.part, n, wait)
		if err == nil {
			err = q.failure(ctx, "queue", got.Verdict, ErrEmpty, fmt.Errorf("%d values are more than its capacity: get fewer at once", n))
		}
		if err != nil {
			return nil, err
		}
		vs, err := unpack[T](got.Items)
		if err != nil {
			withdraw(ctx, q.part, t)
			return nil, fmt.Errorf("queue %s: %w", q.ref.ID(), err)
		}
		if confirmed(ctx, q.part, t) {
			return vs, nil
		}
	}
}

// put asks the queue to put items, and for its verdict, which is definite.
func put(ctx context.Context, p part[queue], items []item, wait bool) (verdict, error) {
	t, err := newTicket(ctx)
	if err != nil {
		return 0, err
	}
	// Its ctx is not the caller's: a call that is cancelled does not say whether it has run.
	ref := actor.Method(p.ref, (*queue).Put).Go(context.WithoutCancel(ctx), putting{t, items, wait})
	v, err := ref.Get(ctx)
	if err == nil || ctx.Err() == nil {
		return v, err
	}
	withdraw(ctx, p, t)
	if v, err = settled(ctx, ref); errors.Is(err, errUnsettled) {
		err = fmt.Errorf("%w: it is not known whether queue %s has the item: %w", context.Cause(ctx), p.ref.ID(), err)
	}
	return v, err
}

// take asks the queue for items, which are in the ticket's hand then.
func take(ctx context.Context, p part[queue], n int, wait bool) (t ticket, got taken, err error) {
	if t, err = newTicket(ctx); err != nil {
		return t, got, err
	}
	ref := actor.Method(p.ref, (*queue).Take).Go(context.WithoutCancel(ctx), taking{t, n, wait})
	if got, err = ref.Get(ctx); err != nil && !errors.Is(err, actor.ErrDead) { // it may be the answer that did not get here
		withdraw(ctx, p, t)
	}
	return t, got, err
}

// confirmed tells the queue that a ticket's items have come; false if it has given them to others, since it took this process for
// lost. Without an answer they are ours: the queue is gone.
func confirmed(ctx context.Context, p part[queue], t ticket) bool {
	ours, err := settled(ctx, actor.Method(p.ref, (*queue).Confirm).Go(context.WithoutCancel(ctx), t))
	return ours || err != nil
}

// withdraw tells the queue that a ticket is not wanted any more. Nobody waits for that: if it does not get there, the queue is gone or this
// process is.
func withdraw(ctx context.Context, p part[queue], t ticket) {
	actor.Method(p.ref, (*queue).Withdraw).Go(context.WithoutCancel(ctx), t)
}
