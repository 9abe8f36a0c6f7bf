package task

import "time"

// ages is when frames with tasks went to a peer, oldest first: the number of the newest one at some moments. A lane looks at intervals
// and notes it then, so sending pays nothing for it. The older, the coarser.
type ages []age

type age struct {
	sent uint32
	at   moment
}

// agesLimit is how many a peer keeps; at so many every other one goes.
const agesLimit = 64

// noteAge notes the newest frame with tasks, and forgets all when nothing is under way.
func (p *peer) noteAge(now moment) {
	switch n := len(p.ages); {
	case len(p.flight) == 0:
		p.ages = p.ages[:0]
	case n > 0 && p.ages[n-1].sent == p.sent:
	case n == agesLimit:
		for i := range n / 2 {
			p.ages[i] = p.ages[2*i]
		}
		p.ages = append(p.ages[:n/2], age{p.sent, now})
	default:
		p.ages = append(p.ages, age{p.sent, now})
	}
}

// held is how long at least a peer has had a task.
func (p *peer) held(s *submission, now moment) time.Duration {
	for _, a := range p.ages {
		if !before(a.sent, s.tick) {
			return now - a.at
		}
	}
	return 0
}
