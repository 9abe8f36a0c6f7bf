package task

import (
	"context"

	"manta/internal/member"
	"manta/objstore"
)

// Cancel cancels the task, or the actor's call, whose result ref is: as the end of the ctx that it was submitted in would, and from
// any process that has the ref. It reaches a task that is queued, awaits an argument or runs: one that waits never runs, the ctx of
// one that runs ends with [ErrCancelled] as its cause, and so do the tasks that it started in that ctx, wherever they are. It is not
// tried again.
//
// When Cancel returns nil the owner knows: every Get of the ref fails with [ErrCancelled], as does what depends on it, unless there was
// an outcome before, which stays. (A call that an actor got already ends when the actor's node has confirmed that, or has the result.)
// Code that runs may need a moment to notice that its ctx has ended, and may have run in part or in whole.
//
// The error is objstore.ErrNoResult if the ref was Put, objstore.ErrFreed if it was freed, objstore.ErrOwnerDead if the process that
// submitted the task is gone, and ctx's cause if that ends first.
func Cancel[T any](ctx context.Context, ref objstore.Ref[T]) error {
	return cancel(ctx, ref.Object())
}

func cancel(ctx context.Context, o *objstore.Object) error {
	scope, err := member.FromContext(ctx)
	if err != nil {
		return err
	}
	return objstore.StoreOf(scope.Node).Cancel(ctx, o)
}

var _ objstore.Promiser = (*submission)(nil)
