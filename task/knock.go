package task

import "time"

const (
	// doorSilence is how long a task may knock before the nodes that are known are asked whether they have it.
	doorSilence = silence
	// doorLost is how long it may while no node is known that could be asked.
	doorLost = 3 * time.Second
)

// knock is a task on its way through the queue group: the node that got it has not said so yet.
type knock struct {
	task     *submission
	sent     moment
	ruledOut map[*peer]bool // those that are known not to have it
	doubtful bool           // a node that may have had it is gone
}

// knock sends the first task through the queue group.
func (l *lane) knock(now moment) {
	s := l.backlog.pop()
	l.knocking = knock{task: s, sent: now}
	l.door = &l.knocking
	l.batch = append(l.batch[:0], s)
	l.do.send(l, nil, l.batch, !l.backlog.empty())
	clear(l.batch) // a lane holds no task, and so no result, that is over
}

// answered ends the knock: it is known where its task is, or that it is nowhere.
func (l *lane) answered() knock {
	k := l.knocking
	l.door, l.knocking = nil, knock{}
	return k
}

// accepted notes that the knocking task is at a peer, if it is that one.
func (l *lane) accepted(p *peer, number uint64) {
	if l.door == nil || l.door.task.Number() != number {
		return
	}
	s := l.answered().task
	s.at, s.tick, p.sent = p, p.tick, p.tick // no frame took it there; it was there before the next one
	p.flight[number] = s
	l.inflight++
	if s.ended {
		l.cancel(s)
	}
}

func (k *knock) ruleOut(p *peer) {
	if k.ruledOut == nil {
		k.ruledOut = make(map[*peer]bool)
	}
	k.ruledOut[p] = true
}

// judgeDoor takes the knocking task back when no peer can have it.
func (l *lane) judgeDoor() {
	k := l.door
	if k == nil || len(k.ruledOut) == 0 && !k.doubtful {
		return
	}
	for _, p := range l.order {
		if !p.dead && !k.ruledOut[p] && p.worker == nil {
			return
		}
	}
	over := l.answered()
	if over.task.ended || (over.doubtful || len(l.silent) > 0) && !l.do.lost(over.task, nil) {
		return
	}
	l.backlog.pushFront(over.task)
	l.refusals = max(l.refusals, min(1, len(l.order))) // straight to a peer, if there is one
}

// nobodyHome takes the knocking task, if there is one, back from a door with nobody behind it.
func (l *lane) nobodyHome() *submission {
	return l.answered().task
}
