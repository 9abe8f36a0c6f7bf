package node

import (
	"cmp"
	"context"
	"slices"
)

// Summary counts what a query found under one name: nodes by version, tasks by function, actors by class, objects by owner, groups by strategy.
type Summary struct {
	Name   string         `json:"name"`
	States map[string]int `json:"states"`
	Total  int            `json:"total"`
	Bytes  int64          `json:"bytes,omitempty"` // of objects
	// Running is, of tasks that ran, the median of how long they did, in seconds.
	Running float64 `json:"running,omitempty"`

	ran []float64
}

// SummarizeNodes counts nodes by their version and state.
func SummarizeNodes(ctx context.Context, q Query) (List[Summary], error) {
	return summarize(ctx, q, nodesOf, func(n *NodeState) (name, state string) { return n.Version, n.State }, func(*NodeState, *Summary) {})
}

// SummarizeGroups counts placement groups by strategy and state.
func SummarizeGroups(ctx context.Context, q Query) (List[Summary], error) {
	return summarize(ctx, q, groupsOf, func(g *GroupState) (name, state string) { return g.Strategy, g.State }, func(*GroupState, *Summary) {})
}

// SummarizeTasks counts tasks by function and state, those that match the query's filters; Limit and Page are of the summaries.
func SummarizeTasks(ctx context.Context, q Query) (List[Summary], error) {
	return summarize(ctx, q, tasksOf, func(t *TaskState) (name, state string) { return t.Func, t.State }, func(t *TaskState, s *Summary) {
		if t.Durations.Running > 0 {
			s.ran = append(s.ran, t.Durations.Running)
		}
	})
}

// SummarizeActors counts actors by class and state.
func SummarizeActors(ctx context.Context, q Query) (List[Summary], error) {
	return summarize(ctx, q, actorsOf, func(a *ActorState) (name, state string) { return a.Class, a.State }, func(*ActorState, *Summary) {})
}

// SummarizeObjects counts objects, and their bytes, by owner and state.
func SummarizeObjects(ctx context.Context, q Query) (List[Summary], error) {
	return summarize(ctx, q, objectsOf, func(o *ObjectState) (name, state string) { return cmp.Or(o.OwnerName, o.Owner), o.State },
		func(o *ObjectState, s *Summary) { s.Bytes += o.Size })
}

// summarize counts what a query finds: of says as what a thing counts, add adds what else is of interest.
func summarize[T any](ctx context.Context, q Query, k kindOf[T], of func(*T) (name, state string), add func(*T, *Summary)) (l List[Summary], err error) {
	all := q
	all.Limit, all.Page = 1<<30, 1
	found, err := list(ctx, all, k)
	if err != nil {
		return l, err
	}
	by := make(map[string]*Summary)
	for i := range found.Items {
		name, state := of(&found.Items[i])
		s := by[name]
		if s == nil {
			s = &Summary{Name: name, States: make(map[string]int)}
			by[name] = s
		}
		s.States[state]++
		s.Total++
		add(&found.Items[i], s)
	}
	summaries := make([]Summary, 0, len(by))
	for _, s := range by {
		if n := len(s.ran); n > 0 {
			slices.Sort(s.ran)
			s.Running, s.ran = s.ran[n/2], nil
		}
		summaries = append(summaries, *s)
	}
	slices.SortFunc(summaries, func(a, b Summary) int { return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Name, b.Name)) })
	l.LeftOut, l.Missing = found.LeftOut, found.Missing
	q.Filters = nil // they were of the things
	l.Items, l.Total, err = choose(summaries, q.withDefaults())
	return l, err
}
