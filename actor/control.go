package actor

import (
	"context"
	"errors"
	"time"

	"manta/bus"
	"manta/internal/member"
)

// controlTimeout is how long a stop or kill may go unanswered before it is said again.
const controlTimeout = 2 * time.Second

// control sends a word to an actor's cell and waits until it has been obeyed. An actor that is dead has obeyed.
func (cs *callers) control(ctx context.Context, h *handle, word string) error {
	if h.err != nil {
		return h.err
	}
	c := h.at(cs, member.ID{})
	if err := cs.awaitMade(ctx, c, word); err != nil {
		return err
	}
	for {
		cs.sendWaiting(c)
		err := cs.controlOnce(ctx, h, word)
		if errors.Is(err, bus.ErrNoResponders) && c.lasting {
			ended, failure := cs.endSought(ctx, h, word)
			if !ended || errors.Is(failure, bus.ErrChanged) {
				member.Pause(ctx, seekLast)
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				continue
			}
			if failure != nil {
				return failure
			}
		}
		switch {
		case err == nil, errors.Is(err, bus.ErrNoResponders):
			cs.mu.Lock()
			defer cs.unlock()
			cs.doubt(c)
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !errors.Is(err, context.DeadlineExceeded):
			return err
		}
	}
}

// sendWaiting sends what waits for the sender: a word comes behind the calls that were made before it.
func (cs *callers) sendWaiting(c *caller) {
	cs.mu.Lock()
	defer cs.unlock()
	cs.pumpAll(c)
}

// controlOnce asks with a bound of its own, so that a cell that is gone is noticed; a word can be said twice. The word is for
// the actor that the handle names, not for another that has its name since.
func (cs *callers) controlOnce(ctx context.Context, h *handle, word string) error {
	ctx, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	birth := h.born()
	_, err := cs.node.Conn.Request(ctx, cs.node.Conn.Actor(h.id, word), birth[:])
	return err
}

// awaitMade waits until a creation that is under way has come to an end, and returns its error. A kill brings it to an end.
func (cs *callers) awaitMade(ctx context.Context, c *caller, word string) error {
	if c.made == nil {
		return nil
	}
	if word == controlKill {
		cs.mu.Lock()
		c.unwanted = true
		cs.mu.Unlock()
	}
	select {
	case <-c.made:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if c.unmade {
		return c.err
	}
	return nil
}
