package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"manta/actor"
	"manta/task"
)

// A counter is an actor with a state.
type counter struct {
	From int // where it starts

	n int
}

func (c *counter) Start(context.Context) error {
	if c.From < 0 {
		return fmt.Errorf("cannot count from %d", c.From)
	}
	c.n = c.From
	return nil
}

func (c *counter) Add(_ context.Context, by int) (int, error) {
	c.n += by
	return c.n, nil
}

// AddTimes adds a number several times.
func (c *counter) AddTimes(ctx context.Context, by, times int) (int, error) {
	return c.Add(ctx, by*times)
}

func (c *counter) Value(context.Context) (int, error) { return c.n, nil }

// Wait holds up the calls behind it.
func (c *counter) Wait(ctx context.Context, seconds float64) (int, error) {
	return c.n, wait(ctx, seconds)
}

var counters = actor.Define[counter]("counter")

// Functions that are given a handle of an actor, and give one.
func init() {
	task.Define("value", func(ctx context.Context, of actor.Ref[counter]) (int, error) {
		return actor.Method0(of, (*counter).Value).Call(ctx)
	})
	task.Define("open", func(ctx context.Context, from int) (actor.Ref[counter], error) {
		c := counters.New(ctx, counter{From: from})
		_, err := actor.Method0(c, (*counter).Value).Call(ctx) // it has started
		return c, err
	})
}

// A cart is let go while nobody calls it, and is as it was when somebody does.
type cart struct{ items []string }

func (c *cart) Put(_ context.Context, item string) ([]string, error) {
	c.items = append(c.items, item)
	return c.items, nil
}

func (c *cart) Snapshot(context.Context) ([]byte, error) { return json.Marshal(c.items) }

func (c *cart) Restore(_ context.Context, state []byte) error { return json.Unmarshal(state, &c.items) }

var _ = actor.Define[cart]("cart", actor.IdleAfter(50*time.Millisecond), actor.Restarts(-1))
