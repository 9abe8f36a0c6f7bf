package node

import (
	"cmp"
	"context"
	"slices"
)

// SummarizeTasks counts tasks by function and state; Limit and Page are of the summaries.
func SummarizeTasks(ctx context.Context, q Query) (List[Summary], error) {
	running := make(map[string][]float64)
	l, err := summarize(ctx, q, tasksOf, func(t *TaskState, s *Summary) string {
		if s != nil && t.Durations.Running > 0 {
			running[t.Func] = append(running[t.Func], t.Durations.Running)
		}
		return t.Func
	}, func(t *TaskState) string { return t.State })
	for i, s := range l.Items {
		if all := running[s.Name]; len(all) > 0 {
			slices.Sort(all)
			l.Items[i].Running = all[len(all)/2]
		}
	}
	return l, err
}

// SummarizeActors counts actors by class and state.
func SummarizeActors(ctx context.Context, q Query) (List[Summary], error) {
	return summarize(ctx, q, actorsOf, func(a *ActorState, _ *Summary) string { return a.Class }, func(a *ActorState) string { return a.State })
}

// SummarizeObjects counts objects, and their bytes, by owner and state.
func SummarizeObjects(ctx context.Context, q Query) (List[Summary], error) {
	return summarize(ctx, q, objectsOf, func(o *ObjectState, s *Summary) string {
		if s != nil {
			s.Bytes += o.Size
		}
		return cmp.Or(o.OwnerName, o.Owner)
	}, func(o *ObjectState) string { return o.State })
}

// summarize counts what a query finds. name says under which name a thing counts; it is called once more, with the summary, to add to that.
func summarize[T any](ctx context.Context, q Query, k kindOf[T], name func(*T, *Summary) string, state func(*T) string) (l List[Summary], err error) {
	all := q
	all.Limit, all.Page = 1<<30, 1
	found, err := list(ctx, all, k)
	if err != nil {
		return l, err
	}
	by := make(map[string]*Summary)
	for i := range found.Items {
		t := &found.Items[i]
		s := by[name(t, nil)]
		if s == nil {
			s = &Summary{Name: name(t, nil), States: make(map[string]int)}
			by[s.Name] = s
		}
		s.States[state(t)]++
		s.Total++
		name(t, s)
	}
	summaries := make([]Summary, 0, len(by))
	for _, s := range by {
		summaries = append(summaries, *s)
	}
	slices.SortFunc(summaries, func(a, b Summary) int { return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Name, b.Name)) })
	l.LeftOut, l.Missing = found.LeftOut, found.Missing
	q.Filters = nil
	l.Items, l.Total, err = choose(summaries, q.withDefaults())
	return l, err
}
