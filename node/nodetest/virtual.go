package nodetest

import (
	"runtime"
	"testing"
	"testing/synctest"

	"manta/node/embedded"
)

// Virtual runs a test in virtual time: in a bubble of package testing/synctest, in which time passes when everybody waits, and then
// at once: an hour of three idle nodes took 3.6 s, and a timeout comes exactly when it is due.
//
// The cluster is started inside, as are the channels and goroutines of the test; functions may be defined outside. Its nodes share one
// server: Routed and At need a network, for which no bubble waits. A test that calls it is not parallel: what others leave in the pools
// meanwhile could be of their time.
func Virtual(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	defer embedded.HoldClock()() // inside, it would be the bubble's
	emptyPools()
	defer emptyPools()
	synctest.Test(t, test)
}

// emptyPools empties every [sync.Pool]: nats.go keeps timers in one, and those of one time must not be used in another.
func emptyPools() {
	runtime.GC() // moves what is in them aside
	runtime.GC()
}
