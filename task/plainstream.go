package task

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/plain"
)

// A stream for a plain client: a message an item, numbered, then an empty one with the status 204, or an error as any request gets it. The client
// acknowledges by answering an item: all up to it are taken.
const (
	streamHeaderName = "Manta-Stream"
	aheadHeader      = "Manta-Ahead"
	itemHeader       = "Manta-Item"
	statusHeader     = "Status"
	statusEnd        = "204"

	// takenToken is what stands before a stream's secret and an item's number in the subject where that item is acknowledged.
	takenToken = "taken."

	// idleEvery is how often a client that nothing is sent to is shown a sign of life; NATS says if nobody is there to see it.
	idleEvery = time.Second
	// clientSilent is how long a client may say nothing while it has items that it has not acknowledged and no more may be sent.
	clientSilent = time.Minute
)

// relay is one plain client's stream.
type relay struct {
	request  *plain.Request
	consumer *consumer
	secret   string
	format   bus.Format
	sent     uint64 // items
}

// stream takes on a plain request for a stream.
func (d *plainDoor) stream(r *plain.Request, f function, args []call.Arg) {
	target, err := streamTarget(f, r.Msg.Header.Get(aheadHeader))
	switch {
	case err != nil:
	case !f.streams:
		err = notStreaming([]bus.Value{{Format: streamFormat}})
	case r.IsOnce():
		err = fmt.Errorf("%w: a stream is not kept, so it cannot have an id: leave that header out", ErrArgument)
	}
	if err != nil {
		r.End()
		r.Refuse(fmt.Errorf("task %q: %w", f.target.Name, err))
		return
	}
	ctx, format := r.Context(), plain.Format(r.Msg)
	c, _, err := openStream(ctx, target, args[0], format == bus.JSON)
	if err == nil && c.task != nil {
		d.bound(ctx, c.task)
	}
	if err == nil && !d.host.group.Go(func(context.Context) {
		defer r.End()
		defer c.close()
		relay := &relay{request: r, consumer: c, secret: bus.Secret(), format: format}
		d.relays.Store(relay.secret, relay)
		defer d.relays.Delete(relay.secret)
		relay.run(ctx)
	}) {
		c.close()
		err = bus.ErrClosed
	}
	if err != nil {
		r.End()
		r.Refuse(err)
	}
}

// streamTarget is the function with the window that a client asks for, if it does.
func streamTarget(f function, ahead string) (*call.Target, error) {
	if ahead == "" {
		return f.target, nil
	}
	n, err := strconv.Atoi(ahead)
	target := with(f.target, []Option{Ahead(n)})
	if err != nil || target.Err != nil {
		return nil, fmt.Errorf("%w: header %s: %q: want a number from 1 to %d", ErrArgument, aheadHeader, ahead, maxAhead)
	}
	return target, nil
}

// run passes items on until there are no more.
func (r *relay) run(ctx context.Context) {
	idle := time.NewTicker(idleEvery)
	defer idle.Stop()
	for {
		i, over, err := r.consumer.poll()
		switch {
		case i != nil:
			err = r.pass(ctx, i)
		case !over && ctx.Err() == nil:
			err = r.wait(ctx, idle.C)
		}
		if over || err != nil || ctx.Err() != nil {
			r.end(ctx, err)
			return
		}
	}
}

// pass sends the client an item.
func (r *relay) pass(ctx context.Context, i *item) error {
	value, err := r.consumer.open(ctx, i)
	if err == nil {
		r.consumer.streams.owner.store.Give(value.Refs)
		value, err = bus.Recode(value, r.format)
	}
	if most := r.consumer.streams.owner.node.Conn.MaxPayload() - itemOverhead; err == nil && int64(len(value.Data)) > most {
		err = fmt.Errorf("item %d has %d bytes, the server takes messages of %d: yield a ref to it, made with objstore.Put", i.seq, len(value.Data), most+itemOverhead)
	}
	if err != nil {
		return err
	}
	r.sent = i.seq
	msg := r.message(value.Data)
	msg.Header.Set(itemHeader, strconv.FormatUint(i.seq, 10))
	plain.SetFormat(msg, r.format)
	r.request.Publish(msg)
	return nil
}

// itemOverhead is room for an item's headers in its message.
const itemOverhead = 512

// message makes a message to the client that it can answer.
func (r *relay) message(data []byte) *bus.Msg {
	msg := bus.NewMsg(r.request.Msg.Reply, data)
	msg.Reply = r.consumer.streams.owner.node.Conn.Ear(takenToken + r.secret + "." + strconv.FormatUint(r.sent, 10))
	return msg
}

// wait waits for something to happen, and shows a sign of life now and then.
func (r *relay) wait(ctx context.Context, idle <-chan time.Time) error {
	select {
	case <-r.consumer.ready:
	case <-ctx.Done():
	case <-idle:
		if r.consumer.unheard(clientSilent) {
			return fmt.Errorf("the client has acknowledged nothing for %v: %w: answer items, or the empty messages with %s %s between them",
				clientSilent, call.ErrCancelled, statusHeader, plain.SignStatus)
		}
		msg := r.message(nil)
		msg.Header.Set(statusHeader, plain.SignStatus)
		r.request.Publish(msg)
	}
	return nil
}

// end tells the client how the stream has ended.
func (r *relay) end(ctx context.Context, err error) {
	if err == nil && ctx.Err() != nil {
		err = call.Ending(ctx)
	}
	if err != nil {
		r.request.Refuse(err)
		return
	}
	msg := bus.NewMsg(r.request.Msg.Reply, nil)
	msg.Header.Set(statusHeader, statusEnd)
	r.request.Last(msg)
}

// unheard says whether a client that has used up its credit has said nothing for so long.
func (c *consumer) unheard(limit time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	used := c.in.handed - c.in.taken
	if used == 0 || c.spoke.IsZero() {
		c.spoke = time.Now()
	}
	return time.Since(c.spoke) > limit
}

// taken takes in a client's answer to an item, or NATS's word that it is gone.
func (d *plainDoor) taken(msg *bus.Msg) {
	_, gone := bus.Unserved(msg)
	tokens := strings.Split(msg.Subject, ".")
	upTo, err := strconv.ParseUint(tokens[len(tokens)-1], 10, 64)
	known, there := d.relays.Load(tokens[len(tokens)-2])
	if err != nil || !there {
		return
	}
	c := known.(*relay).consumer
	if gone || string(msg.Data) == plain.StopWord {
		c.stop()
		return
	}
	c.mu.Lock()
	c.spoke = time.Now()
	c.mu.Unlock()
	c.took(upTo)
}
