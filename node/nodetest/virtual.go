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
// server: Routed and At need a network, for which no bubble waits.
func Virtual(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	defer embedded.HoldClock()() // inside, it would be the bubble's
	runtime.GC()                 // twice empties the pools in which nats.go keeps timers: those of outside must not be used inside
	runtime.GC()
	synctest.Test(t, test)
}
