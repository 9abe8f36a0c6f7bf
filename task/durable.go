package task

import (
	"context"
	"fmt"
	"time"

	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

const (
	// keepFor is how long the result of a durable task is kept unless it says otherwise: for somebody who comes back the next day.
	keepFor = 24 * time.Hour
	// blobGrace is how much longer than a result its large value is kept: it was written before.
	blobGrace = time.Minute
)

// Durable makes tasks that outlive their owner. What is submitted is stored in a JetStream stream, and what comes of it in a bucket; so whoever
// submitted it may end, and any process that has the id of its ref fetches the result by [Result]:
//
//	var bill = task.Define("bill", sendBill, task.Durable())
//
//	ref := bill.Go(ctx, order)
//	err := task.Submitted(ctx, ref)  // from here on this process may die
//	remember(ref.ID())               // and elsewhere, an hour later: task.Result[Receipt](ctx, id)
//
// The ref works as any other, in any process, and reading it never fails with objstore.ErrOwnerDead. Nodes that serve the function take
// what is stored as they have room, beside ordinary tasks and in turn with them; while nobody serves it, it waits. It runs at least once: a node
// that dies with it costs an attempt of [Retries] and five seconds, and [RetryOn], [RetryAfter] and [Permanent] hold as for others, but the errors of
// RetryOn must be registered, since they are stored too. Exactly one outcome is recorded, the first.
//
// The ctx of Go or On covers the submission: once that is stored, only [Cancel], objstore.Free and [Timeout] end the task. Arguments are
// stored with it, large ones in the object bucket. A ref given to On is waited for and its value stored; a ref inside a value is refused, unless it is
// a durable object's or task's: its object could be gone when the task runs. A submission that cannot be stored is the ref's error: it did not run.
func Durable(settings ...DurableOption) Option {
	return func(o *call.Options) error {
		o.Durable, o.KeepFor = true, keepFor
		for _, set := range settings {
			if err := set(o); err != nil {
				return err
			}
		}
		return nil
	}
}

// DurableOption changes what Durable does.
type DurableOption func(*call.Options) error

// KeepResult is for how long, from when it is there, the result of a durable task can be fetched; 24 hours by default, at least a second. After that
// reading it fails with objstore.ErrExpired. Whoever has read it keeps it.
func KeepResult(d time.Duration) DurableOption {
	return func(o *call.Options) error {
		if d < time.Second {
			return fmt.Errorf("a result kept for %v: want at least a second", d)
		}
		o.KeepFor = d
		return nil
	}
}

// Submitted waits until a durable task is stored: from then on it runs, whatever becomes of this process. Its error says why it is not and will not run.
// It is for the process that submitted the task; that of a task which is stored already is nil. (Node.Drain waits for all.)
func Submitted[T any](ctx context.Context, ref objstore.Ref[T]) error {
	scope, err := member.Unconfined(ctx)
	if err != nil {
		return err
	}
	return part.Of(scope.Node).durables.submitted(ctx, ref.Object())
}

// Result waits for the result of a durable task, by the id of the ref that Go returned, in whatever process, and returns it. It fails with
// objstore.ErrExpired if the result is not kept any more, or no durable task has the id, and with ctx's cause if that ends first.
func Result[R any](ctx context.Context, id objstore.ID) (r R, err error) {
	if !id.Durable() {
		return r, fmt.Errorf("%s is no durable task's id: submit it with task.Durable()", id)
	}
	return objstore.RefTo[R](objstore.Named(id)).Get(ctx)
}
