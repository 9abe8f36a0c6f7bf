// Package task is functions that run elsewhere.
//
//	var load = task.Define("load", func(ctx context.Context, file string) (File, error) { … })
//
//	r := load.Go(ctx, "a.csv")            // runs somewhere; r is the name of its result
//	s := summarise.On(ctx, r)             // runs when r has a value: this is the dependency graph
//	v, err := s.Get(ctx)
//	vs, err := objstore.GetAll(ctx, load.Map(ctx, files))
//
// A function value is a registration: what is not registered is not served. A node serves all functions that its program defined before
// the node started, in its [Registry]; most programs have only the default one. What other programs serve is called by a value that
// [Declare] makes: it says name and types, and no code.
//
// # Delivery
//
// A task whose node is lost is sent again, three times by default ([Retries]): at-least-once. With Retries(0) it runs
// at most once and fails with [ErrWorkerLost], which means that it may have run. A ref gets exactly one outcome, unless that is lost.
//
// A function's own error is its outcome, unless somebody says that another attempt may succeed: the caller, of some errors or all
// ([RetryOn]), or the function, of this one ([RetryAfter]). [Permanent] forbids it. Such attempts and those after a loss are counted
// together; before them a task waits ([Backoff]), at its owner, without a slot. A cancelled task is never tried again.
//
// A message that is lost between two living nodes, because a connection broke at that moment, costs a moment and no attempt: owners ask
// nodes what they have, and what never arrived, or arrived and was answered in vain, is known for certain. It is sent, or answered, again;
// no task runs twice because of it. A task runs twice only if its node was taken for dead.
//
// A node that only calls functions (node.Config.Caller) knows less: a task of which nothing was heard for four seconds counts as lost, and is sent again
// or fails as above. So it may run twice although no node died.
//
// # Lost results
//
// A result above 64 KiB is in the object store. If it is lost there its task runs again when somebody reads it, as one more attempt under the
// same ref: with the arguments, the needs and the strategy that it had, and a Timeout that begins anew. Arguments that are lost or collected
// are computed before it, each once, however many depend on them. The submitting node remembers what that takes in
// node.Config.LineageBudget bytes: the values that were given, which results were arguments, and no results.
//
// Each time costs one of the task's [Retries]. A result fails with objstore.ErrLost, and says why, if none are left, if the task
// was pushed out of the budget, if an argument that was Put is gone or was freed, or if the next attempt is lost too. What was freed or
// cancelled is not computed again. [Cancel] and objstore.Free end a task that runs again as they end any other; the ctx in which it was
// submitted does not, which may have ended long ago. A function that gives something else the second time gives that to those who read
// from then on.
//
// # Cancellation
//
// A task ends with the ctx that it was submitted in, or when somebody who has its ref calls [Cancel], in whatever process: it fails with
// [ErrCancelled] everywhere at once, as does what depends on it, and is not tried again. One that waits never runs. The ctx of one that
// runs ends, and with it the tasks that it started in that ctx, on whatever nodes. A deadline travels in the same way. A task that
// returns does not end those that it started; context.WithoutCancel lets them outlive its cancellation too.
//
// # Where tasks run
//
// A task needs resources ([CPUs], 1 by default, and [Resources]); a node runs it only while it has them free. The first task of an
// idle lane (one function, one need, one owner) knocks at the function's queue group, so NATS picks the node; every reply
// tells how many that node takes at a time, and the rest go straight there, many in one message if they are short. What no node has
// room for waits at its owner, and every node knows that it does: a slot that becomes free is offered to the lane that has waited longest.
// A task that waits for a ref lends its CPUs to others meanwhile.
//
// Tasks that are bound to a placement group ([InGroup], [InBundle]) run on the nodes of its bundles alone, and take of what those have
// reserved; package placement has the rest.
//
// A task whose argument is a large object goes first to the node that has it, if there is room. [Labels] and [OnNode] say on which
// nodes a task may run, OnNode with [Soft] and [Spread] which come first; a lane is then one function, need and strategy. What no node
// could ever run waits for node.Config.InfeasibleAfter and fails with [ErrInfeasible]; node.Node.Why says what a task waits for.
//
// # Streams
//
//	for v, err := range tokens.Stream(ctx, prompt) { … }
//
// A streaming function ([DefineStream]) is a task that hands over items while it runs. Its reader gets each item once, in order, whatever messages
// and nodes are lost meanwhile; if the node is, the function runs again from its beginning and what has come is passed over by number, so it must
// produce the same items again. It waits while its reader is [Ahead] items behind, and lends its CPUs meanwhile. A reader that leaves, or is gone,
// ends the function's ctx: at once, or after at most ten seconds of its silence once an item is on its way.
//
// # Durable tasks
//
//	ref := bill.With(task.Durable()).Go(ctx, order)
//	err := task.Submitted(ctx, ref)                    // from here on this process may die
//	receipt, err := task.Result[Receipt](ctx, ref.ID()) // in any process, for 24 hours
//
// A durable task ([Durable]) outlives its owner: it is stored in a JetStream stream until its outcome is stored too. Nodes that serve the function
// take as many as they have room for, and submit them to themselves, so they stand in line with all other tasks. It runs at least once, and exactly
// one outcome is recorded, the first. An attempt ends with the node that has the task, or when a failure is to be tried again; the next one is JetStream's
// to hand over, so attempts are counted whatever dies. A node that closes without a drain gives back what it has, which counts as an attempt.
// What was submitted in a ctx is not cancelled with it once it is stored; [Cancel] and [Timeout] end it.
//
// What survives is what JetStream keeps: the stream and the bucket of results have the storage and the replicas of the bucket of large objects
// (node.Config.Storage, Replicas). In memory, or with one replica, a NATS server that is lost takes its durable tasks with it.
//
// # Logs and spans
//
// [Logger] is the logger of the task, or the actor's method, that runs in a ctx: what it says is in the log of the process that submitted the task, too,
// and for a while where node.Logs finds it. It never blocks, so lines may be left out, which is then said.
//
// If the node has a provider of OpenTelemetry (node.Config.TracerProvider), a task is a span from its submission to its outcome, and its run another beneath
// it, on whatever node; spans that the function begins in its ctx are children of that. A task that is tried again has a span an attempt besides, each with a link to the
// one before. A durable task's span ends when it is stored, and its runs are children of that.
//
// # Without types
//
// A program that has no Go types of what it calls, such as the command line, calls functions by their names with JSON: [CallJSON], [StreamJSON], [SubmitJSON]. These go as
// requests of plain NATS clients do, to a node that owns the task then: if that node is lost, the call fails with [ErrWorkerLost], and with a Manta-Id it can be made again safely.
//
// # In a file each
//
// The decisions are plain state machines: lane and peer (an owner's side; placing is what a strategy changes there), desk, slots and
// guest (a node's side), outbox and receipts (replies on their way), pace (how much a node takes on ahead), retry (what is tried again) and
// pauses (when), ledger (what is remembered of results that may be lost), emission and intake (the ends of a stream), verdict (what a node
// does with a durable task that it was handed). owner and host are the clocks, goroutines and connections around them.
//
// # What you must do
//
// Obey ctx: it ends when the task is cancelled, its deadline passes or its node closes. Make functions safe to run twice, or
// use Retries(0). Do not keep arguments that are slices beyond the call, and do not change them.
package task
