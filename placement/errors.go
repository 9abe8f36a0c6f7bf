package placement

import (
	"errors"

	"manta/internal/call"
)

// ErrRemoved is returned by Ready and Bundles of a group that was removed, or whose creator is gone, and is the outcome of tasks that are
// bound to one: those may have run in part.
var ErrRemoved = call.ErrGroupRemoved

var errZero = errors.New("zero placement.Group: make it with placement.New")
