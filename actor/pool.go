package actor

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"

	"manta/objstore"
	"manta/task"
)

// Pool gives calls of one method to the actors that are free, one call an actor at a time. It belongs to this process, and may be used by
// several goroutines at once. It neither makes actors nor ends them.
//
// An actor that is found dead leaves the pool: the result of the call that it had, or was given, is the error, which names it. A submission
// to a pool that has no actors, and one that waits when the last of them leaves, fails with ErrDead and does not run.
type Pool[T, A, R any] struct {
	crew   *crew
	method func(*T, context.Context, A) (R, error)
	opts   []task.Option
}

// NewPool makes a pool of actors for one method, a method expression; opts are of each call.
//
//	pool, err := actor.NewPool((*ModelServer).Predict, servers)
//	for y, err := range pool.Map(ctx, xs) { … }
//
// It returns an error if an actor is there twice or is the zero Ref.
func NewPool[T, A, R any](method func(*T, context.Context, A) (R, error), actors []Ref[T], opts ...task.Option) (*Pool[T, A, R], error) {
	p := &Pool[T, A, R]{newCrew(), method, opts}
	for _, r := range actors {
		if err := p.Push(r); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Push adds an actor, or returns one that was popped. It returns an error, and changes nothing, if the actor is in the pool already.
func (p *Pool[T, A, R]) Push(r Ref[T]) error {
	if r.handle == nil {
		return fmt.Errorf("Pool.Push: %w", errZeroRef)
	}
	if !p.crew.push(r.handle) {
		return fmt.Errorf("Pool.Push: actor %s is in the pool already: push each actor once", r.ID())
	}
	return nil
}

// PopIdle takes the actor out of the pool that has been free for the longest; false if none is.
func (p *Pool[T, A, R]) PopIdle() (Ref[T], bool) {
	h := p.crew.pop()
	return Ref[T]{h}, h != nil
}

// HasFree says whether an actor is free: a submission would begin at once.
func (p *Pool[T, A, R]) HasFree() bool { return p.crew.free() }

// HasNext says whether there is a result to come or to be taken.
func (p *Pool[T, A, R]) HasNext() bool { return p.crew.left(&p.crew.submitted) > 0 }

// Submit gives a call to an actor that is free, or keeps it until one is, in the order of submission. It never blocks. ctx is the call's; if it ends
// before an actor was free the call does not run. a is encoded when the call begins: do not change what it points to.
func (p *Pool[T, A, R]) Submit(ctx context.Context, a A) { p.submit(ctx, &p.crew.submitted, a) }

// Next waits for the oldest submission whose result has not been taken and returns its result, or its error, which says whether it may have
// run. If ctx ends first it returns ctx's cause, and the result stays to be taken. ErrNoResult: there is none.
func (p *Pool[T, A, R]) Next(ctx context.Context) (R, error) {
	return next[R](ctx, p.crew, &p.crew.submitted, (*batch).oldest)
}

// NextUnordered is Next for the result that comes first. Both may be used in turn: each result is taken once.
func (p *Pool[T, A, R]) NextUnordered(ctx context.Context) (R, error) {
	return next[R](ctx, p.crew, &p.crew.submitted, (*batch).earliest)
}

// Map calls the method for each of as and gives the results in that order, with an error in place of each that failed. It gives no results of
// Submit. If the loop is left, calls under way are cancelled and the rest do not run. If ctx ends, the remaining results are its error.
func (p *Pool[T, A, R]) Map(ctx context.Context, as []A) iter.Seq2[R, error] {
	return p.each(ctx, as, (*batch).oldest)
}

// MapUnordered is Map in the order in which results come.
func (p *Pool[T, A, R]) MapUnordered(ctx context.Context, as []A) iter.Seq2[R, error] {
	return p.each(ctx, as, (*batch).earliest)
}

var errLoopLeft = errors.New("the loop over Pool.Map was left")

func (p *Pool[T, A, R]) each(ctx context.Context, as []A, pick func(*batch) *submission) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		calls, cancel := context.WithCancelCause(ctx)
		defer cancel(errLoopLeft)
		b := newBatch()
		for _, a := range as {
			p.submit(calls, &b, a)
		}
		for range as {
			if r, err := next[R](ctx, p.crew, &b, pick); !yield(r, err) {
				return
			}
		}
	}
}

func (p *Pool[T, A, R]) submit(ctx context.Context, b *batch, a A) {
	p.crew.submit(ctx, b, func(h *handle) *objstore.Object {
		return Method(Ref[T]{h}, p.method).With(p.opts...).Go(ctx, a).Object()
	})
}

// String returns for example actor.Pool[main.ModelServer](3 actors).
func (p *Pool[T, A, R]) String() string {
	return fmt.Sprintf("actor.Pool[%s](%d actors)", reflect.TypeFor[T](), p.crew.size())
}

// next takes a result out of a batch.
func next[R any](ctx context.Context, c *crew, b *batch, pick func(*batch) *submission) (r R, err error) {
	s, err := c.claim(ctx, b, pick)
	if err != nil {
		return r, err
	}
	r, err = objstore.RefTo[R](s.object).Get(ctx)
	cut := err != nil && ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) // a large result takes a while to fetch
	c.unclaim(b, s, !cut)
	return r, err
}
