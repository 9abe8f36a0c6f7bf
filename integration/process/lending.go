package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"manta/actor"
	"manta/integration/process/line"
	"manta/node"
	"manta/task"
)

// A guest says when it comes and goes.
type guest struct{ Tag string }

func (g *guest) Start(context.Context) error {
	here.say(line.Event{Event: line.Start, Tag: g.Tag})
	return nil
}

func (g *guest) Close() error {
	here.say(line.Event{Event: line.End, Tag: g.Tag})
	return nil
}

// Where returns the id of the guest's node.
func (g *guest) Where(context.Context) (string, error) { return here.node, nil }

var guests = actor.Define[guest]("guest")

// kept are the handles that a process was given to keep.
var kept struct {
	sync.Mutex
	guests []actor.Ref[guest]
}

var keepGuest = task.Define("keep_guest", func(_ context.Context, r actor.Ref[guest]) (bool, error) {
	kept.Lock()
	defer kept.Unlock()
	kept.guests = append(kept.guests, r)
	return true, nil
})

func forgetGuests() {
	kept.Lock()
	defer kept.Unlock()
	kept.guests = nil
}

// lend makes a guest, has another node than the guest's keep its handle, and forgets its own. It says which node that is.
func lend(ctx context.Context, c line.Command) {
	keeper, err := lendGuest(ctx, c.Tag)
	runtime.GC()
	here.say(line.Event{Event: line.Done, Tag: c.Tag, Keeper: keeper, Error: text(err)})
}

//go:noinline
func lendGuest(ctx context.Context, tag string) (keeper string, err error) {
	r := guests.New(ctx, guest{Tag: tag})
	home, err := actor.Method0(r, (*guest).Where).Call(ctx)
	if err != nil {
		return "", err
	}
	members, err := node.Members(ctx)
	if err != nil {
		return "", err
	}
	for _, m := range members {
		if m.ID != home && len(m.Functions) > 0 {
			_, err := keepGuest.With(task.OnNode(m.ID, task.Hard)).Call(ctx, r)
			return m.ID, err
		}
	}
	return "", fmt.Errorf("there is no node beside %s", home)
}
