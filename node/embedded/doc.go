// Package embedded is a node with its own NATS server inside the process.
//
//	n, ctx, err := embedded.Start(ctx, embedded.Config{})
//
// The zero [Config] opens no port and leaves no file behind: the node talks to the server through memory, and JetStream
// keeps everything in memory. Listen opens a port for other nodes and plain NATS clients; Dir keeps large objects
// in files. To move to a NATS server or cluster of your own, call node.Start with its URL instead; nothing else changes.
//
// Only this package imports nats-server, which adds 8 MB to a program.
//
// # Durability
//
// In memory, everything ends with the process. With Dir, JetStream writes to files and flushes them lazily, every two minutes
// by default: a crash of the process loses nothing that was acknowledged, a crash of the machine may.
package embedded
