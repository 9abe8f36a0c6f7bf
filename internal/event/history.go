package event

import (
	"context"
	"time"

	"manta/bus"
)

// History is what the stream of events tells, and what is added to that.
type History struct {
	tasks   facts[Task, *Task]
	actors  facts[Actor, *Actor]
	objects facts[Object, *Object]
	nodes   facts[Node, *Node]

	LeftOut int64 // tasks of which nothing is told
	Garbage int   // messages that cannot be read
	Cut     bool  // there was more than mostRead things of a kind: the oldest are told
}

// mostRead bounds the things of a kind that are read: 200,000 tasks take some 100 MB.
const mostRead = 200_000

// Read returns what was told of some kinds since a moment, nothing if nobody has told anything yet.
func Read(ctx context.Context, conn *bus.Conn, since time.Time, kinds ...Kind) (*History, error) {
	h := &History{}
	journal, err := conn.FindJournal(ctx, conn.Events())
	if journal == nil {
		return h, err
	}
	subjects := make([]string, len(kinds))
	for i, kind := range kinds {
		subjects[i] = conn.Event(string(kind), "*")
	}
	for msg, err := range journal.Read(ctx, since, subjects...) {
		if err != nil {
			return nil, err
		}
		h.read(msg.Data)
	}
	return h, nil
}

func (h *History) read(data []byte) {
	b, err := ReadBatch(data)
	if err != nil {
		h.Garbage++
		return
	}
	h.LeftOut += b.LeftOut
	h.Add(&b)
}

// Add adds facts to the history.
func (h *History) Add(b *Batch) {
	ok := merged(&h.tasks, b.Tasks)
	ok = merged(&h.actors, b.Actors) && ok
	ok = merged(&h.objects, b.Objects) && ok
	ok = merged(&h.nodes, b.Nodes) && ok
	h.Cut = h.Cut || !ok
}

func merged[T any, F fact[T]](to *facts[T, F], all []F) bool {
	ok := true
	for _, f := range all {
		if f != nil {
			ok = to.add(f, mostRead) && ok
		}
	}
	return ok
}

// Tasks returns an attempt each, in the order in which they were first spoken of. So do the others.
func (h *History) Tasks() []*Task { return h.tasks.order }

// Actors returns an epoch each.
func (h *History) Actors() []*Actor { return h.actors.order }

// Objects returns the objects.
func (h *History) Objects() []*Object { return h.objects.order }

// Nodes returns the nodes.
func (h *History) Nodes() []*Node { return h.nodes.order }
