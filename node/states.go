package node

import (
	"context"
	"fmt"

	"manta/bus"
)

// ListNodes returns the nodes that are there and those that have ended, by name.
func ListNodes(ctx context.Context, q Query) (List[NodeState], error) { return list(ctx, q, nodesOf) }

// ListTasks returns tasks, the newest first: all that have no outcome yet, and those that have ended and of which was told (see
// Config.EventRate).
func ListTasks(ctx context.Context, q Query) (List[TaskState], error) { return list(ctx, q, tasksOf) }

// ListActors returns actors, the newest first.
func ListActors(ctx context.Context, q Query) (List[ActorState], error) {
	return list(ctx, q, actorsOf)
}

// ListObjects returns objects, the largest first: large ones and durable ones, and small ones that nodes keep for others.
func ListObjects(ctx context.Context, q Query) (List[ObjectState], error) {
	return list(ctx, q, objectsOf)
}

// ListGroups returns placement groups.
func ListGroups(ctx context.Context, q Query) (List[GroupState], error) {
	return list(ctx, q, groupsOf)
}

// GetNode returns a node by its id or its name, or bus.ErrNotFound.
func GetNode(ctx context.Context, id string) (NodeState, error) {
	return get(ctx, ListNodes, "node", "id", id, "name")
}

// GetTask returns a task by the id of its result, with its attempts, or bus.ErrNotFound.
func GetTask(ctx context.Context, id string) (TaskState, error) {
	return get(ctx, ListTasks, "task", "id", id, "")
}

// GetActor returns an actor by its id, which is its name if it has one, or bus.ErrNotFound.
func GetActor(ctx context.Context, id string) (ActorState, error) {
	return get(ctx, ListActors, "actor", "id", id, "")
}

// GetObject returns an object by its id, or bus.ErrNotFound.
func GetObject(ctx context.Context, id string) (ObjectState, error) {
	return get(ctx, ListObjects, "object", "id", id, "")
}

// GetGroup returns a placement group by its id, or bus.ErrNotFound.
func GetGroup(ctx context.Context, id string) (GroupState, error) {
	return get(ctx, ListGroups, "placement group", "id", id, "")
}

// get finds one thing by a field, or by another one.
func get[T any](ctx context.Context, list func(context.Context, Query) (List[T], error), what, field, value, or string) (found T, err error) {
	for _, f := range []string{field, or} {
		if f == "" {
			continue
		}
		l, err := list(ctx, Query{Filters: []Filter{{Field: f, Value: value}}, Limit: 1, Since: everything})
		if err != nil {
			return found, err
		}
		if len(l.Items) > 0 {
			return l.Items[0], nil
		}
		if len(l.Missing) > 0 {
			return found, fmt.Errorf("%s %q: %w: node %s may have it: %s", what, value, bus.ErrNotFound, l.Missing[0].Node, l.Missing[0].Reason)
		}
	}
	return found, fmt.Errorf("%s %q: %w", what, value, bus.ErrNotFound)
}
