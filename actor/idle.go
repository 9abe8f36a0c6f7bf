package actor

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"manta/bus"
)

// IdleAfter has an actor's state kept and its instance let go when it had no call for d; Close runs. The next call, from wherever it comes,
// makes an instance of the start value again, runs Start and restores the state. The actor stays where it is, with its mailbox, its name and its
// resources. It must be a [Snapshotter]. If its state cannot be kept it stays awake. One that is to sleep while nobody has a handle must be [Detached].
func IdleAfter(d time.Duration) ClassOption {
	return func(c *class) error {
		if d <= 0 {
			return fmt.Errorf("idle after %v: want more than 0", d)
		}
		c.idleAfter = d
		return nil
	}
}

// rest begins the time after which the actor counts as idle, once nothing runs and nothing waits. c.mu is held.
func (c *cell) rest() {
	if c.class.idleAfter == 0 || c.phase != serving || c.asleep {
		return
	}
	if c.idle == nil {
		c.idle = time.AfterFunc(c.class.idleAfter, c.tire)
	} else {
		c.idle.Reset(c.class.idleAfter)
	}
}

// tire puts the end of the instance into the queue, if the actor is idle.
func (c *cell) tire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == serving && !c.asleep && !slices.ContainsFunc(c.lines, line.busy) {
		c.enqueue(&visit{chore: c.sleep})
	}
}

// sleep keeps the state and lets the instance go, unless a method runs.
func (c *cell) sleep(ctx context.Context) {
	if !c.awake.TryLock() {
		return
	}
	defer c.awake.Unlock()
	if c.asleep || !c.save(ctx, func(rec *record) { rec.State = recordPassive }) {
		return
	}
	if c.state.Acquire(ctx, wholeState) != nil {
		return
	}
	defer c.state.Release(wholeState)
	c.close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asleep, c.instance = true, reflect.Value{}
}

// wake returns when there is an instance, which stays until release is called. It takes long only if there is none.
func (c *cell) wake(ctx context.Context) (release func(), err error) {
	for {
		c.awake.RLock()
		if !c.asleep {
			return c.awake.RUnlock, nil
		}
		c.awake.RUnlock()
		if err := c.revive(ctx); err != nil {
			return nil, err
		}
	}
}

// revive makes an instance with the state that was kept.
func (c *cell) revive(ctx context.Context) error {
	c.awake.Lock()
	defer c.awake.Unlock()
	if !c.asleep {
		return nil
	}
	instance := reflect.New(c.class.typ)
	args, err := c.creation.Args.List()
	if err == nil {
		err = bus.DecodeTo(args[argStart].Value, instance)
	}
	if err != nil {
		return err
	}
	c.instance = instance
	if err := c.begun(ctx); err != nil {
		c.instance = reflect.Value{}
		return fmt.Errorf("actor %s of class %s did not wake: %w", c.id, c.class.name, err)
	}
	if c.state.Acquire(ctx, wholeState) != nil {
		return context.Cause(ctx)
	}
	c.mu.Lock()
	c.asleep = false
	c.mu.Unlock()
	c.state.Release(wholeState)
	c.group.Go(c.announce)
	return nil
}

// begun runs Start and restores the last state.
func (c *cell) begun(ctx context.Context) error {
	ctx = c.context(ctx)
	if err := c.start(ctx); err != nil {
		return err
	}
	return c.restore(ctx)
}
