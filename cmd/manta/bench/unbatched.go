package bench

import (
	"context"

	"manta/node"
)

func init() { families = append(families, unbatchedMeasures) }

var unbatchedMeasures = []Measure{
	{
		Name: "tasks_async_unbatched", Unit: "tasks/s", Baseline: "raw_request_pipelined",
		About: "tasks_async with one task a message",
		Setup: func(ctx context.Context, s *Stage) (Timed, error) { return tasksAsync(ctx, s, 1, oneTaskAMessage) },
	},
	{
		Name: "tasks_async_unbatched_3_nodes", Unit: "tasks/s", Baseline: "raw_request_pipelined",
		About: "tasks_async_3_nodes with one task a message",
		Setup: func(ctx context.Context, s *Stage) (Timed, error) { return tasksAsync(ctx, s, 3, oneTaskAMessage) },
	},
	{
		Name: "tasks_async_unbatched_3_routed", Unit: "tasks/s", Baseline: "raw_request_pipelined_routed", Inside: true,
		About: "tasks_async_3_routed with one task a message",
		Setup: func(ctx context.Context, s *Stage) (Timed, error) { return tasksRouted(ctx, s, oneTaskAMessage) },
	},
}

// oneTaskAMessage turns batching off, for tasks and for replies.
func oneTaskAMessage(cfg *node.Config) { cfg.MaxBatch = 1 }
