// Package timeline draws tasks over time in the Chrome trace format, which ui.perfetto.dev opens.
//
// Every node is a process, with a thread for each of its slots: as many as it had tasks at once. A slot shows the tasks that ran there, one after
// the other, and inside each its phases: fetching, running, storing. What waited before that is on tracks beside them, since any number of tasks can
// wait at once. Arrows lead from where a task was submitted, inside its parent, to where it began.
package timeline
