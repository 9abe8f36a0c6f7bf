// Package shared is what several processes share: a [Queue] of values, a [Semaphore], and a [Signal]. Each is an actor, made ready.
//
//	jobs := shared.NewQueue[Job](ctx, 100)         // holds at most 100; 0: any number
//	err := jobs.Put(ctx, job)                      // waits for room
//	for job, err := range jobs.All(ctx) { … }      // on any node, until somebody calls jobs.Shutdown
//
//	limit := shared.NewSemaphore(ctx, 3)
//	permit, err := limit.Acquire(ctx, 1)
//	defer permit.Release(ctx)
//
//	ready := shared.NewSignal(ctx)
//	err := ready.Wait(ctx)                         // until somebody calls ready.Set
//
// They are small values that travel inside arguments and results as actors' refs do, and have names if they are given any
// ([actor.Name], [LookupQueue], [GetOrNewQueue] and their like).
//
// # Where they live
//
// On one node, in memory: what they hold is lost with that node, and every call then fails as a call of an actor does, with
// [actor.ErrUnavailable] if it was under way and with [actor.ErrDead] later. So it is when the node drains: nothing is
// handed over. What must outlive nodes belongs into durable tasks ([task.Durable]), or into actors that keep snapshots. Every node whose program imports
// this package can host them; one with a registry of its own needs [Register]. They live as long as actors do, and end at the latest with Kill or with their node.
//
// # Waiting
//
// Those who wait are served in the order in which they came, and nobody overtakes: also what does not wait (TryPut and its like) fails
// while others stand before it. Any number may wait. Waiting ends with ctx, and when the process that waits is gone. When the node drains
// that they live on, it fails with [actor.ErrDead].
//
// # What is guaranteed
//
// An item of a queue leaves it when the process that asked for it has said that it has come. Until then it is kept for that process, and
// goes back to its place in the queue if the Get is cancelled, or the process is lost: a Get that returns an error has taken nothing. So each item
// is got once, and no item is lost as long as the queue lives; the one that a process has just got when it is killed is gone with it.
// A Put that returns an error has put nothing, unless the error is actor.ErrUnavailable, or says that it is not known.
//
// A permit that a process holds is free again when that process is gone, whether it was closed, killed, or lost its lease because it
// was cut off for seconds. One that was merely cut off learns of it from Release, which returns [ErrNotHeld]: a semaphore bounds what
// the cluster does, it is no fence around what must never happen twice.
//
// # Testing
//
// Package nodetest runs clusters inside a test; Kill takes a node away that waits or holds something.
package shared
