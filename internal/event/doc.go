// Package event is what nodes tell of what happens to their tasks, actors and objects, and to themselves, and what is made of it afterwards.
//
// What is told is a fact: what one node knows of one thing (a task's attempt, an actor's epoch, an object, a node), with the moments at which it
// changed. Facts about the same thing are merged, by the node that tells them and by whoever reads them, so that it does not matter how many there
// are, or in which order they come.
//
// A Recorder gathers a node's facts for a quarter of a second, and stores them in the stream of events, several in a message. It never waits for
// the network. Tasks may be faster than any stream: a Budget says of which everything is told; the others are counted. The owner of a task
// decides, and its frames carry the decision, so all of a task is told or nothing.
//
// A node that is killed takes the facts of its last quarter of a second with it.
package event
