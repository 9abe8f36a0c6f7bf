package task

import "time"

// ages is when frames with tasks went to a peer, oldest first: the number of the newest one at some moments. A lane looks at intervals
// and notes it then, so sending pays nothing for it. The older, the coarser.
type ages []age

type age struct {
	sent uint32
	at   moment
}

// agesLimit is how many a peer keeps.
const agesLimit = 64

// noteAge notes the newest frame with tasks, and forgets all when nothing is under way.
func (p *peer) noteAge(now moment) {
	switch n := len(p.ages); {
	case len(p.flight) == 0:
		p.ages = p.ages[:0]
	case n == 0 || p.ages[n-1].sent != p.sent:
		if n == agesLimit {
			p.ages.thin(now)
			p.ages = p.ages[:n-1]
		}
		p.ages = append(p.ages, age{p.sent, now})
	}
}

// thin takes out the one whose lack matters least: the gap that it leaves is the smallest part of its age. The last place is free then.
func (a ages) thin(now moment) {
	least, smallest := 1, 0.0
	for i := 1; i < len(a)-1; i++ {
		gap := float64(a[i+1].at-a[i-1].at) / float64(now-a[i].at+1)
		if i == 1 || gap < smallest {
			least, smallest = i, gap
		}
	}
	copy(a[least:], a[least+1:])
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
