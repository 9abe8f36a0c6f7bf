package shared

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"manta/actor"
	"manta/internal/member"
	"manta/objstore"
	"manta/task"
)

// crowd is how many calls these actors run at a time: as many as wait.
const crowd = 1 << 30

var queues, semaphores, signals = define(task.DefaultRegistry)

func define(r *task.Registry) (actor.Class[queue], actor.Class[semaphore], actor.Class[signal]) {
	opts := []actor.ClassOption{actor.Concurrency(crowd), actor.In(r)}
	return actor.Define[queue]("manta_queue", opts...), actor.Define[semaphore]("manta_semaphore", opts...), actor.Define[signal]("manta_signal", opts...)
}

// Register lets nodes that serve r host queues, semaphores and signals, as those that serve task.DefaultRegistry do. It panics if r is nil,
// or has them.
func Register(r *task.Registry) { define(r) }

// part is the handle of one of them: it travels as its actor's.
type part[S any] struct{ ref actor.Ref[S] }

// EncodeMsgpack implements msgpack.CustomEncoder.
func (p part[S]) EncodeMsgpack(enc *msgpack.Encoder) error { return p.ref.EncodeMsgpack(enc) }

// DecodeMsgpack implements msgpack.CustomDecoder.
func (p *part[S]) DecodeMsgpack(dec *msgpack.Decoder) error { return p.ref.DecodeMsgpack(dec) }

// MarshalJSON implements json.Marshaler.
func (p part[S]) MarshalJSON() ([]byte, error) { return json.Marshal(p.ref) }

// UnmarshalJSON implements json.Unmarshaler.
func (p *part[S]) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, &p.ref) }

// verdict is how a call that may have waited ended.
type verdict byte

const (
	granted   verdict = iota
	refused           // it was not to wait
	withdrawn         // its process does not want it any more, or is gone
	ended             // the queue was shut down
	never             // it asks for more than there ever can be
	leaving           // the actor's node drains
)

// settling is how long an answer that is under way is awaited after ctx has ended.
const settling = 2 * time.Second

// newTicket returns a name for a call that may wait, or an error if it is not to be made.
func newTicket(ctx context.Context) (ticket, error) {
	if ctx.Err() != nil {
		return ticket{}, context.Cause(ctx)
	}
	scope, err := member.Unconfined(ctx)
	if err != nil {
		return ticket{}, err
	}
	return objstore.StoreOf(scope.Node).NextID(), nil
}

// settled waits for an answer which comes soon, a little longer than ctx.
func settled[R any](ctx context.Context, ref objstore.Ref[R]) (R, error) {
	r, err := ref.Get(ctx)
	if err == nil || ctx.Err() == nil {
		return r, err
	}
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), settling, errUnsettled)
	defer cancel()
	return ref.Get(ctx)
}

var errUnsettled = errors.New("no answer came")

// failure is the error of a verdict other than granted. few is what refused means, much why it will never be.
func (p part[S]) failure(ctx context.Context, what string, v verdict, few, much error) error {
	var err error
	switch v {
	case granted:
		return nil
	case refused:
		err = few
	case ended:
		err = ErrShutdown
	case never:
		err = much
	case leaving:
		err = fmt.Errorf("%w: its node drains", actor.ErrDead)
	default:
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err = fmt.Errorf("%w: the node of this call was taken for lost", actor.ErrUnavailable)
	}
	return fmt.Errorf("%s %s: %w", what, p.ref.ID(), err)
}
