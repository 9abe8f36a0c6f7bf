package task

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"manta/internal/event"
	"manta/internal/logs"
)

// What an owner does for tasks whose function failed: one timer is all they need while they pause. The owner is locked where it
// does not say otherwise.

// longestPause keeps sums of moments in range.
const longestPause = 100 * 365 * 24 * time.Hour

// failed has a task whose outcome would be an error tried again, after a pause. False: the error is its outcome.
func (o *owner) failed(s *submission, err error) bool {
	failure, own := errors.AsType[*Error](err)
	if !own || o.closed {
		return false
	}
	wait, ok := again(&s.Target.Options, int(s.Attempt), failure, rand.Float64())
	if !ok {
		return false
	}
	wait = min(max(wait, 0), longestPause)
	o.tellOver(s, event.Failed, err)
	s.Retry(err)
	s.failed = true
	s.lane.counts.RetriedFailed++
	s.lane.counts.Pausing++
	o.tellQueued(s)
	if o.pauses.add(s, o.now()+wait, failure) {
		o.alarm.Reset(wait)
	}
	o.node.Log.Debug("a task failed and is to be tried again",
		logs.Task(s.Target.Name), logs.ID(s.Object.ID()), logs.Attempt(int(s.Attempt)), zap.Duration("after", wait), zap.Error(err))
	return true
}

// resume puts tasks that have paused before those of their lanes that were never sent. The owner must not be locked.
func (o *owner) resume() {
	o.mu.Lock()
	defer o.unlock()
	now := o.now()
	var due []*submission
	for s := o.pauses.due(now); s != nil; s = o.pauses.due(now) {
		due = append(due, s)
		s.lane.counts.Pausing--
	}
	for i := len(due) - 1; i >= 0; i-- { // the last one first: each goes to the front
		due[i].lane.backlog.pushFront(due[i])
	}
	for _, s := range due {
		if !s.lane.backlog.empty() {
			o.pump(s.lane)
		}
	}
	if next, ok := o.pauses.next(); ok {
		o.alarm.Reset(next - o.now())
	}
}

// cut is the outcome of a task whose pause was cut short by err: its words tell what the attempt before had failed with.
func (p *pause) cut(err error) error {
	return fmt.Errorf("%w, while it waited to be tried again: %v", err, p.after) //nolint:errorlint // its outcome is err alone
}
