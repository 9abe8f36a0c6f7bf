package task

import (
	"slices"
	"time"

	"manta/internal/call"
	"manta/internal/member"
)

// promiseFor is how long room that was offered is kept: the way to the owner and back, ten times over.
const promiseFor = 10 * time.Millisecond

// waitingLine is the lanes that a node had no room for, the one that was refused first at its head. What another lane frees is
// offered to it and kept for it for a moment: without that an owner with a backlog, who hears of every slot that it frees,
// would keep them all.
//
//	refused ──join──► waiting ──offer──► promised ──redeem──► (the lane came, or took too long)
type waitingLine struct {
	waiting  []wish
	promised []promise
}

// wish is a lane that wants room.
type wish struct {
	lane    hostLane
	refused call.Request // the last one, without its arguments
	reply   string
}

// promise is room that is kept for a lane.
type promise struct {
	lane  hostLane
	need  member.Amounts
	until time.Time
}

// join puts a lane at the end, unless it stands in line already.
func (l *waitingLine) join(w wish) {
	w.refused.Args = nil
	if i := slices.IndexFunc(l.waiting, func(v wish) bool { return v.lane == w.lane }); i >= 0 {
		l.waiting[i] = w
		return
	}
	l.waiting = append(l.waiting, w)
}

// leave forgets a lane that got room, if it stands in line.
func (l *waitingLine) leave(lane hostLane) {
	l.waiting = slices.DeleteFunc(l.waiting, func(w wish) bool { return w.lane == lane })
}

// offer takes out the first lane, other than the one that freed the room, whose need is free, and promises it that.
func (l *waitingLine) offer(freedBy hostLane, free func() member.Amounts, now time.Time) (w wish, ok bool) {
	if len(l.waiting) == 0 {
		return w, false
	}
	room := free()
	i := slices.IndexFunc(l.waiting, func(w wish) bool {
		return w.lane != freedBy && l.fits(w.lane, w.refused.Need, room, now)
	})
	if i < 0 {
		return w, false
	}
	w = l.waiting[i]
	l.waiting = slices.Delete(l.waiting, i, i+1)
	l.promised = append(l.promised, promise{w.lane, w.refused.Need, now.Add(promiseFor)})
	return w, true
}

// redeem says whether a lane may take its need: what was promised to it, or what is free beside the promises to others.
func (l *waitingLine) redeem(lane hostLane, need member.Amounts, free func() member.Amounts, now time.Time) bool {
	if len(l.promised) == 0 {
		return true
	}
	fits := l.fits(lane, need, free(), now)
	l.promised = slices.DeleteFunc(l.promised, func(p promise) bool { return p.lane == lane && fits || now.After(p.until) })
	return fits
}

// fits says whether a need is free beside what is promised to other lanes.
func (l *waitingLine) fits(lane hostLane, need, free member.Amounts, now time.Time) bool {
	for name, n := range need {
		for _, p := range l.promised {
			if p.lane != lane && now.Before(p.until) {
				n += p.need[name]
			}
		}
		if free[name] < n {
			return false
		}
	}
	return true
}
