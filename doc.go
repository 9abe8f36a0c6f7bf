// Package manta is the root of a module that brings Ray Core's model to Go on a NATS message bus. It holds no code: it
// tells which package does what.
//
//   - [manta/task]: functions that run elsewhere. A task is a message to a queue group; capacity decides where it runs.
//   - [manta/actor]: state with a name and an order. An actor is a struct on one node, with a mailbox subject.
//   - [manta/objstore]: values that live elsewhere. A ref names a value that exists or will exist; large ones are blobs
//     in JetStream.
//   - [manta/node]: one process in the cluster; [manta/node/embedded] is one that brings its own NATS server.
//   - [manta/node/nodetest]: clusters for tests.
//
// There is no head node and no scheduler process: NATS is the cluster. Start with the programs in examples.
package manta
