package actor

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"manta/internal/call"
	"manta/internal/event"
	"manta/task"
)

// MethodOptions are options of all calls of a method, by its name, as With has them for one: task.Retries, task.RetryOn, task.Backoff and
// task.Timeout. What With says counts more.
func MethodOptions(method string, opts ...task.Option) ClassOption {
	return func(c *class) error {
		c.options = append(c.options, methodOptions{method, opts})
		return nil
	}
}

type methodOptions struct {
	method string
	opts   []task.Option
}

// assignOptions notes the options of each method.
func (c *class) assignOptions() error {
	for _, given := range c.options {
		m := c.methods[given.method]
		if m == nil {
			return fmt.Errorf("MethodOptions of class %q are of %s, which is no method that can be called from elsewhere", c.name, given.method)
		}
		o := m.defaults()
		for _, opt := range given.opts {
			if err := opt(&o); err != nil {
				return fmt.Errorf("MethodOptions of %s: %w", m.name, err)
			}
		}
		if err := fits(o); err != nil {
			return fmt.Errorf("MethodOptions of %s: %w", m.name, err)
		}
		m.options = &o
	}
	return nil
}

// defaults are the options of calls that say nothing; of a method that there is not, those of none.
func (m *method) defaults() call.Options {
	if m == nil || m.options == nil {
		return call.Options{Backoff: call.DefaultBackoff}
	}
	return *m.options
}

// tryAgain has a call made again, after a pause, whose method failed, if its options say so. It has lost its place then, and gets the next one.
func (cs *callers) tryAgain(out *outgoing, err error) bool {
	if !out.sent || out.Target.Options.Retries == 0 || out.cancelled != nil || cs.closed {
		return false
	}
	failure, own := errors.AsType[*task.Error](err)
	if !own {
		return false
	}
	advice := call.DecodeFailure(failure.EncodeFailure()).Advice
	wait, again := out.Target.Options.Again(int(out.Attempt), failure, advice, rand.Float64())
	if !again {
		return false
	}
	out.TellOver(cs.node.Events, cs.text, event.Failed, err)
	out.Retry(err)
	out.TellQueued(cs.node.Events, cs.text)
	out.lane().retract(out)
	out.patience = time.AfterFunc(wait, func() { cs.makeAgain(out) })
	return true
}

// makeAgain sends a call that has paused.
func (cs *callers) makeAgain(out *outgoing) {
	cs.mu.Lock()
	defer cs.unlock()
	if l := out.lane(); !out.ended {
		delete(l.unready, out)
		l.push(out)
		cs.pumpOrWait(out)
	}
}
