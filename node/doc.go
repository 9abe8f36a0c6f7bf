// Package node is one process in the cluster.
//
//	n, ctx, err := node.Start(ctx, node.Config{URL: "nats://127.0.0.1:4222"})
//	if err != nil { … }
//	defer n.Close()
//
// [Start] connects to NATS, makes the process a member of the cluster, and serves every task and actor class that the
// program has defined, or those of Config.Registry: nodes of one process may serve different ones. The ctx that it returns carries
// the node: whatever is called with it, or with a ctx made from it, runs in this cluster. Tasks and actors get such a ctx too, so
// the same line works in main, in a task and in an actor; an HTTP handler gets one from [Node.Context]. To run NATS inside the
// process, see package node/embedded.
//
// # Stopping
//
// [Node.Drain] finishes what was begun: it waits for the results of what this node submitted, takes no more work, waits for
// what runs, and for uploads. [Node.Close] cancels what still runs and waits for it; other nodes' tasks that it cut short are
// sent elsewhere by their owners. [Node.Run] waits for a ctx, then does both. [DrainNode] has another node do so.
//
// The library installs no signal handler unless it is asked to. In a process whose work is the node, [Node.RunUntilSignal] is main's last
// call: the first SIGTERM or interrupt drains, a second one cancels, and [ExitCode] tells the process's supervisor how it went.
//
// # What there is
//
// [ListTasks], [ListActors], [ListObjects], [ListNodes] and [ListGroups] tell what the cluster has at this moment and what it had, also on nodes that died; their
// Get and Summarize forms find one thing, and count. They read the stream of events, which every node tells its share of, and ask every node that is there. A list says which nodes did not answer
// (List.Missing), and of how many tasks nothing was told because there were too many (List.LeftOut, Config.EventRate). Times are those of the machine on which
// something happened. [Node.Why] explains one task.
//
// # Watching
//
// [Node.MetricsHandler] and [Node.Collector] have the node's counters for Prometheus, [Node.Stats] for everybody else; docs/grafana has a dashboard.
// [Node.Health] says whether the node is live and ready, and [Node.HealthHandler] tells that to Kubernetes. [Profile] takes a CPU profile, or
// another one, of any node of the cluster; goroutines that run tasks and methods have labels that name them.
//
// [Logs] hands out what tasks and actors have logged with task.Logger. Where OpenTelemetry's spans go is said in Config.TracerProvider.
//
// # Needs
//
// The NATS server must have JetStream; Start refuses one that does not.
package node
