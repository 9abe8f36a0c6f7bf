package task

import (
	"context"
	"fmt"
	"time"

	"manta/bus"
	"manta/internal/member"
	"manta/objstore"
)

// why says what is known of a durable task.
func (d *durables) why(ctx context.Context, id objstore.ID) (string, error) {
	d.mu.Lock()
	p := d.pending[id]
	d.mu.Unlock()
	if p != nil {
		return "durable, and not stored yet: its arguments are awaited, or JetStream's word", nil
	}
	out, task, err := d.results.fetch(ctx, id)
	switch {
	case err != nil:
		return "", err
	case out != nil && out.Err != nil:
		return "failed: " + out.Err.Error(), nil
	case out != nil:
		return "has its result", nil
	case !task:
		return objstore.ErrExpired.Error(), nil
	}
	return d.whyStored(ctx, id)
}

// holderAnswers bounds the wait for the node that has a task: only that one answers.
const holderAnswers = 500 * time.Millisecond

// whyStored says what keeps a task that is in the stream.
func (d *durables) whyStored(ctx context.Context, id objstore.ID) (string, error) {
	conn := d.node.Conn
	asking, cancel := context.WithTimeout(ctx, holderAnswers)
	msg, err := conn.Request(asking, conn.Holders(), append(bus.AppendFrame(nil, whyFrame), keyOf(id)...))
	cancel()
	if err == nil {
		return string(msg.Data), nil
	}
	queue, _ := d.stores()
	stored, err := queue.Find(ctx, conn.Durable("*", keyOf(id)))
	if err != nil || stored == nil {
		return "has just had its outcome", err
	}
	function, _, _ := conn.ParseDurable(stored.Subject)
	serving := 0
	for _, m := range d.node.Members.All() {
		if contains(m, function) {
			serving++
		}
	}
	if serving == 0 {
		return fmt.Sprintf("stored, and no node serves %q: it waits for one", function), nil
	}
	held, waiting, err := queue.Held(ctx, function)
	return fmt.Sprintf("stored, and waits for one of %d nodes that serve %q: they have %d of its tasks, %d wait", serving, function, held, waiting), err
}

func contains(m member.Info, function string) bool {
	for _, f := range m.Functions {
		if f == function {
			return true
		}
	}
	return false
}
