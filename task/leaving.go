package task

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"manta/bus"
	"manta/internal/member"
)

// retire leaves the queue groups and takes no more of others.
func (h *host) retire() error {
	h.mu.Lock()
	h.desk.close()
	h.mu.Unlock()
	doors := h.doors
	if h.plain != nil { // plain clients would keep the node busy
		doors = slices.Concat(h.plain.doors, doors)
	}
	return leave(doors)
}

// drain waits for what is here, and for what this node submitted: some of that may run nowhere else, and what runs here may wait for it.
func (h *host) drain(ctx context.Context) error {
	if err := h.retire(); err != nil {
		return err
	}
	for over := false; !over; over = h.isIdle() {
		h.mu.Lock()
		emptied := h.desk.close()
		h.mu.Unlock()
		if err := h.owner.drain(ctx); err != nil {
			return err
		}
		select {
		case <-emptied:
		case <-ctx.Done():
			return fmt.Errorf("still running: %s: %w", h.names(), context.Cause(ctx))
		}
	}
	h.owner.shut()
	return h.shutDoor(ctx)
}

// isIdle says whether nothing is here, and nothing that this node submitted is under way: what is here may submit.
func (h *host) isIdle() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.desk.held == 0 && h.owner.underway.Left() == 0
}

// shutDoor ends the node's own subject. What has come is answered first; the owner of what comes later is told that nobody is here.
func (h *host) shutDoor(ctx context.Context) (err error) {
	h.leaving.Do(func() {
		h.own.SetClosedHandler(func(string) { h.last.Do(func() { h.mail <- nil }) }) // nats.go may call it again when the connection closes
		err = h.own.Drain()
	})
	if err != nil {
		return fmt.Errorf("leaving %s: %w", h.own.Subject, err)
	}
	select {
	case <-h.shut:
		return h.sayLeft(ctx)
	case <-h.group.Context().Done(): // closed meanwhile
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// sayLeft tells all owners that everything is answered, once it is.
func (h *host) sayLeft(ctx context.Context) error {
	for {
		h.mu.Lock()
		again := h.desk.sayLeft()
		h.mu.Unlock()
		if again == nil {
			return h.node.Conn.Flush(ctx)
		}
		select {
		case <-again:
		case <-ctx.Done():
			return fmt.Errorf("still running: %s: %w", h.names(), context.Cause(ctx))
		}
	}
}

// leave leaves queue groups when what has come through them was handled.
func leave(doors []*bus.Subscription) error {
	for _, sub := range doors {
		if err := sub.Drain(); err != nil {
			return fmt.Errorf("leaving the queue group of %s: %w", sub.Subject, err)
		}
	}
	return nil
}

// names lists the functions that run here.
func (h *host) names() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var names []string
	for _, g := range h.desk.guests {
		if g.running > 0 {
			names = append(names, fmt.Sprintf("%d × %s", g.running, g.function))
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// close cancels what runs and waits for it; the error names what does not end.
func (h *host) close() error {
	h.mu.Lock()
	h.desk.close()
	h.mu.Unlock()
	for _, sub := range append(slices.Clone(h.doors), h.own) {
		_ = sub.Unsubscribe() // its one error is that there is none: it was drained, the connection is closed, or it could not be made
	}
	if h.plain != nil {
		h.plain.close()
	}
	h.breath.close()
	h.group.Stop(bus.ErrClosed)
	if !h.group.WaitFor(member.UserGrace) {
		return fmt.Errorf("still running although their ctx has ended: %s", h.names())
	}
	return nil
}
