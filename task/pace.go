package task

import "time"

// moment is a point in time: how long after an origin of its process. Differences are what counts.
type moment = time.Duration

const (
	// ahead is how much work of short tasks a node takes on beyond what runs: enough to bridge the way of a reply and the next
	// frame, little enough that another owner's task does not wait long behind it.
	ahead = 5 * time.Millisecond
	// aheadLimit bounds that in tasks, aheadBytes in bytes of arguments and results.
	aheadLimit = 1024
	aheadBytes = 4 << 20
	// paceFloor is the shortest time that a task is taken to need.
	paceFloor = 5 * time.Microsecond
)

// pace is how long the tasks of a lane take at a node, and how large they are, as a moving average.
type pace struct {
	mean  time.Duration // meaningful once known
	bytes int
	known bool
}

// note takes a task into account. One stray long run must not empty the window, so it counts for at most four times the mean.
func (p *pace) note(took time.Duration, bytes int) {
	if !p.known {
		p.known, p.mean, p.bytes = true, took, bytes
		return
	}
	p.mean += (min(took, 4*p.mean+50*time.Microsecond) - p.mean) / 8
	p.bytes += (bytes - p.bytes) / 8
}

// room is how many tasks beyond those that run may be here: as many as the slots that the lane holds do in the time ahead,
// its share of that if several lanes have tasks queued. Long tasks, and those of which nothing is known, get none.
func (p *pace) room(running, lanes int) int {
	if !p.known || p.mean > ahead {
		return 0
	}
	n := int(ahead/max(p.mean, paceFloor)) * max(1, running) / max(1, lanes)
	return min(n, aheadLimit, aheadBytes/max(1, p.bytes))
}

// takes says whether a task may be queued behind others: twice the room, since what is on its way was sent by an older window.
func (p *pace) takes(queued, running int) bool {
	return p.known && p.mean <= ahead && queued < 2*aheadLimit && time.Duration(queued)*p.mean <= 2*ahead*time.Duration(max(1, running))
}
