// Package embedded is a node with its own NATS server inside the process.
//
//	n, ctx, err := embedded.Start(ctx, embedded.Config{})
//
// The zero [Config] opens no port and leaves no file behind: the node talks to the server through memory, and JetStream
// keeps everything in memory. Listen opens a port for other nodes and plain NATS clients; Dir keeps large objects
// in files. To move to a NATS server or cluster of your own, call node.Start with its URL instead; nothing else changes.
//
// # Who may connect
//
// An address that other machines reach is refused, unless ServerConfig names a file of nats-server's settings with users and a
// certificate, or Insecure is set. docs/permissions has such a file, with users who may do as much as their role needs.
//
//	n, ctx, err := embedded.Start(ctx, embedded.Config{
//		Config: node.Config{Options: []nats.Option{nats.UserInfo("worker", password)}},
//		Listen: "0.0.0.0:4222", ServerConfig: "nats.conf", Dir: "/var/lib/manta",
//	})
//
// Only this package imports nats-server, which adds 8 MB to a program.
//
// # Clusters
//
// Several processes form one NATS cluster without a server beside them: give each of them a ClusterListen of its own, and all
// of them the same Routes.
//
//	routes := []string{"nats://127.0.0.1:6222", "nats://127.0.0.1:6223", "nats://127.0.0.1:6224"}
//	n, ctx, err := embedded.Start(ctx, embedded.Config{ClusterListen: "127.0.0.1:6222", Routes: routes})
//
// JetStream works while more than half of the servers are there, so the first process to start waits in [Start] for others,
// until its ctx ends; three servers go on when one is lost, two do not. A leader is there a quarter of a second after the
// servers, or up to ten seconds later if their votes were split. Between servers, a message is delivered at most once, in the
// order of its sender, as within one.
//
// A server is known to its cluster by its ClusterListen, and with Dir by the name that the directory remembers: one that comes
// back under another is one more server, of which more than half must be there. So fix the ports of servers that
// come and go. A directory also remembers whether its server was on its own or in a cluster, and is refused to the other kind,
// which would remove its streams.
//
// A bucket with one copy lives on one of the servers and is lost with it; [Server.Replicas] says how many copies the cluster
// can keep.
//
// # Durability
//
// In memory, everything ends with the process. With Dir, JetStream writes to files and flushes them lazily, every two minutes
// by default: a crash of the process loses nothing that was acknowledged, a crash of the machine may.
package embedded
