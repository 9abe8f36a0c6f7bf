package embedded

import "github.com/nats-io/nats-server/v2/server/ats"

// HoldClock keeps the clock running that all NATS servers of a process share, until release is called. Tests in virtual time need
// it: the first server that starts starts the clock, and in a bubble of package synctest it would be the bubble's.
func HoldClock() (release func()) {
	ats.Register()
	return ats.Unregister
}
