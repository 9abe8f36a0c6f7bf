package actor

import (
	"fmt"
	"math"
	"time"
)

// Restarts is how often an actor of the class is made again elsewhere when its node is lost; -1 is for ever, 0, the default, never. A
// loss counts for half after a minute, for a quarter after two and so on, so that n is about those that come close together. The second one
// that does waits a second, each further one twice as long, up to 30 s.
//
// A node that drains hands such an actor over to another: that is no loss, and fails no call.
//
// Start runs again, on the start value; what refs in that name is kept as long as the node that created the actor is there. Calls that were
// under way fail with [ErrUnavailable], since they may have run, unless they have task.Retries left; those that wait are sent to where it lives
// then. Stop and Kill end it for good, as does the end of its creator.
func Restarts(n int) ClassOption {
	return func(c *class) error {
		if n < -1 {
			return fmt.Errorf("%d restarts: want a number from 0, or -1 for ever", n)
		}
		c.restarts = n
		return nil
	}
}

const (
	lossHalfLife  = time.Minute
	restartPause  = time.Second
	longestPause  = 30 * time.Second
	mostDoublings = 5 // beyond which the pause is the longest
)

// lifespan is what an actor has of restarts, and has used of them. It is pure: losses and the times of losses go in, what to do comes out.
//
//	       loss: weight = weight, decayed, + 1
//	lives ────────────────────────────────────► more than the limit ─► dead
//	  ▲                                            │ not more
//	  └────────────── a pause, by the weight ◄─────┘
type lifespan struct {
	Limit    int       `json:"limit,omitempty"`    // -1: none
	Restarts int       `json:"restarts,omitempty"` // so far
	Weight   float64   `json:"weight,omitempty"`   // of the losses, when the last one was
	LostAt   time.Time `json:"lostAt,omitzero"`
}

// lose counts a loss, and says how long to wait before the restart, or that there is none any more.
func (l *lifespan) lose(now time.Time) (pause time.Duration, again bool) {
	if past := now.Sub(l.LostAt); !l.LostAt.IsZero() && past > 0 {
		l.Weight *= math.Exp2(-float64(past) / float64(lossHalfLife))
	}
	l.Weight++
	l.LostAt = now
	count := int(math.Round(l.Weight))
	if l.Limit >= 0 && count > l.Limit {
		return 0, false
	}
	l.Restarts++
	switch doublings := count - 2; {
	case doublings < 0:
		return 0, true
	case doublings >= mostDoublings:
		return longestPause, true
	default:
		return restartPause << doublings, true
	}
}
