// Package integration tests Manta as it is run: several processes, a NATS server of its own or inside them, and signals
// that end, stop and kill them.
//
// The tests build integration/process once and start it as often as they need, and integration/caller, which has declarations of its
// functions and none of its code. Every process prints what happens in it as
// JSON lines (package line), so that a test can prove which node ran a task, how often and when. A test waits for such
// events, never for time to pass.
//
// To add a scenario, write a test that starts a cluster of a topology (topology_test.go) and judges by the events that it
// collected (evidence_test.go).
package integration
