package actor

import (
	"context"
	"errors"
	"fmt"
	"reflect"
)

// selfKey is the key under which the ctx of an actor's method carries its cell.
type selfKey struct{}

// ErrNoActor is returned by Self and Exit of a ctx that no actor's method got.
var ErrNoActor = errors.New("the ctx is not one of an actor's method")

// Self returns the handle of the actor whose method got ctx. A sequential actor must not wait for a call of itself: that would run after the
// one which waits.
func Self[T any](ctx context.Context) (Ref[T], error) {
	c, ok := ctx.Value(selfKey{}).(*cell)
	if !ok {
		return Ref[T]{}, ErrNoActor
	}
	if t := reflect.TypeFor[T](); c.class.typ != t {
		return Ref[T]{}, fmt.Errorf("actor %s of class %s is a %s, not a %s", c.id, c.class.name, c.class.typ, t)
	}
	h := known(c.class, c.id, c.birth(), c.detached)
	if err := h.hold(ctx, c.host.node); err != nil {
		return Ref[T]{}, err
	}
	return Ref[T]{h}, nil
}

// Exit ends the actor whose method got ctx: what runs finishes, this method too, calls that wait and later ones fail with ErrDead, and its Close
// runs last.
func Exit(ctx context.Context) error {
	c, ok := ctx.Value(selfKey{}).(*cell)
	if !ok {
		return ErrNoActor
	}
	c.exit()
	return nil
}

// exit ends the cell once what runs has returned.
func (c *cell) exit() {
	c.mu.Lock()
	defer c.unlock()
	if c.phase == ended {
		return
	}
	c.phase = stopping
	for i := range c.lines {
		for _, v := range c.discard(&c.lines[i]) {
			if !v.answered && v.chore == nil {
				c.drop(v, fmt.Errorf("actor %s: %w: it has exited", c.id, ErrDead))
			}
		}
	}
	c.flush()
}
