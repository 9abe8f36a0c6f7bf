package main

import (
	"context"
	"fmt"
	"sync"

	"manta/actor"
	"manta/integration/process/line"
	"manta/objstore"
	"manta/task"
)

// fleets are the calls of the actors that this process has made many of, by tag.
var fleets sync.Map // tag → []task.Func0[counted]

// fleet makes c.Count actors that are made again when their node is lost, and has each count once.
func fleet(ctx context.Context, c line.Command) {
	var calls []task.Func0[counted]
	for n := range c.Count {
		r := tallies.New(ctx, tally{Tag: fmt.Sprintf("%s %d", c.Tag, n), Quiet: true})
		calls = append(calls, actor.Method0(r, (*tally).Count).With(task.Retries(1)))
	}
	fleets.Store(c.Tag, calls)
	muster(ctx, c)
}

// muster has each actor of a fleet count once more, all at once, and says the results and when it has them.
func muster(ctx context.Context, c line.Command) {
	calls, _ := fleets.Load(c.Tag)
	var refs []objstore.Ref[counted]
	for _, call := range calls.([]task.Func0[counted]) {
		refs = append(refs, call.Go(ctx))
	}
	done := line.Event{Event: line.Done, Tag: c.Tag}
	for n, ref := range refs {
		r, err := ref.Get(ctx)
		if err != nil {
			done.Failed++
		} else {
			done.OK++
		}
		here.say(line.Event{Event: line.Result, Tag: c.Tag, N: n, Value: r.N, Epoch: r.Epoch, Error: text(err), Code: code(err)})
	}
	here.say(done)
}
