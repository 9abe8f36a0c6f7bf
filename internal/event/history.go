package event

import (
	"context"
	"time"

	"manta/bus"
)

// History is what the stream of events tells.
type History struct {
	Tasks   []*Task // an attempt each, in the order in which they were first spoken of; so are the others
	Actors  []*Actor
	Objects []*Object
	Nodes   []*Node

	LeftOut int64 // tasks of which nothing is told
	Garbage int   // messages that cannot be read
	Cut     bool  // there was more than mostRead things of a kind: the oldest are told
}

// mostRead bounds the things of a kind that are read: 200,000 tasks take some 100 MB.
const mostRead = 200_000

// Read returns what was told of some kinds since a moment, nothing if nobody has told anything yet.
func Read(ctx context.Context, conn *bus.Conn, since time.Time, kinds ...Kind) (*History, error) {
	var r reader
	journal, err := conn.FindJournal(ctx, conn.Events())
	if journal == nil {
		return &r.History, err
	}
	subjects := make([]string, len(kinds))
	for i, kind := range kinds {
		subjects[i] = conn.Event(string(kind), "*")
	}
	for msg, err := range journal.Read(ctx, since, false, subjects...) {
		if err != nil {
			return nil, err
		}
		r.read(msg.Data)
	}
	return r.end(), nil
}

// reader merges messages.
type reader struct {
	History
	tasks   facts[Task, *Task]
	actors  facts[Actor, *Actor]
	objects facts[Object, *Object]
	nodes   facts[Node, *Node]
}

func (r *reader) read(data []byte) {
	b, err := readBatch(data)
	if err != nil {
		r.Garbage++
		return
	}
	r.LeftOut += b.LeftOut
	ok := merged(&r.tasks, b.Tasks)
	ok = merged(&r.actors, b.Actors) && ok
	ok = merged(&r.objects, b.Objects) && ok
	ok = merged(&r.nodes, b.Nodes) && ok
	r.Cut = r.Cut || !ok
}

func merged[T any, F fact[T]](to *facts[T, F], all []F) bool {
	ok := true
	for _, f := range all {
		if f != nil {
			ok = to.add(*f, mostRead) && ok
		}
	}
	return ok
}

func (r *reader) end() *History {
	r.Tasks, r.Actors, r.Objects, r.Nodes = r.tasks.take(), r.actors.take(), r.objects.take(), r.nodes.take()
	return &r.History
}
