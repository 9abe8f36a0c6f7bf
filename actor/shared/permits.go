package shared

import "manta/internal/member"

// permits is what a semaphore has and who waits. It has no clock, goroutine or network.
type permits struct {
	attendance
	total, free int
	held        map[ticket]int
	line        line
}

func newPermits(total int) *permits {
	return &permits{total: total, free: total, held: make(map[ticket]int)}
}

// acquire ends w at once, or when as many permits are free.
func (p *permits) acquire(w *waiter, wait bool) {
	switch {
	case !p.admits(w.ticket):
		w.end(withdrawn)
	case w.need > p.total:
		w.end(never)
	default:
		p.line = append(p.line, w)
		p.serve()
		switch {
		case p.leaving:
			p.line.dismiss(leaving, has(w.ticket))
		case !wait:
			p.line.dismiss(refused, has(w.ticket))
		}
	}
}

func (p *permits) serve() {
	for w := p.line.first(); w != nil && w.need <= p.free; w = p.line.first() {
		p.free -= w.need
		p.held[w.ticket] = w.need
		p.line.serve(granted)
	}
}

// release frees what a ticket holds; false if it holds nothing.
func (p *permits) release(t ticket) bool {
	n, held := p.held[t]
	p.free += n
	delete(p.held, t)
	p.serve()
	return held
}

// withdraw undoes what a ticket was for.
func (p *permits) withdraw(t ticket) {
	if !p.line.dismiss(withdrawn, has(t)) && !p.release(t) {
		p.attendance.withdraw(t)
	}
	p.serve()
}

func (p *permits) left(node member.ID) {
	p.attendance.left(node)
	p.line.dismiss(withdrawn, of(node))
	for t, n := range p.held {
		if t.Owner() == node {
			p.free += n
			delete(p.held, t)
		}
	}
	p.serve()
}

func (p *permits) leave() {
	p.leaving = true
	p.line.dismiss(leaving, everybody)
}
