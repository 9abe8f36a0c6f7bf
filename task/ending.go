package task

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/logs"
	"manta/objstore"
)

// freedFor is how long a result that was freed is known to be: until those who run the task have heard.
const freedFor = 2 * time.Minute

// expireAt ends a task when its time is over, whether a node has it or not.
func (r *results) expireAt(id objstore.ID, t *call.Target, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a := r.awaited[id]; a != nil {
		a.timer = time.AfterFunc(time.Until(at), func() {
			r.d.group.Go(func(ctx context.Context) {
				err := fmt.Errorf("%s: %w", t.Name, ErrDeadline)
				if ended := r.end(ctx, id, err); ended != nil && ctx.Err() == nil { // whoever has it, or gets it, finds that its time is over
					r.d.node.Log.Warn("a durable task whose time is over was not ended", logs.Task(t.Name), logs.ID(id), zap.Error(ended))
				}
			})
		})
	}
}

// Cancel implements objstore.Archive.
func (r *results) Cancel(ctx context.Context, id objstore.ID) error {
	return r.end(ctx, id, fmt.Errorf("durable task %s: %w", id, ErrCancelled))
}

// end records an error as the outcome of a task, unless it has one, and takes it from whoever has it.
func (r *results) end(ctx context.Context, id objstore.ID, why error) error {
	r.d.mu.Lock()
	p := r.d.pending[id]
	r.d.mu.Unlock()
	if p != nil && r.d.withdraw(p, why) {
		return nil
	}
	out, task, err := r.fetch(ctx, id)
	switch {
	case err != nil:
		return err
	case out != nil && errors.Is(out.Err, objstore.ErrFreed):
		return objstore.ErrFreed
	case out != nil:
		return nil
	case !task && p == nil:
		return fmt.Errorf("%w: %s", objstore.ErrExpired, id)
	}
	_, archive := r.d.stores()
	record := recordOf(&objstore.Outcome{Err: why})
	if err := r.d.publisher.Store(ctx, archive.First(keyOf(id), record, keepFor)); err != nil && !errors.Is(err, bus.ErrExists) {
		return err
	}
	return r.remove(ctx, id)
}

// remove takes a task out of the stream, with its large arguments, and from the node that has it.
func (r *results) remove(ctx context.Context, id objstore.ID) error {
	key := keyOf(id)
	queue, _ := r.d.stores()
	subject := r.d.node.Conn.Durable("*", key)
	stored, err := queue.Find(ctx, subject)
	if err != nil || stored == nil {
		return err
	}
	if err := queue.Purge(ctx, stored.Subject); err != nil {
		return err
	}
	if dep, err := readDeposit(stored.Data); err == nil {
		r.d.deleteBlobs(dep.blobs())
	}
	return r.d.node.Conn.Publish(r.d.node.Conn.Holders(), "", append(bus.AppendFrame(nil, endFrame), key...))
}

// Free implements objstore.Archive.
func (r *results) Free(ctx context.Context, id objstore.ID) error {
	r.d.mu.Lock()
	p := r.d.pending[id]
	r.d.mu.Unlock()
	if p != nil && r.d.withdraw(p, objstore.ErrFreed) {
		return nil
	}
	if there, err := r.d.find(ctx); err != nil || !there {
		return err
	}
	_, archive := r.d.stores()
	msg, err := archive.Get(ctx, keyOf(id))
	if err != nil {
		return err
	}
	freed := recordOf(&objstore.Outcome{Err: objstore.ErrFreed})
	if err := r.d.publisher.Store(ctx, archive.Put(keyOf(id), freed, freedFor)); err != nil {
		return err
	}
	told := r.d.node.Conn.Publish(r.d.node.Conn.Freed(), "", append(bus.AppendFrame(nil, freedFrame), id[:]...))
	if msg == nil {
		return errors.Join(told, r.remove(ctx, id))
	}
	if out := readRecord(msg); out.Blob != nil {
		return errors.Join(told, r.d.store.DeleteBlob(ctx, id, out.Blob.Blob))
	}
	return told
}

// freedFrame tells every node that what has an id was freed.
const freedFrame = 'f'

// heardFreed takes in that something durable was freed, wherever that was.
func (r *results) heardFreed(msg *bus.Msg) {
	reader, kind := bus.ReadFrame(msg.Data)
	var id objstore.ID
	copy(id[:], reader.Raw(len(id)))
	if kind != freedFrame || !id.Durable() {
		reader.Fail("no word on what was freed")
	}
	if err := reader.Err(); err != nil {
		r.d.node.Reject(msg, err)
		return
	}
	r.d.store.Forget(id)
}
