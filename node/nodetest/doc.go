// Package nodetest starts clusters for tests, and breaks them.
//
//	func TestSquares(t *testing.T) {
//		c := nodetest.Start(t, 3)
//		got, err := square.Call(c.Context(0), 7)
//		…
//	}
//
// The nodes share one NATS server inside the process, which opens no port; each has its own connection. Everything else is as
// in production: tasks, actors and objects go over NATS. [Routed] gives each node a server of its own, in one NATS cluster;
// [At] puts the nodes on a server that the test has started itself.
//
// # Faults
//
// A [Cluster] breaks the way between a node and NATS on demand; none of it is a feature of the library that could be switched
// on elsewhere.
//
//	c.Kill(1)        // a crash: silence, for good
//	c.KillServer(1)  // the same, with the server of a Routed cluster
//	c.Pause(1)       // a stopped process: nothing passes, nothing is lost; c.Resume(1) ends it
//	c.Disconnect(1)  // a connection that breaks; the node connects again
//	c.Delay(1, d)    // what NATS sends to the node comes so much later
//	c.Drop(0.01)     // one frame in a hundred is lost on its way in, and one on its way out, at every node
//
// So reads a test of what a program does when a node goes silent in the middle of its work:
//
//	func TestTheReportComesAlthoughANodeStops(t *testing.T) {
//		c := nodetest.Start(t, 3)
//		ref := report.Go(c.Context(0), input)
//		c.Pause(2)
//		c.AwaitMembers(0, 1) // the others have noticed
//		got, err := ref.Get(c.Context(0))
//		…
//		c.Resume(2)
//	}
//
// Drop loses Manta's frames alone, those which [Cluster.Dropped] counts: JetStream, membership and plain clients never miss
// one. Its choices are random, of a seed that stands in the test's log; [Seed] repeats them for messages that come in the
// same order, as those of one goroutine do.
//
// # Virtual time
//
// [Virtual] runs a test in a bubble of package testing/synctest, a whole cluster in it: deadlines, leases and retries of minutes are over
// in milliseconds, and always after the same time.
//
//	func TestAReportThatTakesTooLongFailsAfterAMinute(t *testing.T) {
//		nodetest.Virtual(t, func(t *testing.T) {
//			c := nodetest.Start(t, 3)
//			begun := time.Now()
//			_, err := report.With(task.Timeout(time.Minute)).Call(c.Context(0), input)
//			if !errors.Is(err, task.ErrDeadline) || time.Since(begun) != time.Minute {
//				t.Error(err)
//			}
//		})
//	}
//
// When a test ends, its pauses end and nothing is dropped any more; nodes then close as they do in production. After KillServer
// that can take ten seconds, if the buckets were on that server.
package nodetest
