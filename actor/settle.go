package actor

import (
	"manta/internal/event"
	"manta/objstore"
)

// What becomes of calls that were sent to an epoch that has ended.

// moved notes that a call did not run because its actor has moved.
func (cs *callers) moved(out *outgoing) {
	out.moved, out.visit = true, nil
	if out.cancelled != nil {
		cs.end(out, objstore.Outcome{Err: errMoved})
	}
}

// seekMoved seeks an actor that is known to have moved, unless that was known before.
func (cs *callers) seekMoved(c *caller) {
	if c.state == alive || c.state == doubted {
		cs.seek(c)
	}
}

// leftBehind notes the calls that a cell will not take any more, as it says.
func (cs *callers) leftBehind(c *caller, p pong) {
	if p.epoch != c.epoch {
		return
	}
	for _, said := range p.lanes {
		if said.lane >= len(c.lanes) {
			continue
		}
		for out := range c.lanes[said.lane].behind(said.stream, said.taken) {
			cs.moved(out)
		}
	}
}

// settle decides on calls that were sent to an epoch that has ended. Those that did not run there go first in the next one, in their order, and
// so do those that may run again. The others fail with lost.
func (cs *callers) settle(c *caller, lost error) {
	for _, l := range c.lanes {
		for out := range l.underway {
			switch {
			case out.cancelled != nil:
				cs.end(out, objstore.Outcome{Err: lost})
			case out.moved, out.unserved():
			case int(out.Attempt) <= out.Target.Options.Retries:
				out.TellOver(cs.node.Events, cs.text, event.Lost, lost)
				out.Retry(lost)
				out.TellQueued(cs.node.Events, cs.text)
			default:
				cs.end(out, objstore.Outcome{Err: lost})
			}
		}
	}
	for _, l := range c.lanes {
		l.again(0)
	}
	c.missed = 0
}
