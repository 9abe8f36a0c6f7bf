// Package nodetest starts clusters for tests.
//
//	func TestSquares(t *testing.T) {
//		c := nodetest.Start(t, 3)
//		got, err := square.Call(c.Context(0), 7)
//		…
//	}
//
// The nodes share one NATS server inside the process, which opens no port; each has its own connection, so that
// [Cluster.Kill] can cut one off. Everything else is as in production: tasks, actors and objects go over NATS.
package nodetest
