package member

import "time"

// lateFor is how long after a frame of one generation a frame of an earlier one may still come. NATS gives up a connection that it cannot write to
// after seconds.
const lateFor = time.Minute

// Generations are those of other nodes' connections, of which frames were heard: one of an older generation is late, and what its sender has
// learned since does not count it. A generation that was not heard of for long says nothing any more: so nobody is shut out for good by a
// frame in which a higher one was forged.
type Generations map[ID]generation

type generation struct {
	number uint64
	heard  time.Duration
}

// Late takes note of a frame that came at a time, and says whether it is late.
func (g Generations) Late(owner ID, number uint64, now time.Duration) bool {
	known := g[owner]
	if number < known.number && now-known.heard <= lateFor {
		return true
	}
	if number != known.number || now-known.heard > lateFor/64 { // not with every frame
		g[owner] = generation{number, now}
	}
	return false
}
