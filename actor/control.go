package actor

import (
	"context"
	"errors"
	"time"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// controlTimeout is how long a stop or kill may go unanswered before it is said again.
const controlTimeout = 2 * time.Second

// control sends a word to an actor's cell and waits until it has been obeyed. An actor that is dead has obeyed.
func (cs *callers) control(ctx context.Context, h *handle, word string) error {
	if h.err != nil {
		return h.err
	}
	c := h.at(cs)
	if err := cs.awaitMade(ctx, c, word); err != nil {
		return err
	}
	for made := time.Now(); ; {
		cs.sendWaiting(c)
		err := cs.controlOnce(ctx, h, word)
		ended := err == nil
		if errors.Is(err, bus.ErrNoResponders) {
			known := c.made != nil || cs.buried(c)
			unborn := !known && cs.unborn(ctx, h, word)
			if unborn {
				made = time.Now()
			}
			ended, err = known || !unborn && time.Since(made) > interestSpreads, nil
			switch {
			case ended && c.lasting:
				ended, err = cs.endSought(ctx, h, word)
			case ended:
				ended = !cs.cutOff(ctx, c)
			}
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case ended && err == nil:
			cs.mu.Lock()
			defer cs.unlock()
			cs.doubt(c)
			return nil
		case err == nil, errors.Is(err, bus.ErrChanged):
			member.Pause(ctx, seekLast)
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

func (cs *callers) buried(c *caller) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return c.state == dead
}

// unborn asks the creator of an actor that has no mailbox whether it may still be made. With a kill it is not any more, unless a node has
// already accepted it.
func (cs *callers) unborn(ctx context.Context, h *handle, word string) bool {
	birth := h.born()
	if birth == (objstore.ID{}) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	msg, err := cs.node.Conn.Request(ctx, cs.node.Conn.NodeActors(birth.Owner().String()), append(birth[:], word...))
	if err != nil {
		return !errors.Is(err, bus.ErrNoResponders)
	}
	p, err := call.ReadReply(msg.Data)
	return err == nil && p.Status == call.Busy
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

// awaitStarted waits until an actor that this node asked for has started, and returns why it has not. Nobody is told of that, so it asks again and
// again.
func (cs *callers) awaitStarted(ctx context.Context, h *handle) error {
	c := h.at(cs)
	err := cs.awaitMade(ctx, c, "")
	for pause := pingFirst; err == nil; pause = min(2*pause, pingLast) {
		cs.mu.Lock()
		ended, lives := c.state == dead, c.state == alive
		started := lives && !c.starting
		if lives && !started {
			cs.doubt(c)
		}
		cs.unlock()
		switch {
		case ended:
			return c.err // does not change any more
		case started:
			return nil
		}
		member.Pause(ctx, pause)
		err = context.Cause(ctx)
	}
	return err
}

// giveUp has an actor that no host has accepted yet not made, and waits until that is known.
func (cs *callers) giveUp(ctx context.Context, h *handle) {
	if h.err == nil {
		_ = cs.awaitMade(ctx, h.at(cs), controlKill) // what it is, nobody asks any more
	}
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
