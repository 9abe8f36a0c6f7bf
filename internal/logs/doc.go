// Package logs carries what tasks and actors log from the node where they run to those who want to read it.
//
// A [Sender] takes the lines of a node, gathers them for a moment, and stores them in the stream of logs, several in a message: a line is JSON. It
// never blocks whoever logs, and never sends more than a node's share in the long run: what is too much is left out and counted, and a line says
// how much that was. A [Printer] shows the lines of a process's own tasks in its log, those that many tasks log alike once with a count. [Read]
// reads the stream, also what nodes logged that are gone.
//
// Lines of one node keep their order. One may be missing, when its node is killed within a moment of it, and may come twice, after a reconnect.
//
// The names of fields, here and in the log of a node, are in fields.go.
package logs
