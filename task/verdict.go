package task

import (
	"errors"
	"fmt"
	"time"

	"manta/bus"
)

// What a node does with a durable task that JetStream has handed to it. These are decisions alone; adopter does what they say.
//
//	handed over ─► adopted ─► has an outcome ─► recorded ─► acknowledged, and gone from the stream
//	     │            └───► given back, to run again ─► handed over again, the attempt one higher
//	     ├─► has a record already ────────────────────────► acknowledged
//	     └─► too late, or too often handed over ─► recorded
//
// A node that dies leaves it handed over: JetStream hands it to another after a while. So each number of an attempt was at one node alone, and an
// attempt that somebody else may still run is never the last word: whoever records first wins.

// handed is a durable task that a node was handed.
type handed struct {
	attempt  int  // how often it was handed over, this time included
	repeated bool // its submission was sent more than once
	looked   bool // for a record
	recorded bool // and there is one
}

// verdict is what to do next.
type verdict int

const (
	lookFirst verdict = iota // for a record: somebody may have run it, recorded the outcome and died
	dropIt                   // it is over: acknowledge
	recordIt                 // an error, without running it
	runIt
)

// judge says what to do with a task.
func (h handed) judge(function string, d *deposit, retries int, now time.Time) (verdict, error) {
	switch {
	case (h.attempt > 1 || h.repeated) && !h.looked:
		return lookFirst, nil
	case h.recorded:
		return dropIt, nil
	case d.late(now):
		return recordIt, fmt.Errorf("%s: %w", function, ErrDeadline)
	case h.attempt > retries+1:
		return recordIt, fmt.Errorf("task %q: %w, as %d before that had it or were about to", function, ErrWorkerLost, h.attempt-1)
	}
	return runIt, nil
}

// conclude says what to do with the outcome of an attempt: record it, or give the task back, to be handed over again after a pause.
func (p *policy) conclude(attempt int, err error, chance float64) (wait time.Duration, giveBack bool) {
	failed, own := errors.AsType[*Error](err)
	switch {
	case err == nil:
		return 0, false
	case own:
		return p.again(attempt, failed, chance)
	case errors.Is(err, ErrWorkerLost):
		return p.again(attempt, nil, chance)
	case errors.Is(err, bus.ErrClosed), errors.Is(err, ErrNotRegistered): // this node leaves
		return 0, true
	}
	return 0, false
}
