package actor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"manta/internal/member"
	"manta/objstore"
	"manta/task"
)

// crew is a Pool without its type parameters: who is in it, and what is to be done.
type crew struct {
	mu        sync.Mutex
	members   map[*handle]bool
	idle      []*handle     // of the members, the one that is free for the longest first
	queue     []*submission // that wait for a member, in order, and some that were dropped
	pumping   bool          // somebody gives out what waits
	submitted batch         // by Submit
}

// submission is one call that is to be made, under way or done.
//
//	queued ─► under way ─► done ⇄ claimed ─► taken
//	   └─── its ctx ends ───┘
type submission struct {
	ctx    context.Context
	batch  *batch
	call   func(*handle) *objstore.Object
	unhear func() bool // ends what waits for the end of ctx while it is queued

	begun          bool
	done           bool
	object         *objstore.Object // of the result, once it is done
	claimed, taken bool             // somebody reads the result, has read it
}

// batch is submissions whose results are taken together.
type batch struct {
	left    int           // not taken
	order   []*submission // in the order in which they were made, and some that are taken
	came    []*submission // those that are done, as they were, and some that are taken
	changed chan struct{} // closed when there may be something to take, or nothing more
}

func newCrew() *crew { return &crew{members: make(map[*handle]bool), submitted: newBatch()} }

func newBatch() batch { return batch{changed: make(chan struct{})} }

// errNoActors is the outcome of submissions to a pool without actors.
var errNoActors = fmt.Errorf("the pool has no actors, Push one first: %w", ErrDead)

func (c *crew) push(h *handle) bool {
	c.mu.Lock()
	known := c.members[h]
	if !known {
		c.members[h] = true
		c.idle = append(c.idle, h)
	}
	c.mu.Unlock()
	c.pump()
	return !known
}

func (c *crew) pop() *handle {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.idle) == 0 || len(c.queue) > 0 {
		return nil
	}
	h := c.idle[0]
	c.idle = slices.Delete(c.idle, 0, 1)
	delete(c.members, h)
	return h
}

func (c *crew) free() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.idle) > len(c.queue)
}

func (c *crew) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.members)
}

func (c *crew) left(b *batch) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return b.left
}

func (c *crew) submit(ctx context.Context, b *batch, call func(*handle) *objstore.Object) {
	s := &submission{ctx: ctx, batch: b, call: call}
	c.mu.Lock()
	b.left++
	b.order = append(b.order, s)
	c.queue = append(c.queue, s)
	if len(c.queue) > len(c.idle) {
		s.unhear = context.AfterFunc(ctx, func() { c.drop(s) })
	}
	c.mu.Unlock()
	c.pump()
}

// drop ends a submission whose ctx has ended before there was a member for it.
func (c *crew) drop(s *submission) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !s.begun {
		c.end(s, s.tooLate())
	}
}

// tooLate is the outcome of a submission whose ctx has ended before it had a member.
func (s *submission) tooLate() *objstore.Object {
	return objstore.FailedObject(fmt.Errorf("no actor of the pool was free: %w", context.Cause(s.ctx)))
}

// pump gives what waits to members that are free. One goroutine does it at a time: a call may end before it is known to have begun.
func (c *crew) pump() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pumping {
		return
	}
	c.pumping = true
	for len(c.queue) > 0 && (len(c.idle) > 0 || len(c.members) == 0) {
		s := c.queue[0]
		c.queue[0] = nil
		c.queue = c.queue[1:]
		if s.done {
			continue
		}
		if s.begun = true; s.unhear != nil {
			s.unhear()
		}
		switch {
		case s.ctx.Err() != nil: // a member is free because the calls before have the same ctx
			c.end(s, s.tooLate())
			continue
		case len(c.members) == 0:
			c.end(s, objstore.FailedObject(errNoActors))
			continue
		}
		h := c.idle[0]
		c.idle = slices.Delete(c.idle, 0, 1)
		c.mu.Unlock()
		c.begin(s, h)
		c.mu.Lock()
	}
	c.pumping = false
}

// begin makes the call of a submission.
func (c *crew) begin(s *submission, h *handle) {
	object := s.call(h)
	scope, err := member.FromContext(s.ctx)
	if err != nil { // so the call has failed
		c.ended(s, h, object, false)
		return
	}
	objstore.StoreOf(scope.Node).When(object, func(out objstore.Outcome) {
		c.ended(s, h, object, out.Err != nil && gone(scope.Node, h, out.Err))
	})
}

// ended notes that a member is free again, or gone, and its call done.
func (c *crew) ended(s *submission, h *handle, object *objstore.Object, gone bool) {
	c.mu.Lock()
	switch {
	case s.done: // it was lost and computed again
	case gone:
		delete(c.members, h)
		c.end(s, object)
	default:
		c.idle = append(c.idle, h)
		c.end(s, object)
	}
	c.mu.Unlock()
	c.pump()
}

// gone says whether an error means that the actor itself is dead: not one that its method returned, of another actor.
func gone(node *member.Node, h *handle, err error) bool {
	if _, said := errors.AsType[*task.Error](err); said {
		return false
	}
	return h.err != nil || errors.Is(err, ErrDead) || part.Of(node).callers.knowsDead(h)
}

// knowsDead says whether this node takes the actor for dead.
func (cs *callers) knowsDead(h *handle) bool {
	c := h.at(cs)
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return c.state == dead
}

// end makes a submission's result one that can be taken.
func (c *crew) end(s *submission, object *objstore.Object) {
	s.object, s.done = object, true
	s.batch.came = append(s.batch.came, s)
	s.batch.wake()
}

func (b *batch) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// oldest returns the first submission that is not taken or being taken, if it is done.
func (b *batch) oldest() *submission {
	i := slices.IndexFunc(b.order, func(s *submission) bool { return !s.claimed && !s.taken })
	if i < 0 || !b.order[i].done {
		return nil
	}
	return b.order[i]
}

// earliest returns the submission that was done first and is not taken or being taken.
func (b *batch) earliest() *submission {
	i := slices.IndexFunc(b.came, func(s *submission) bool { return !s.claimed && !s.taken })
	if i < 0 {
		return nil
	}
	return b.came[i]
}

// trim leaves out the submissions at the front that are taken.
func trim(list []*submission) []*submission {
	for len(list) > 0 && list[0].taken {
		list[0] = nil
		list = list[1:]
	}
	return list
}

// claim waits for a submission that is done, and lends what the task around it has of its node meanwhile.
func (c *crew) claim(ctx context.Context, b *batch, pick func(*batch) *submission) (*submission, error) {
	scope, err := member.FromContext(ctx)
	if err != nil {
		return nil, err
	}
	for {
		c.mu.Lock()
		s, left, changed := pick(b), b.left, b.changed
		if s != nil {
			s.claimed = true
		}
		c.mu.Unlock()
		switch {
		case s != nil:
			return s, nil
		case left == 0:
			return nil, ErrNoResult
		}
		if err := scope.Await(ctx, changed); err != nil {
			return nil, err
		}
	}
}

// unclaim notes that a submission's result was taken, or is to be taken by another.
func (c *crew) unclaim(b *batch, s *submission, taken bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.claimed, s.taken = false, taken
	if taken {
		b.left--
		s.object, s.call = nil, nil
		b.order, b.came = trim(b.order), trim(b.came)
	}
	b.wake()
}
