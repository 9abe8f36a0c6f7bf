package actor

import (
	"context"
	"fmt"
	"time"

	"manta/internal/member"
	"manta/objstore"
)

const (
	// The pause between looks at a record, which doubles up to the longest: a short one as long as an actor usually takes to come back.
	seekFirst   = 10 * time.Millisecond
	seekLast    = 100 * time.Millisecond
	seekForLong = time.Second
	// seekShare is how much longer the pause is for each other actor that is sought: all of them together look 2,000 times a second.
	seekShare = 500 * time.Microsecond
	// usuallyBack is how long an actor that is made again is gone if nothing is short.
	usuallyBack = 10 * time.Second
	// answersArrive is how long after the word that a node is gone its last answers may come, by another way.
	answersArrive = 500 * time.Millisecond
	// recordReturns is how long an actor may have no record after a server has lost the bucket.
	recordReturns = 3 * time.Second
)

// seek looks in the directory for an actor that has moved, or whose node is lost. Nothing is sent until it is found in a later epoch.
func (cs *callers) seek(c *caller) {
	if c.state == sought || c.state == dead {
		return
	}
	c.state, c.pinging, c.starting, c.pause, c.cell = sought, false, false, 0, nil
	c.searches++
	search := c.searches
	again := c.sighted != 0 // it is still where it moves from: what runs there has not ended
	cs.waiting[c.number] = c
	cs.group.Go(func(ctx context.Context) {
		cs.seeking.Add(1)
		defer cs.seeking.Add(-1)
		if again {
			member.Pause(ctx, seekLast)
		}
		begun := time.Now()
		settled := false
		for pause := seekFirst; ; pause = min(2*pause, seekLast) {
			rec, err := cs.directory.look(ctx, c.id)
			missing := rec.State == "" && time.Since(begun) < recordReturns
			if err == nil && !missing && cs.sight(c, search, rec) || ctx.Err() != nil {
				return
			}
			if !settled && time.Since(begun) > answersArrive {
				settled = cs.despair(c, search)
			}
			if time.Since(begun) > usuallyBack {
				pause = seekForLong
			}
			member.Pause(ctx, max(pause, time.Duration(cs.seeking.Load())*seekShare))
		}
	})
}

// sight handles what the directory says of an actor that is sought, and returns true once the search is over.
func (cs *callers) sight(c *caller, search int, rec record) bool {
	there := cs.node.Members.Alive(rec.Node) // not under mu: the table of nodes holds its own while it tells of who left
	cs.mu.Lock()
	defer cs.unlock()
	switch {
	case c.state != sought || c.searches != search:
		return true
	case rec.ended() || c.birth != (objstore.ID{}) && c.birth != rec.Birth:
		died := nobody(c)
		if rec.Cause != "" && rec.Birth == c.birth {
			died = fmt.Errorf("actor %s: %w: %s", c.id, ErrDead, rec.Cause)
		}
		cs.bury(c, died, unavailable(c, "it has ended"))
		return true
	case rec.State == recordRestarting || !there:
		return false
	}
	c.epoch = min(c.epoch, rec.Epoch) // there is no later one, whatever was said in its name
	c.node, c.sighted, c.state, c.since = rec.Node, rec.Epoch, pending, time.Now()
	cs.ping(c)
	return true
}

// despair settles what was sent to a node that is gone, before the actor is found again.
func (cs *callers) despair(c *caller, search int) (settled bool) {
	cs.mu.Lock()
	host := c.node
	cs.mu.Unlock()
	if cs.node.Members.Alive(host) {
		return false
	}
	cs.mu.Lock()
	defer cs.unlock()
	if c.state != sought || c.searches != search {
		return false
	}
	cs.settle(c, unavailable(c, fmt.Sprintf("its node %s is gone", c.node)))
	return true
}

// endSought ends an actor that has no cell at the moment, because it is being made again. It returns false if that is still to be seen.
func (cs *callers) endSought(ctx context.Context, h *handle, word string) (ended bool, err error) {
	rec, err := cs.directory.look(ctx, h.id)
	birth := h.born()
	if err != nil || rec.ended() || birth != (objstore.ID{}) && birth != rec.Birth {
		return true, err
	}
	there, err := cs.node.Members.There(ctx, rec.Node)
	if err != nil || word == controlStop || there && rec.State != recordRestarting {
		return false, err
	}
	return true, cs.directory.end(ctx, h.id, rec, "it was killed")
}
