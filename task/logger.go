package task

import (
	"context"

	"go.uber.org/zap"

	"manta/internal/call"
	"manta/internal/member"
)

// Logger returns the logger of the task or the actor's method that runs in ctx. Its lines say which that is (task, id, attempt; of an actor class,
// actor, method), and go to the Logger of the node where it runs. From there they go to the cluster too, but for those of level debug that the node's
// Logger does not take: to the log of the process that submitted the task or call, and to the stream of logs, which node.Logs and the
// command line read ([manta/node.TaskLogs]).
//
// It never blocks for that. What a node logs beyond 1 MiB a second, for longer than a moment, is not sent, and counted; a line of more than 32 KiB is
// sent without its fields. Lines may miss when their node is killed. Nobody takes secrets out of them.
//
// Outside of tasks and actors it is the node's logger, and without a node one that is silent. It is made at each call: keep it in a loop.
func Logger(ctx context.Context) *zap.Logger {
	scope, err := member.FromContext(ctx)
	if err != nil {
		return zap.NewNop()
	}
	running, ok := call.RunningIn(ctx)
	if !ok {
		return scope.Node.Log
	}
	return scope.Node.Logs.Logger(scope.Node.Log, running.Log())
}
