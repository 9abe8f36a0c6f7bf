package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"manta/bus"
	"manta/internal/event"
	"manta/internal/member"
)

const (
	// answerTimeout is how long a node may take to say what it has.
	answerTimeout = 2 * time.Second
	// askedAtOnce is how many nodes are asked at a time.
	askedAtOnce = 64
	// everything is as far back as any stream of events goes.
	everything = 100 * 365 * 24 * time.Hour
)

// picture is what is known of a cluster: what nodes told in the stream of events, and what those that are there say of this moment.
type picture struct {
	*event.History
	groups  []*event.Group
	members map[string]member.Info // that are there, by id
	names   map[string]string      // of all nodes that are known, by id
	ended   map[string]time.Time   // of those that were there and told
	missing []Missing
}

// kindOf is a kind of things that can be listed.
type kindOf[T any] struct {
	kind event.Kind
	of   func(*picture) []T // in the order of the list
}

var (
	nodesOf   = kindOf[NodeState]{event.Nodes, nodeStates}
	tasksOf   = kindOf[TaskState]{event.Tasks, taskStates}
	actorsOf  = kindOf[ActorState]{event.Actors, actorStates}
	objectsOf = kindOf[ObjectState]{event.Objects, objectStates}
	groupsOf  = kindOf[GroupState]{event.Groups, groupStates}
)

// list answers a query.
func list[T any](ctx context.Context, q Query, k kindOf[T]) (l List[T], err error) {
	if err := q.validate(); err != nil {
		return l, err
	}
	q = q.withDefaults()
	p, err := look(ctx, k.kind, time.Now().Add(-q.Since))
	if err != nil {
		return l, err
	}
	l.LeftOut, l.Missing = p.LeftOut, p.missing
	l.Items, l.Total, err = choose(k.of(p), q)
	return l, err
}

// look looks at a kind of things.
func look(ctx context.Context, kind event.Kind, since time.Time) (*picture, error) {
	scope, err := member.Unconfined(ctx)
	if err != nil {
		return nil, err
	}
	self := scope.Node
	p := &picture{members: make(map[string]member.Info), names: make(map[string]string), ended: make(map[string]time.Time)}
	for _, m := range self.Members.All() {
		p.members[m.ID.String()] = m
	}
	told := []event.Kind{event.Nodes}
	if kind != event.Nodes && kind != event.Groups {
		told = append(told, kind)
	}
	if p.History, err = event.Read(ctx, self.Conn, since, told...); err != nil {
		return nil, err
	}
	p.askAll(ctx, self, kind)
	for _, n := range p.Nodes() {
		p.names[n.ID], p.ended[n.ID] = n.Name, n.Ended.Time()
	}
	for id, m := range p.members {
		p.names[id] = m.Name
	}
	for i, m := range p.missing {
		p.missing[i].NodeName = p.names[m.Node]
	}
	if p.Cut {
		p.missing = append(p.missing, Missing{Reason: "the stream of events has more than is read at once: ask for less with Since"})
	}
	return p, nil
}

// askAll asks every node that is there what it has.
func (p *picture) askAll(ctx context.Context, self *member.Node, kind event.Kind) {
	var (
		mu     sync.Mutex
		asking sync.WaitGroup
		room   = make(chan struct{}, askedAtOnce)
	)
	for id := range p.members {
		room <- struct{}{}
		asking.Go(func() {
			defer func() { <-room }()
			b, err := ask(ctx, self, id, kind)
			mu.Lock()
			defer mu.Unlock()
			p.add(id, b, err)
		})
	}
	asking.Wait()
	slices.SortFunc(p.missing, func(a, b Missing) int { return strings.Compare(a.Node, b.Node) })
}

// ask asks one node.
func ask(ctx context.Context, self *member.Node, id string, kind event.Kind) (b event.Batch, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, answerTimeout, errors.New("it did not answer"))
	defer cancel()
	question, err := json.Marshal(stateQuestion{Kind: kind, Most: mostPresent})
	if err != nil {
		return b, err
	}
	msg, err := self.Conn.Request(ctx, self.Conn.NodeState(id), question)
	switch {
	case ctx.Err() != nil:
		return b, context.Cause(ctx)
	case errors.Is(err, bus.ErrNoResponders):
		return b, errors.New("it does not answer")
	case err != nil:
		return b, err
	}
	return event.ReadBatch(msg.Data)
}

// add takes in what a node said.
func (p *picture) add(id string, b event.Batch, err error) {
	if err == nil && b.More > 0 {
		err = fmt.Errorf("it has %d more than it said", b.More)
	}
	if err != nil {
		p.missing = append(p.missing, Missing{Node: id, Reason: err.Error()})
	}
	p.History.Add(&b)
	p.groups = append(p.groups, b.Groups...)
}

// gone says whether a node that was there is not any more, and when it ended if that is known.
func (p *picture) gone(id string) (ended time.Time, gone bool) {
	_, there := p.members[id]
	return p.ended[id], !there && id != ""
}
