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
// want it, and keeps the bytes in a bounded cache; slices of numbers, byte slices and strings are views into those bytes.
//
// Other nodes need not wait for the upload: while it runs they read from the owner's memory, afterwards from the bucket. A large
// value takes its size in memory where it is read, and little more; where it was put nothing beside the value itself, unless the NATS
// server is inside that process and keeps its streams in memory.
//
// # What you must do
//
// Treat values as read-only: Put hands its value over, and Get may hand out the same memory to every reader in the process.
// [Free] what is large and no longer needed. What you do not free is deleted when the last Ref in the owner's process
// is collected, if no Ref to it ever travelled inside another value, else when the owner's node closes.
// Values live no longer than their owner.
//
// # Guarantees
//
// A read returns the bytes that were written (each chunk's checksum is verified) or an error. A chunk that is missing in the bucket, or
// was changed there, is read from a node that has the value in memory: its owner or its maker. Without one the read fails with [ErrLost], which
// names the blob and the chunk. A read never mixes the bytes of two attempts. If the owner is lost during the upload, reads fail with an error
// that is both [ErrLost] and [ErrOwnerDead]. A source that sends nothing is asked again, and given up within 15 s.
//
// A Put for which JetStream has no room gives a ref that fails with [ErrFull]; what was written of it is deleted, and the store
// stays usable. An upload that meets the loss of a server is tried again for half a minute a chunk.
//
// Get and Wait obey their ctx and lend the CPUs of the task that calls them to others while they wait.
package objstore
