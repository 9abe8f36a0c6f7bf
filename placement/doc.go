// Package placement reserves resources on several nodes at once: a [Group] of bundles, all of them or none.
//
//	g, err := placement.New(ctx, []placement.Bundle{{"CPU": 1}, {"CPU": 1}}, placement.Spread)
//	err = g.Ready(ctx)                                    // every bundle has its node
//	sum, err := add.With(task.InBundle(g, 0)).Call(ctx, x) // runs in bundle 0, and takes of what that has reserved
//	err = g.Remove(ctx)                                   // all that was reserved is free again
//
// The node that makes a group, its creator, looks after it. It chooses nodes by the group's [Strategy] from what it knows of their
// room, and asks them: each keeps what it is asked for, and when all have agreed each is told that it counts. If one refuses, nothing
// stays reserved anywhere, and the creator tries again, soon at first and then four times a second, and at once when a node joins.
// A group that fits nowhere is pending; it reserves nothing and waits for room, or for a node, without end.
//
// # Guarantees
//
//   - A group is placed as a whole: until all its bundles have nodes, none of them is reserved but for the moment of asking.
//   - Bundles never share what they reserve, and nothing but work that is bound to a bundle takes of it.
//   - The bundles of a node that dies are placed again, beside those that are left and by the same strategy. Tasks that ran there are lost
//     and tried again as any task of a lost node, in the bundle's next place.
//   - A group ends with Remove, or with its creator. Then tasks that are bound to it fail with [ErrRemoved]: those that wait do not run, and
//     those that run are cancelled through their ctx. What they took is the node's again when they return.
//   - A node that was asked and not told keeps nothing for longer than 2 s.
//
// A group competes with tasks for room that becomes free, and has no place in line: on nodes that are never idle, make groups first.
//
// # Testing
//
// Package nodetest runs clusters inside a test: a group over three of its nodes behaves as one over three machines.
package placement
