package task

import "manta/internal/call"

// submission is a task that has no outcome yet, at its owner. A million of them may be queued: every field counts.
//
//	waiting for arguments ─► queued ⇄ under way (at a peer, or knocking at the door) ─► ended
//	                           └──── pausing, before it is tried again ◄──┘
type submission struct {
	call.Call
	lane *lane  // nil while arguments are awaited
	at   *peer  // nil unless a node is known to have it, or to be on its way there
	tick uint32 // number of the frame that took it there

	counted bool // it is among those that its owner counts
	failed  bool // an attempt of it ran and failed
	again   bool // its result was there, and lost
	ended   bool // it has its outcome; where it runs it is still to end
}

// Ended implements call.Bound.
func (s *submission) Ended(err error) { ownerOf(s).cancel(s, err) }

// Cancel implements objstore.Promiser.
func (s *submission) Cancel() { s.Ended(s.Cancelled()) }
