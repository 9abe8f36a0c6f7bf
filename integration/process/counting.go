package main

import (
	"context"

	"manta/actor"
	"manta/integration/process/line"
	"manta/task"
)

// A tally counts the calls of its life, and says each of them, or only the first if it is quiet.
type tally struct {
	Tag   string
	Quiet bool

	n int
}

// counted is what a tally answers.
type counted struct {
	N     int
	Epoch uint64
}

func (t *tally) Count(ctx context.Context) (counted, error) {
	t.n++
	c := counted{t.n, actor.Epoch(ctx)}
	if !t.Quiet || c.N == 1 {
		here.say(line.Event{Event: line.Start, Tag: t.Tag, N: c.N, Epoch: c.Epoch})
	}
	return c, nil
}

var tallies = actor.Define[tally]("tally", actor.Restarts(-1))

// keepCounting makes a tally and has it count, one call after the other and a pause of c.Micros after each, until it is told that it is enough. It says the result of each call.
func keepCounting(ctx context.Context, c line.Command) {
	call := actor.Method0(tallies.New(ctx, tally{Tag: c.Tag}), (*tally).Count)
	if c.Retries != nil {
		call = call.With(task.Retries(*c.Retries))
	}
	done := line.Event{Event: line.Done, Tag: c.Tag}
	for {
		select {
		case <-enoughOf(c.Tag):
			here.say(done)
			return
		default:
		}
		r, err := call.Call(ctx)
		if err != nil {
			done.Failed++
		} else {
			done.OK++
		}
		_ = pause(ctx, job{Micros: c.Micros}) // if ctx ends, the next call says so
		here.say(line.Event{Event: line.Result, Tag: c.Tag, N: r.N, Epoch: r.Epoch, Error: text(err), Code: code(err)})
	}
}
