// Package integration tests Manta as it is run: several processes, a NATS server of its own or inside them, and signals
// that end, stop and kill them.
//
// The tests build integration/process once and start it as often as they need, and integration/caller, which has declarations of its
// functions and none of its code. Every process prints what happens in it as
// JSON lines (package line), so that a test can prove which node ran a task, how often and when. A test waits for such
// events, never for time to pass.
//
// With the build tag clients there are tests of NATS clients that are not ours, which integration/clients serves: `nats`, nats.js and nats-py. They
// hold PROTOCOL.md against a node; what it is to claim further gets an example there, a claim in clients/js and the same one in clients/python.
// .ci/clients installs the clients and runs them.
//
// To add a scenario, write a test that starts a cluster of a topology (topology_test.go) and judges by the events that it
// collected (evidence_test.go).
package integration
