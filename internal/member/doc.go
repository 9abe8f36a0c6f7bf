// Package member is who is there: this process's own node, which travels in ctx, and the table of all nodes.
//
// A node is alive while its lease is: a key with a time to live that it renews. When a lease ends, by a clean goodbye or by
// silence, every node learns it from its watch of the leases, within [LeaseTTL] and the server's own delay (up to 250 ms).
// A node that was silent for longer and comes back joins again by itself.
package member
