// Package objstore is values that live elsewhere.
//
// A [Ref] names an immutable value that exists or will exist: one that was [Put], or the result of a task or an actor
// call. It is comparable, can be a map key, travels inside arguments and results, and works in every process of the cluster.
//
//	data := objstore.Put(ctx, bigSlice)    // hands the value over: do not change it afterwards
//	means := mean.On(ctx, data)            // a task that gets the value, wherever it runs
//	v, err := means.Get(ctx)
//
// # Where values live
//
// A value's owner is the node that put it or submitted the task. Values up to 64 KiB ([InlineLimit]) stay in the owner's
// memory and travel inside messages. Larger ones are stored once as a blob in a JetStream object store bucket, in the
// public format, in the background; [Ref.Stored] waits for that. All uploads of a node keep within a window
// (node.Config.UploadWindow) and go on when a NATS server of several is lost. A node reads a blob once, however many of its tasks
// want it, and keeps the bytes in a bounded cache; slices of numbers or of structs of numbers, byte slices and strings are views into those bytes.
//
// Other nodes need not wait for the upload: while it runs they read from the owner's memory, afterwards from the bucket. A large
// value takes its size in memory where it is read, and little more; where it was put nothing beside the value itself, unless the NATS
// server is inside that process and keeps its streams in memory.
//
// A process that has a neighbour with the value, another process of the same user on the same machine, maps the neighbour's memory instead:
// blobs from 1 MiB on, on Linux, unless node.Config.SharedDir says "off". Those that read one value share its pages, also when the owner
// is gone; what one writes into its slice, which it should not, the others do not see. The first of them waits for a copy, unless others have read values
// of this process lately, or the value is in memory of [Make].
//
// # What you must do
//
// Treat values as read-only: Put hands its value over, and Get may hand out the same memory to every reader in the process.
// Drop Refs that you do not need, or [Free] what is large and no longer needed: see below.
//
// # How long values live
//
// A value lives as long as somebody has a Ref to it: a variable in any process of the cluster, a call under way that has it as an argument, or
// another value that holds the Ref and lives itself, also in the bucket. The owner knows which nodes hold its objects; a
// node tells it when Go's collector has found that the last Ref in the process is gone. So an object is deleted a collection and about a
// second after the last Ref to it was dropped, wherever that was.
//
// A Ref that is given to somebody who is no node (a reply to a plain NATS client, JSON or MessagePack that you encode yourself,
// [Ref.ID]) keeps its object for node.Config.RefTTL, an hour by default: nobody can say when it is dropped.
//
// Values live no longer than their owner, unless they are durable, see below. Reads of what a node owned that is gone fail with
// [ErrOwnerDead], and its large objects leave the bucket a few seconds later. A node that dies holds nothing any more after some ten seconds.
//
// Cycles are not collected: two tasks that return each other's Refs keep both results, until one is freed.
//
// # Durable objects
//
// Put with [Durable] returns when the value is in JetStream, and the object belongs to no node then: any process reads it by its Ref, also
// when all that were there have ended. Nobody counts its Refs: it is there until somebody calls [Free] or its [TTL] is over. What it survives is what
// its stream does: see node.Config.Storage and Replicas. A process that is killed inside Put may leave a part of a large value in the
// bucket, which goes with the TTL if it has one.
//
// # Guarantees
//
// A read returns the bytes that were written (the checksum of each chunk that travelled is verified) or an error. A chunk that is missing in the bucket, or
// was changed there, is read from a node that has the value in memory: its owner or its maker. Without one the read fails with [ErrLost], which
// names the blob and the chunk. A read never mixes the bytes of two attempts. If the owner is lost during the upload, reads fail with an error
// that is both [ErrLost] and [ErrOwnerDead]. A source that sends nothing is asked again, and given up within 15 s.
//
// A Put for which JetStream has no room gives a ref that fails with [ErrFull]; what was written of it is deleted, and the store
// stays usable. An upload that meets the loss of a server is tried again for half a minute a chunk.
//
// Get and Wait obey their ctx and lend the CPUs of the task that calls them to others while they wait.
//
// # Lost bytes
//
// The bytes of a large object can be lost while its owner lives: a server that had them in memory is gone, or a disk is damaged. A reader
// that finds no other copy tells the owner, which looks itself, and has what is truly lost computed again if it is the result of a task that may run
// again (package task says when). The object has no value meanwhile, on any node that has noticed: Get, Wait and tasks that depend on it
// wait as they did for the first one. Else they fail with [ErrLost], and why. What was Put, actor calls' results and items of streams are
// never made again: Put them again, or keep the bucket on several servers (node.Config.Replicas).
//
// A value that is computed again may differ from the one before, if the function is not a function of its arguments alone. Who has
// read the old one keeps it. A single read never mixes the two.
package objstore
