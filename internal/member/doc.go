// Package member is who is there: this process's own node, which travels in ctx, and the table of all nodes.
//
// # Who is there
//
// A node that joins writes two things: its lease, a key with a time to live that it renews twice a second, and its record, what
// it is. Every node watches the records: who has one is there. Only the next three nodes in the ring of ids watch a
// lease; one of them claims a lease that has ended, by compare-and-set, and then removes the record, from which all learn
// that the node is gone. A clean leave removes the record at once; a silent one is known within 3 s, unless its lease has another length: [LeaseTTL], up to
// 250 ms for the server to notice, half a second for the node to speak up after all.
//
// # What is guaranteed
//
// A node stops holding its lease ([Lease.Holds]) before anybody can claim it, whatever became of its process or machine meanwhile. It
// does not hold it while it cannot reach JetStream for [LeaseTTL]; it takes it again by itself, and if it was claimed meanwhile, the
// others have heard that it left and hear that it joined.
//
// The buckets are in memory, so a restarted NATS server may have lost them. Every node begins anew after a reconnect, and when it
// finds its lease gone: it writes lease and record again and watches again; nobody is taken for dead within [LeaseTTL] and a second of
// that. A node without its own lease claims nobody, so a stall of the buckets costs a pause, and no deaths.
//
// # What it leaves to those above
//
// [Watcher] functions are called one at a time, in an order that is not that of events on different nodes. A node may be gone for others
// and alive for itself; what must not happen twice has to ask [Node.Holds] when it happens.
package member
